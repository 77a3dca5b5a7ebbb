# Writes rates.json: person-time split on the Lexis diagram, rates with exact limits, and Poisson models, on public data sets
# of the R package Epi (diet, nickel, DMlate; dates as whole days) and cgd of survival (repeated events of a child).
# Made with R 4.2.2, Epi 2.47, survival 3.5-3, sandwich 3.0-2, jsonlite 1.8.4. Run from this folder: Rscript rates.R
# Bands begin on whole days: years of age times 365.25 rounded up, 1 January. Epi cuts as survSplit does: an event on the
# day of a cut is the earlier band's.
suppressMessages({library(jsonlite); library(Epi); library(survival); library(sandwich)})
data(diet); data(nickel); data(DMlate)
day <- function(y) as.integer(floor((y - 1970) * 365.25))
sets <- list(
  diet = with(diet, data.frame(birth = as.integer(dob), entry = as.integer(doe), exit = as.integer(dox), event = as.integer(chd),
                               group = ifelse(energy.grp == levels(energy.grp)[1], "low", "high"), cluster = as.integer(job) * 10 + as.integer(month) %/% 3,
                               x = height)),
  nickel = with(nickel, data.frame(birth = day(dob), entry = day(dob + agein), exit = day(dob + ageout),
                                   event = as.integer(icd %in% c(162, 163)), group = ifelse(exposure > 0, "exposed", "none"),
                                   cluster = seq_along(id) %% 40, x = age1st)),
  DMlate = with(DMlate[seq(1, nrow(DMlate), by = 6), ],
                data.frame(birth = day(dobth), entry = day(dodm), exit = day(dox), event = as.integer(!is.na(dodth)),
                           group = as.character(sex), cluster = seq_along(sex) %% 60, x = as.integer(!is.na(doins) & doins <= dodm))))
sets <- lapply(sets, function(d) {
  d$x[is.na(d$x)] <- round(mean(d$x, na.rm = TRUE)); d <- d[d$exit > d$entry, ]; d$weight <- 0.5 + (seq_len(nrow(d)) %% 5) / 3; d })
ages <- list(diet = c(50, 55, 60, 65), nickel = c(50, 60, 70, 80), DMlate = c(0, 50, 60, 70, 80))
years <- list(diet = c(1970, 1975), nickel = c(1930, 1945, 1955, 1965, 1975), DMlate = c(1995, 2000, 2003, 2006))

split_set <- function(name) {
  d <- sets[[name]]
  l <- suppressMessages(Lexis(entry.status = 0, entry = list(per = entry, age = entry - birth), exit = list(per = exit), exit.status = event, data = d))
  l <- splitLexis(l, c(-Inf, ceiling(ages[[name]] * 365.25), Inf), "age")
  l <- splitLexis(l, c(-Inf, as.integer(as.Date(paste0(years[[name]], "-01-01"))), Inf), "per")
  data.frame(id = l$lex.id, group = l$group, cluster = l$cluster, x = l$x, weight = l$weight,
             age = findInterval(l$age, ceiling(ages[[name]] * 365.25)),
             per = findInterval(l$per, as.integer(as.Date(paste0(years[[name]], "-01-01")))),
             days = l$lex.dur, d = as.integer(l$lex.Xst == 1))
}
tight <- glm.control(epsilon = 1e-15, maxit = 100)
model <- function(s, formula, weight, cluster) {
  s$y <- if (weight) s$weight * s$d else s$d
  s$t <- (if (weight) s$weight else 1) * s$days / 365.25
  f <- suppressWarnings(glm(formula, poisson, s, offset = log(t), control = tight))
  # glm's variance is of its last but one step: start again from the end.
  f <- suppressWarnings(glm(formula, poisson, s, offset = log(t), control = tight, start = coef(f)))
  v <- if (is.null(cluster)) vcov(f) else vcovCL(f, s[[cluster]], type = "HC0", cadjust = TRUE)
  e <- ci.exp(f)
  list(weight = weight, cluster = cluster, terms = names(coef(f)), coef = unname(coef(f)), se = unname(sqrt(diag(v))),
       low = unname(e[, 2]), high = unname(e[, 3]))
}
case <- function(name) {
  d <- sets[[name]]; s <- split_set(name)
  cells <- aggregate(cbind(days, d) ~ group + age + per, s, sum)
  exact <- t(sapply(seq_len(nrow(cells)), function(i) poisson.test(cells$d[i], cells$days[i] / 365.25)$conf.int))
  # The same person-time by another routine, which knows nothing of Epi's.
  d$a <- tcut(d$entry - d$birth, c(-1e6, ceiling(ages[[name]] * 365.25), 1e6))
  d$p <- tcut(d$entry, c(-1e6, as.integer(as.Date(paste0(years[[name]], "-01-01"))), 1e6))
  py <- pyears(Surv(exit - entry, event) ~ group + a + p, d, scale = 1)
  i <- cbind(match(cells$group, dimnames(py$pyears)[[1]]), cells$age + 1, cells$per + 1)
  s$age <- factor(s$age); s$per <- factor(s$per); s$group <- factor(s$group)
  f <- y ~ group + age + per
  # A robust variance over whole cells of the data, not over the pieces that splitting makes, is over persons.
  models <- list(model(s, f, FALSE, NULL), model(s, y ~ group + x + age, FALSE, NULL), model(s, f, FALSE, "cluster"),
                 model(s, f, TRUE, "id"), model(s, f, TRUE, "cluster"))
  list(set = name, data = d[c("birth", "entry", "exit", "event", "group", "cluster", "x", "weight")], ages = ages[[name]],
       years = years[[name]], cells = cells, low = exact[, 1], high = exact[, 2], pyears = py$pyears[i], models = models)
}
cgd <- with(survival::cgd, data.frame(id, days = tstop - tstart, d = status, group = as.character(treat), weight = 1))
cgd$group <- factor(cgd$group, c("placebo", "rIFN-g"))
write_json(list(made_with = paste(R.version.string, "Epi", packageVersion("Epi"), "survival", packageVersion("survival"),
                                  "sandwich", packageVersion("sandwich")),
                cases = lapply(names(sets), case),
                cgd = c(model(cgd, y ~ group, FALSE, "id"), list(set = "cgd"))),
           "rates.json", digits = NA, auto_unbox = TRUE, dataframe = "columns")

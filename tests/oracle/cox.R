# Writes cox.json: proportional hazards models on public data sets of the R package survival and on seeded synthetic ones,
# crossing ties, late entry, weights, clusters and strata; residuals, tests of proportionality, predicted curves.
# Made with R 4.2.2, survival 3.5-3, jsonlite 1.8.4. Run from this folder: Rscript cox.R
# Times that are not whole are multiplied until they are (heart by 2); ages in years become days.
suppressMessages({library(jsonlite); library(survival)})
tight <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 100, timefix = FALSE)

weigh <- function(n) 0.5 + (seq_len(n) %% 5) / 3
lung <- survival::lung; lung <- lung[!is.na(lung$inst) & !is.na(lung$ph.ecog), ]
lung <- with(lung, data.frame(exit = time, event = as.integer(status == 2), sex = as.integer(sex == 2), age, ecog = ph.ecog, cluster = inst))
veteran <- with(survival::veteran, data.frame(exit = time, event = status, cell = as.character(celltype), trt = trt - 1,
                                              karno, prior, cluster = seq_along(time) %% 17))
heart <- with(survival::heart, data.frame(entry = 2 * start, exit = 2 * stop, event, transplant = as.integer(transplant) - 1,
                                          surgery, age, cluster = id))
cgd <- with(survival::cgd, data.frame(entry = tstart, exit = tstop, event = status, treat = as.integer(treat) - 1, age,
                                      inherit = as.integer(inherit) - 1, cluster = id))
pbc <- survival::pbc; pbc <- pbc[!is.na(pbc$stage), ]
pbc <- with(pbc, data.frame(entry = floor(age * 365.25), exit = floor(age * 365.25) + time, event = as.integer(status == 2),
                            sex = as.integer(sex == "f"), bili = log(bili), albumin, stage, edema, cluster = floor(age)))
set.seed(20)
n <- 260
ties <- data.frame(entry = sample(0:6, n, TRUE))
ties$exit <- ties$entry + sample(1:9, n, TRUE)
ties$a <- round(rnorm(n), 3); ties$b <- rbinom(n, 1, .4); ties$group <- sample(c("x", "y", "z"), n, TRUE)
ties$event <- rbinom(n, 1, plogis(.3 * ties$a - .5 * ties$b + .2)); ties$cluster <- sample(1:30, n, TRUE)
sets <- list(lung = lung, veteran = veteran, heart = heart, cgd = cgd, pbc = pbc, ties = ties)
sets <- lapply(sets, function(d) { d$weight <- weigh(nrow(d)); d })

thin <- function(size, most = 20) sort(unique(c(seq_len(min(size, 5)), round(seq(1, size, length.out = most)), size)))

fit_of <- function(set, x, ties = "efron", entry = FALSE, weight = FALSE, cluster = FALSE, strata = NULL, model = FALSE) {
  d <- sets[[set]]
  left <- if (entry) "Surv(entry, exit, event)" else "Surv(exit, event)"
  right <- paste(c(x, if (!is.null(strata)) sprintf("strata(%s)", strata)), collapse = " + ")
  extra <- paste0("", if (weight) ", weights = weight", if (cluster) ", cluster = cluster",
                  if (weight && !cluster) ", cluster = seq_len(nrow(d))")
  eval(parse(text = sprintf("coxph(%s ~ %s, d, ties = '%s', control = tight, x = TRUE, model = TRUE%s)", left, right, ties, extra)))
}
case <- function(set, x, ties = "efron", entry = FALSE, weight = FALSE, cluster = FALSE, strata = NULL, more = FALSE) {
  d <- sets[[set]]
  f <- fit_of(set, x, ties, entry, weight, cluster, strata)
  # Without robust variance the table has no naive standard error.
  naive <- if (is.null(f$naive.var)) f$var else f$naive.var
  found <- list(set = set, x = x, ties = ties, entry = entry, weight = weight, cluster = cluster, strata = strata,
                coef = unname(f$coefficients), se = unname(sqrt(diag(f$var))), naive = unname(sqrt(diag(naive))),
                loglik = f$loglik, wald = unname(f$wald.test), score = f$score, rscore = f$rscore)
  if (!more) return(found)
  rows <- thin(nrow(d))
  pick <- function(type) { r <- as.matrix(residuals(f, type = type)); unname(r[rows, , drop = FALSE]) }
  for (type in c("martingale", "deviance", "score", "dfbeta")) found[[paste0(type, "_residuals")]] <- pick(type)
  found$rows <- rows - 1
  s <- as.matrix(residuals(f, "schoenfeld")); events <- thin(nrow(s))
  found$events <- events - 1
  found$schoenfeld <- unname(s[events, , drop = FALSE])
  found$scaled <- unname(as.matrix(residuals(f, "scaledsch"))[events, , drop = FALSE])
  found$zph <- lapply(c(km = "km", rank = "rank", identity = "identity", log = "log"), function(g) unname(cox.zph(f, g)$table))
  # Profiles: the median of each column, and the largest of each.
  profile <- function(pick) as.data.frame(lapply(setNames(nm = gsub("factor\\((.*)\\)", "\\1", x)), function(name) pick(d[[name]])))
  profiles <- rbind(profile(function(v) if (is.character(v)) sort(v)[1] else quantile(v, .5, type = 1, names = FALSE)),
                    profile(function(v) max(v)))
  found$profiles <- profiles
  curves <- function(conf, ...) {
    s <- survfit(f, newdata = profiles, conf.type = conf, ...)
    sizes <- if (is.null(s$strata)) length(s$time) else s$strata
    ends <- cumsum(sizes)
    lapply(seq_along(sizes), function(g) {
      at <- (ends[g] - sizes[g] + 1):ends[g]; at <- at[thin(length(at), 12)]
      list(stratum = if (is.null(s$strata)) "" else sub(".*=", "", names(s$strata)[g]), time = s$time[at], n.risk = s$n.risk[at],
           surv = unname(s$surv[at, , drop = FALSE]), se = unname(s$std.err[at, , drop = FALSE]), cumhaz = unname(s$cumhaz[at, , drop = FALSE]),
           low = unname(s$lower[at, , drop = FALSE]), high = unname(s$upper[at, , drop = FALSE]))
    })
  }
  found$curves <- list("log-log" = curves("log-log"), log = curves("log"))
  if (entry && is.null(strata)) {
    start <- unname(quantile(d$exit[d$event == 1], .3, type = 1))
    found$start <- start
    found$curves$started <- curves("log-log", start.time = start)
  }
  found
}
cross <- list()
for (t in c("efron", "breslow")) {
  cross <- c(cross, list(
    case("lung", c("sex", "age", "ecog"), t, more = TRUE),
    case("lung", c("sex", "age"), t, strata = "ecog", more = t == "efron"),
    case("lung", c("sex", "age", "ecog"), t, weight = TRUE),
    case("lung", c("sex", "age", "ecog"), t, cluster = TRUE),
    case("lung", c("sex", "age"), t, weight = TRUE, cluster = TRUE, strata = "ecog"),
    case("veteran", c("cell", "trt", "karno"), t, more = TRUE),
    case("veteran", c("trt", "karno"), t, strata = "cell", weight = TRUE),
    case("veteran", c("cell", "karno"), t, cluster = TRUE),
    case("heart", c("transplant", "surgery", "age"), t, entry = TRUE, more = TRUE),
    case("heart", c("transplant", "age"), t, entry = TRUE, strata = "surgery"),
    case("heart", c("transplant", "surgery", "age"), t, entry = TRUE, weight = TRUE),
    case("heart", c("transplant", "surgery", "age"), t, entry = TRUE, cluster = TRUE),
    case("cgd", c("treat", "age", "inherit"), t, entry = TRUE, cluster = TRUE),
    case("cgd", c("treat", "age"), t, entry = TRUE, weight = TRUE, cluster = TRUE, strata = "inherit"),
    case("pbc", c("sex", "bili", "albumin", "edema"), t, entry = TRUE, more = TRUE),
    case("pbc", c("sex", "bili", "albumin"), t, entry = TRUE, weight = TRUE, cluster = TRUE, strata = "stage"),
    case("pbc", c("bili", "albumin", "factor(stage)"), t, entry = TRUE, cluster = TRUE),
    case("ties", c("a", "b", "group"), t, more = t == "breslow"),
    case("ties", c("a", "b", "group"), t, entry = TRUE, more = TRUE),
    case("ties", c("a", "b"), t, entry = TRUE, strata = "group", more = TRUE),
    case("ties", c("a", "b", "group"), t, entry = TRUE, weight = TRUE, more = TRUE),
    case("ties", c("a", "b", "group"), t, entry = TRUE, cluster = TRUE),
    case("ties", c("a", "b"), t, entry = TRUE, weight = TRUE, cluster = TRUE, strata = "group", more = TRUE)))
}
write_json(list(sets = lapply(sets, as.list), cox = cross), "cox.json", digits = NA, auto_unbox = TRUE, na = "null",
           null = "null", matrix = "rowmajor")

# Writes survival_curves.json: Kaplan-Meier, Nelson-Aalen, Aalen-Johansen, log-rank tests, Gray's test and
# restricted means, on public data sets of the R package survival.
# Made with R 4.2.2, survival 3.5-3, cmprsk 2.2-11, jsonlite 1.8.4. Run from this folder: Rscript survival_curves.R
# Times that are not whole are multiplied until they are (heart by 2); ages in years become days or months.
suppressMessages({library(jsonlite); library(survival); library(cmprsk)})

weigh <- function(n) 0.5 + (seq_len(n) %% 5) / 3
lung <- survival::lung[!is.na(survival::lung$inst) & !is.na(survival::lung$ph.ecog), ]
lung <- with(lung, data.frame(exit = time, event = as.integer(status == 2), sex, ecog = ph.ecog, cluster = inst))
lung$weight <- weigh(nrow(lung))
veteran <- with(survival::veteran, data.frame(exit = time, event = status, cell = as.character(celltype), trt,
                                              prior, cluster = seq_along(time) %% 17))
veteran$weight <- weigh(nrow(veteran))
heart <- with(survival::heart, data.frame(entry = 2 * start, exit = 2 * stop, event, transplant = as.integer(transplant) - 1,
                                          surgery, cluster = id))
heart$weight <- weigh(nrow(heart))
keep <- seq(1, nrow(survival::flchain), by = 12)
flchain <- survival::flchain[keep, ]; flchain <- flchain[flchain$futime > 0, ]
flchain <- with(flchain, data.frame(entry = age * 365, exit = age * 365 + futime, event = death, sex = as.character(sex),
                                    group = flc.grp, cluster = flc.grp))
flchain$weight <- weigh(nrow(flchain))
cgd <- with(survival::cgd, data.frame(entry = tstart, exit = tstop, event = status, treat = as.character(treat), cluster = id))
cgd$weight <- weigh(nrow(cgd))
mgus2 <- survival::mgus2[seq(1, nrow(survival::mgus2), by = 3), ]
mgus2 <- with(mgus2, {
  time <- ifelse(pstat == 1, ptime, futime)
  data.frame(entry = age * 12, exit = age * 12 + time, time, event = ifelse(pstat == 1, 1, 2 * death),
             sex = as.character(sex), old = as.integer(age > 70), cluster = age)
})
mgus2 <- mgus2[mgus2$time > 0, ]; mgus2$weight <- weigh(nrow(mgus2))
transplant <- with(survival::transplant, data.frame(exit = pmax(futime, 1), event = as.integer(event) - 1,
                                                    abo = as.character(abo), sex = as.character(sex), cluster = year))
transplant$weight <- weigh(nrow(transplant))
pbc <- with(survival::pbc, data.frame(entry = floor(age * 365.25), exit = floor(age * 365.25) + time, time, event = status,
                                      sex = as.character(sex), stage, cluster = floor(age)))
pbc <- pbc[!is.na(pbc$stage), ]; pbc$weight <- weigh(nrow(pbc))
bladder <- with(survival::bladder2, data.frame(entry = start, exit = stop, event, treat = as.character(rx), cluster = id))
bladder$weight <- weigh(nrow(bladder))
sets <- list(pbc = pbc, bladder = bladder, lung = lung, veteran = veteran, heart = heart, flchain = flchain, cgd = cgd, mgus2 = mgus2, transplant = transplant)

thin <- function(size) { at <- unique(c(seq_len(min(size, 25)), seq(1, size, by = max(1, size %/% 25)), size)); sort(at) }

# Kaplan-Meier and cumulative hazard. The call is built by hand, since survfit evaluates its arguments in the data.
km <- function(set, by = NULL, entry = FALSE, weight = FALSE, cluster = FALSE, conf = "log-log", level = .95) {
  d <- sets[[set]]
  left <- if (entry) "Surv(entry, exit, event > 0)" else "Surv(exit, event > 0)"
  extra <- paste0("", if (weight) ", weights = weight", if (cluster) ", cluster = cluster",
                  if (weight && !cluster) ", cluster = seq_len(nrow(d))")
  f <- eval(parse(text = sprintf("survfit(%s ~ %s, d, conf.type = '%s', conf.int = %.17g%s)", left,
                                 if (is.null(by)) "1" else by, conf, level, extra)))
  stopifnot(is.null(f$newdata))
  groups <- if (is.null(f$strata)) list(all = seq_along(f$time)) else
    split(seq_along(f$time), rep(factor(sub(".*=", "", names(f$strata)), unique(sub(".*=", "", names(f$strata)))), f$strata))
  error <- if (isTRUE(f$logse)) f$std.err * f$surv else f$std.err
  q <- quantile(f, c(.1, .25, .5, .75))
  curves <- lapply(seq_along(groups), function(g) {
    rows <- groups[[g]]; rows <- rows[thin(length(rows))]
    pick <- function(m) if (is.matrix(m)) m[g, ] else m
    list(group = names(groups)[g], time = f$time[rows], at_risk = f$n.risk[rows], events = f$n.event[rows],
         survival = f$surv[rows], se = error[rows], low = f$lower[rows], high = f$upper[rows],
         hazard = f$cumhaz[rows], hazard_se = f$std.chaz[rows],
         quantile = unname(pick(q$quantile)), quantile_low = unname(pick(q$lower)), quantile_high = unname(pick(q$upper)))
  })
  list(set = set, by = by, entry = entry, weight = weight, cluster = cluster, interval = conf, level = level, curves = curves)
}
survival_cases <- list(
  km("lung"), km("lung", conf = "log"), km("lung", conf = "plain", level = .9), km("lung", conf = "logit"),
  km("lung", conf = "arcsin"), km("lung", "sex"), km("lung", "sex", weight = TRUE), km("lung", weight = TRUE, cluster = TRUE),
  km("lung", "ecog", cluster = TRUE, conf = "log"),
  km("veteran", "cell"), km("veteran", "trt", weight = TRUE), km("veteran", "prior", weight = TRUE, cluster = TRUE, conf = "logit"),
  km("heart", entry = TRUE), km("heart", "transplant", entry = TRUE), km("heart", "transplant", entry = TRUE, cluster = TRUE),
  km("heart", "surgery", entry = TRUE, weight = TRUE, cluster = TRUE), km("heart", entry = TRUE, weight = TRUE, conf = "plain"),
  km("flchain", "sex", entry = TRUE), km("flchain", entry = TRUE, weight = TRUE, cluster = TRUE),
  km("transplant", "sex"))
# Ties by Fleming and Harrington, and repeated events with variance over persons.
fleming <- function(set) {
  f <- survfit(Surv(exit, event > 0) ~ 1, sets[[set]], ctype = 2)
  list(set = set, time = f$time, hazard = f$cumhaz, se = f$std.chaz)
}
repeated <- function(set, weight = FALSE) {
  d <- sets[[set]]
  f <- if (weight) survfit(Surv(entry, exit, event) ~ treat, d, cluster = cluster, weights = weight) else
    survfit(Surv(entry, exit, event) ~ treat, d, cluster = cluster)
  list(set = set, weight = weight, strata = unname(f$strata), time = f$time, hazard = f$cumhaz, se = f$std.chaz)
}
hazard_cases <- list(fleming = list(fleming("veteran"), fleming("lung"), fleming("transplant")),
                     repeated = list(repeated("cgd"), repeated("bladder"), repeated("cgd", TRUE)))

# Aalen-Johansen: multi-state survfit (infinitesimal jackknife) and cmprsk (Aalen's variance).
aj <- function(set, by = NULL, entry = FALSE, weight = FALSE, cluster = FALSE, time = "exit") {
  d <- sets[[set]]; d$id <- seq_len(nrow(d)); d$state <- factor(d$event)
  left <- if (entry) "Surv(entry, exit, state)" else sprintf("Surv(%s, state)", time)
  extra <- if (weight) ", weights = weight" else ""
  f <- eval(parse(text = sprintf("survfit(%s ~ %s, d, id = id, conf.type = 'log-log'%s)", left, if (is.null(by)) "1" else by, extra)))
  groups <- if (is.null(f$strata)) list(all = seq_along(f$time)) else
    split(seq_along(f$time), rep(factor(sub(".*=", "", names(f$strata)), unique(sub(".*=", "", names(f$strata)))), f$strata))
  error <- f$std.err
  if (cluster) {
    # survfit of several states takes no notice of cluster in this version: what a cluster moves is found by changing
    # its members' weights (differences of order 4); over single rows this gives back survfit's own standard errors.
    base <- if (weight) d$weight else rep(1, nrow(d))
    state <- function(w) { d$changed <- w
      eval(parse(text = sprintf("survfit(%s ~ %s, d, id = id, weights = changed)$pstate", left, if (is.null(by)) "1" else by))) }
    moved <- function(unit) Reduce(`+`, lapply(unique(unit), function(one) {
      slope <- function(h) (state(base * (1 + h * (unit == one))) - state(base * (1 - h * (unit == one)))) / (2 * h)
      ((4 * slope(1e-3) - slope(2e-3)) / 3)^2
    }))
    alone <- sqrt(moved(d$id)); stopifnot(max(abs(alone - f$std.err)) < 1e-9)
    error <- sqrt(moved(d$cluster)); stopifnot(max(abs(alone - error)) > 1e-3)
    z <- qnorm(.975) * error / (f$pstate * log(f$pstate))
    f$lower <- exp(-exp(log(-log(f$pstate)) - z)); f$upper <- exp(-exp(log(-log(f$pstate)) + z))
    f$std.err <- error
  }
  curves <- lapply(names(groups), function(g) {
    rows <- groups[[g]]; rows <- rows[thin(length(rows))]
    list(group = g, time = f$time[rows], free = f$pstate[rows, 1], incidence = t(f$pstate[rows, -1]), se = t(f$std.err[rows, -1]),
         low = t(f$lower[rows, -1]), high = t(f$upper[rows, -1]))
  })
  list(set = set, by = by, entry = entry, weight = weight, cluster = cluster, time = time, curves = curves)
}
incidence_cases <- list(
  aj("mgus2", time = "time"), aj("mgus2", "sex", time = "time"), aj("mgus2", "sex", entry = TRUE),
  aj("mgus2", "sex", entry = TRUE, weight = TRUE), aj("mgus2", entry = TRUE, weight = TRUE, cluster = TRUE),
  aj("mgus2", "old", weight = TRUE, cluster = TRUE, time = "time"),
  aj("transplant", "abo"), aj("transplant", weight = TRUE), aj("transplant", "sex", cluster = TRUE),
  aj("pbc", "sex", time = "time"), aj("pbc", entry = TRUE, weight = TRUE), aj("pbc", "sex", entry = TRUE, cluster = TRUE))
cumulative <- function(set, time, by) {
  d <- sets[[set]]; f <- cuminc(d[[time]], d$event, d[[by]])
  curves <- f[names(f) != "Tests"]
  list(set = set, time = time, by = by, curves = lapply(names(curves), function(name) {
    one <- curves[[name]]; last <- !duplicated(one$time, fromLast = TRUE); rows <- which(last); rows <- rows[thin(length(rows))]
    list(name = name, time = one$time[rows], estimate = one$est[rows], variance = one$var[rows])
  }))
}
aalen_cases <- list(cumulative("mgus2", "time", "sex"), cumulative("transplant", "exit", "abo"),
                    cumulative("veteran", "exit", "cell"),
                    cumulative("pbc", "time", "stage"))
gray <- function(set, time, by, strata = NULL, rho = 0) {
  d <- sets[[set]]
  f <- if (is.null(strata)) cuminc(d[[time]], d$event, d[[by]], rho = rho) else cuminc(d[[time]], d$event, d[[by]], d[[strata]], rho = rho)
  list(set = set, time = time, by = by, strata = strata, rho = rho, statistic = unname(f$Tests[, "stat"]),
       p = unname(pchisq(f$Tests[, "stat"], f$Tests[, "df"], lower.tail = FALSE)), df = unname(f$Tests[, "df"]))
}
gray_cases <- list(gray("mgus2", "time", "sex"), gray("mgus2", "time", "sex", "old"), gray("mgus2", "time", "old", rho = 1),
                   gray("transplant", "exit", "abo"), gray("transplant", "exit", "abo", "sex"),
                   gray("transplant", "exit", "abo", "sex", rho = -0.5), gray("veteran", "exit", "cell"),
                   gray("pbc", "time", "stage", "sex"), gray("pbc", "time", "stage", rho = 2))

# Log-rank family: survdiff without entry; the score tests of coxph with entry (the exact likelihood has the
# log-rank's variance under ties), and with clusters or weights (Breslow).
difference <- function(set, by, strata = NULL, rho = 0) {
  d <- sets[[set]]
  right <- if (is.null(strata)) by else paste0(by, " + strata(", strata, ")")
  f <- survdiff(as.formula(paste("Surv(exit, event > 0) ~", right)), d, rho = rho)
  total <- function(m) if (is.matrix(m)) rowSums(m) else m
  list(set = set, by = by, strata = strata, rho = rho, statistic = f$chisq, observed = unname(total(f$obs)),
       expected = unname(total(f$exp)))
}
logrank_cases <- list(difference("lung", "sex"), difference("lung", "sex", "ecog"), difference("lung", "ecog", "sex", 1),
                      difference("veteran", "cell"), difference("veteran", "cell", "trt"), difference("veteran", "cell", rho = .5),
                      difference("transplant", "abo", rho = 1))
tight <- coxph.control(eps = 1e-14, iter.max = 100)
score <- function(set, by, strata = NULL, cluster = FALSE, weight = FALSE, entry = TRUE) {
  d <- sets[[set]]
  right <- paste0("factor(", by, ")", if (!is.null(strata)) paste0(" + strata(", strata, ")"))
  left <- if (entry) "Surv(entry, exit, event > 0)" else "Surv(exit, event > 0)"
  robust <- cluster || weight
  extra <- paste0("", if (weight) ", weights = weight", if (cluster) ", cluster = cluster",
                  if (weight && !cluster) ", cluster = seq_len(nrow(d))")
  f <- eval(parse(text = sprintf("coxph(%s ~ %s, d, ties = '%s', control = tight%s)", left, right,
                                 if (robust) "breslow" else "exact", extra)))
  list(set = set, by = by, strata = strata, entry = entry, cluster = cluster, weight = weight,
       statistic = if (robust) f$rscore else f$score)
}
score_cases <- list(score("heart", "transplant"), score("heart", "transplant", "surgery"), score("flchain", "sex"),
                    score("heart", "transplant", cluster = TRUE), score("heart", "transplant", "surgery", cluster = TRUE),
                    score("heart", "surgery", weight = TRUE), score("flchain", "sex", weight = TRUE, cluster = TRUE),
                    score("lung", "ecog", cluster = TRUE, entry = FALSE), score("veteran", "cell", "trt", weight = TRUE, entry = FALSE))

# Restricted means: Greenwood by survfit's print, infinitesimal jackknife from survfit's influence.
restricted <- function(set, by, tau, entry = FALSE) {
  d <- sets[[set]]
  left <- if (entry) "Surv(entry, exit, event > 0)" else "Surv(exit, event > 0)"
  f <- survfit(as.formula(paste(left, "~", by)), d)
  m <- summary(f, rmean = tau)$table
  list(set = set, by = by, tau = tau, entry = entry, group = sub(".*=", "", rownames(m)), mean = unname(m[, "rmean"]),
       se = unname(m[, "se(rmean)"]))
}
robust_mean <- function(set, tau, entry = FALSE, cluster = FALSE) {
  d <- sets[[set]]; d$unit <- if (cluster) d$cluster else seq_len(nrow(d))
  left <- if (entry) "Surv(entry, exit, event > 0)" else "Surv(exit, event > 0)"
  f <- eval(parse(text = sprintf("survfit(%s ~ 1, d, weights = weight, cluster = unit, influence = 1)", left)))
  inside <- f$time < tau
  width <- diff(c(f$time[inside], tau))
  moved <- f$influence.surv[, inside, drop = FALSE] %*% width
  start <- c(0, f$time[inside]); level <- c(1, f$surv[inside])
  list(set = set, tau = tau, entry = entry, cluster = cluster, mean = sum(level * diff(c(start, tau))), se = sqrt(sum(moved^2)))
}
mean_cases <- list(restricted("lung", "sex", 365), restricted("veteran", "cell", 180), restricted("heart", "transplant", 600, TRUE),
                   restricted("transplant", "sex", 1000))
robust_means <- list(robust_mean("lung", 365), robust_mean("lung", 365, cluster = TRUE), robust_mean("veteran", 180, cluster = TRUE),
                     robust_mean("heart", 600, entry = TRUE, cluster = TRUE))

write_json(list(sets = lapply(sets, as.list), survival = survival_cases, hazard = hazard_cases, incidence = incidence_cases,
                aalen = aalen_cases, gray = gray_cases, logrank = logrank_cases, score = score_cases, means = mean_cases,
                robust_means = robust_means),
           "survival_curves.json", digits = NA, auto_unbox = TRUE, na = "null", null = "null", matrix = "rowmajor")

# Writes fine_gray.json: models of a subdistribution on public data sets of the R package survival and on a seeded
# synthetic one: survival::finegray with coxph (late entry, weights, clusters, strata) and cmprsk::crr.
# Made with R 4.2.2, survival 3.5-3, cmprsk 2.2-11, jsonlite 1.8.4. Run from this folder: Rscript fine_gray.R
suppressMessages({library(jsonlite); library(survival); library(cmprsk)})
tight <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 100, timefix = FALSE)
weigh <- function(n) 0.5 + (seq_len(n) %% 5) / 3
mgus2 <- survival::mgus2[seq(1, nrow(survival::mgus2), by = 3), ]
mgus2 <- with(mgus2, {
  time <- ifelse(pstat == 1, ptime, futime)
  data.frame(entry = age * 12, exit = age * 12 + time, time, event = ifelse(pstat == 1, 1, 2 * death),
             sex = as.integer(sex == "M"), mspike, hgb, cluster = age)
})
mgus2 <- mgus2[mgus2$time > 0 & complete.cases(mgus2), ]
pbc <- with(survival::pbc, data.frame(entry = floor(age * 365.25), exit = floor(age * 365.25) + time, time, event = status,
                                      sex = as.integer(sex == "f"), bili = log(bili), albumin, stage, cluster = floor(age)))
pbc <- pbc[!is.na(pbc$stage), ]
transplant <- survival::transplant; transplant <- transplant[!is.na(transplant$age), ]
transplant <- with(transplant, data.frame(time = pmax(futime, 1), event = as.integer(event) - 1, age, sex = as.integer(sex == "f"),
                                          group = as.character(abo), cluster = year))
set.seed(21); n <- 300
ties <- data.frame(entry = sample(0:5, n, TRUE, c(6, 1, 1, 1, 1, 1)), a = round(rnorm(n), 3), b = rbinom(n, 1, .4),
                   group = sample(c("x", "y"), n, TRUE), cluster = sample(1:30, n, TRUE))
ties$time <- sample(2:12, n, TRUE); ties$exit <- ties$entry + ties$time
ties$event <- ifelse(runif(n) < .3, 0, ifelse(runif(n) < plogis(.4 * ties$a - .5 * ties$b), 1, 2))
sets <- lapply(list(mgus2 = mgus2, pbc = pbc, transplant = transplant, ties = ties), function(d) {
  d$weight <- weigh(nrow(d)); d$id <- seq_len(nrow(d)); rownames(d) <- NULL; d })
thin <- function(size, most = 12) sort(unique(round(seq(1, size, length.out = most))))

case <- function(set, x, cause = 1, ties = "efron", entry = FALSE, weight = FALSE, cluster = FALSE, strata = NULL, curves = FALSE) {
  d <- sets[[set]]; d$state <- factor(d$event)
  left <- if (entry) "Surv(entry, exit, state)" else "Surv(time, state)"
  right <- paste(c(".", if (!is.null(strata)) sprintf("strata(%s)", strata)), collapse = " + ")
  # The stratum's column is taken away by finegray: a copy stays.
  if (!is.null(strata)) d$layer <- d[[strata]]
  keep <- c("entry", "exit", "time", "state", "id", "cluster", "weight", x, strata, "layer")
  d <- d[, intersect(keep, names(d))]
  drop <- setdiff(c("entry", "exit", "time"), if (entry) c("entry", "exit") else "time")
  d <- d[, setdiff(names(d), drop)]
  expanded <- eval(parse(text = sprintf("finegray(%s ~ %s, d, etype = '%s', id = id%s)", left, right, cause, if (weight) ", weights = weight" else "")))
  expanded$person <- expanded$id
  if (weight && !is.null(strata)) {
    # In this version the weights of a stratum's rows are read from the top of the table: they are multiplied here instead.
    alone <- eval(parse(text = sprintf("finegray(%s ~ %s, d, etype = '%s', id = id)", left, right, cause)))
    stopifnot(all.equal(alone$id, expanded$id), !isTRUE(all.equal(alone$fgwt * alone$weight, expanded$fgwt)))
    expanded$fgwt <- alone$fgwt * alone$weight
  }
  stopifnot(!anyNA(expanded$fgwt))
  right <- paste(c(x, if (!is.null(strata)) "strata(layer)"), collapse = " + ")
  f <- eval(parse(text = sprintf("coxph(Surv(fgstart, fgstop, fgstatus) ~ %s, expanded, weights = fgwt, cluster = %s, ties = '%s', control = tight, model = TRUE)",
                                 right, if (cluster) "cluster" else "person", ties)))
  found <- list(set = set, x = x, cause = cause, method = "finegray", ties = ties, entry = entry, weight = weight, cluster = cluster,
                strata = strata, coef = unname(f$coefficients), se = unname(sqrt(diag(f$var))), naive = unname(sqrt(diag(f$naive.var))),
                wald = unname(f$wald.test), rscore = f$rscore, loglik = f$loglik)
  if (curves) {
    profiles <- rbind(as.data.frame(lapply(setNames(nm = x), function(name) quantile(d[[name]], .5, type = 1, names = FALSE))),
                      as.data.frame(lapply(setNames(nm = x), function(name) max(d[[name]]))))
    s <- survfit(f, newdata = profiles, conf.type = "log-log"); at <- thin(length(s$time))
    found$profiles <- profiles
    found$curves <- list(time = s$time[at], incidence = 1 - unname(s$surv[at, ]), se = unname(s$std.err[at, ] * s$surv[at, ]),
                         low = 1 - unname(s$upper[at, ]), high = 1 - unname(s$lower[at, ]))
  }
  found
}
own <- function(set, x, cause = 1) {
  d <- sets[[set]]
  # Its line search ends where rounding begins: one more Newton step, with its own score and information.
  first <- crr(d$time, d$event, as.matrix(d[x]), failcode = cause, gtol = 1e-12, maxiter = 100)
  f <- crr(d$time, d$event, as.matrix(d[x]), failcode = cause, maxiter = 0, init = first$coef + solve(first$inf, first$score))
  stopifnot(max(abs(solve(f$inf, f$score))) < 1e-12)
  profile <- vapply(x, function(name) as.numeric(quantile(d[[name]], .5, type = 1)), 1)
  p <- predict(f, cov1 = matrix(profile, 1)); at <- thin(nrow(p))
  list(set = set, x = x, cause = cause, method = "crr", ties = "breslow", entry = FALSE, weight = FALSE, cluster = FALSE, strata = NULL,
       coef = unname(f$coef), se = unname(sqrt(diag(f$var))), loglik = c(f$loglik.null, f$loglik), profile = unname(profile),
       times = p[at, 1], incidence = p[at, 2])
}
cases <- list(
  case("mgus2", c("sex", "mspike", "hgb"), curves = TRUE), case("mgus2", c("sex", "mspike"), entry = TRUE, curves = TRUE),
  case("mgus2", c("sex", "hgb"), cause = 2, entry = TRUE, weight = TRUE, cluster = TRUE),
  case("mgus2", c("mspike", "hgb"), strata = "sex", ties = "breslow"),
  case("pbc", c("bili", "albumin", "sex"), cause = 2, entry = TRUE, curves = TRUE), case("pbc", c("bili", "albumin"), cause = 1, cluster = TRUE),
  case("mgus2", c("mspike", "hgb"), cause = 2, entry = TRUE, cluster = TRUE, strata = "sex"),
  case("transplant", c("age", "sex"), cause = 2), case("transplant", c("age", "sex"), cause = 1, weight = TRUE, strata = "group"),
  case("ties", c("a", "b"), curves = TRUE), case("ties", c("a", "b"), entry = TRUE, curves = TRUE), case("ties", c("a", "b"), ties = "breslow", entry = TRUE),
  case("ties", c("a", "b"), entry = TRUE, weight = TRUE), case("ties", c("a", "b"), entry = TRUE, cluster = TRUE),
  case("ties", c("a", "b"), entry = TRUE, strata = "group"), case("ties", c("a", "b"), weight = TRUE, cluster = TRUE, strata = "group", entry = TRUE))
crrs <- list(own("mgus2", c("sex", "mspike", "hgb")), own("mgus2", c("sex", "hgb"), 2), own("pbc", c("bili", "albumin", "sex"), 2),
             own("transplant", c("age", "sex"), 2), own("ties", c("a", "b")))
write_json(list(sets = lapply(sets, as.list), finegray = cases, crr = crrs), "fine_gray.json", digits = NA, auto_unbox = TRUE,
           na = "null", null = "null", matrix = "rowmajor")

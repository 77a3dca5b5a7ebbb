# Crude probabilities of death and the test between net survival curves: reference numbers for epi.survival.crude_death
# and epi.survival.net_comparison.
#
# Data: the files net_survival_*.csv.gz that net_survival.R writes (colrec and rdata of relsurv, mgus2 of survival) and
# the population table slopop. Written:
# - relsurv's cmp.rel, in all and by age group at day 65 x 365.25: estimates and variances of both causes, on days
#   asked for. Its grid is every day by default.
# - `ignores_entry`: cmp.rel and rs.diff give the same with entry times as without.
# - `last`: the variance cmp.rel gives for the disease on the last day of follow-up, on which it divides by observed
#   survival: not a number in mgus2, where everybody at risk dies. cmp.rel itself stops there, so that its steps are
#   called one by one (its own kernel, with its own grid).
# - relsurv's rs.diff (Graffeo, Castell, Belot and Giorgi 2016): two groups, three groups, two groups within strata; on
#   its default grid of every day, and on grids of a quarter and an eighth of a day (`fine`), whose scores, taken to a
#   grid without width (twice the finer less the coarser), are what is estimated here.
# Rscript tests/oracle/crude_death.R
suppressMessages({library(survival); library(relsurv); library(jsonlite)})
data(slopop)
# Both cut a day in two where a birthday (a multiple of 365.241 days) falls within it. Here a day takes the cell of its
# beginning: the same table with birthdays at the beginning of the next day says the same, `as_is` tells the difference.
whole <- slopop
attr(whole, "cutpoints")[[1]] <- ceiling(attr(slopop, "cutpoints")[[1]])
read <- function(name) {
  d <- read.csv(gzfile(sprintf("tests/oracle/net_survival_%s.csv.gz", name)))
  d$sex <- as.integer(factor(d$sex, levels = c("1", "2")))
  d$date <- as.Date(d$diag, origin = "1970-01-01")
  d$old <- as.integer(d$age > 65 * 365.25)
  d$band <- findInterval(d$age, c(60, 70) * 365.25, left.open = TRUE)
  d
}
crude <- function(d, times, table = whole) {
  form <- relsurv:::rformulate(Surv(time, stat) ~ 1, data = d, ratetable = table,
                               rmap = quote(list(age = age, sex = sex, year = date)))
  grid <- sort(unique(union(form$Y, as.numeric(seq(1, max(form$Y), by = 1)))))
  f <- relsurv:::exp.prep(form$R, form$Y, form$ratetable, form$status, times = grid, fast = TRUE, cmp = TRUE)
  told <- !is.nan(f$ve[length(grid)])
  if (told) {
    said <- cmp.rel(Surv(time, stat) ~ 1, data = d, ratetable = table, rmap = list(age = age, sex = sex, year = date))
    stopifnot(identical(said$causeSpec$est[-1], f$cumince), identical(said$population$var[-1], f$vp))
  }
  at <- sapply(times, function(x) max(which(grid <= x)))
  list(disease = f$cumince[at], population = f$cumincp[at], disease_variance = f$ve[at],
       population_variance = f$vp[at], last = if (told) "a number" else "not a number")
}
compare <- function(formula, d, table = whole, precision = 1) {
  f <- suppressWarnings(rs.diff(formula, data = d, ratetable = table, precision = precision,
                                rmap = list(age = age, sex = sex, year = date)))
  list(statistic = as.numeric(f$test.stat), df = f$df, p = as.numeric(f$p.value), score = as.numeric(f$zh),
       covariance = as.numeric(f$covmat))
}
fine <- function(formula, d) {
  quarter <- compare(formula, d, precision = 1 / 4); eighth <- compare(formula, d, precision = 1 / 8)
  score <- 2 * eighth$score - quarter$score
  covariance <- matrix(eighth$covariance, length(score))
  list(score = score, statistic = as.numeric(score %*% solve(covariance) %*% score))
}
sets <- list(colrec = c(10, 365, 521, 1000, 1826, 3000, 3652, 5478), rdata = c(30, 365, 1000, 1826, 3000, 4000),
             mgus2 = c(100, 365, 1000, 1826, 3652, 5000))
results <- list()
for (name in names(sets)) {
  d <- read(name); times <- sets[[name]]
  results[[name]] <- list(
    times = times,
    crude = list(all = crude(d, times), young = crude(d[d$old == 0, ], times), old = crude(d[d$old == 1, ], times), as_is = crude(d, times, slopop)),
    tests = list(old = compare(Surv(time, stat) ~ old, d), as_is = compare(Surv(time, stat) ~ old, d, slopop),
                 band = compare(Surv(time, stat) ~ band, d), sex = compare(Surv(time, stat) ~ sex, d),
                 sex_within_old = compare(Surv(time, stat) ~ sex + strata(old), d)),
    fine = list(old = fine(Surv(time, stat) ~ old, d), band = fine(Surv(time, stat) ~ band, d),
                sex = fine(Surv(time, stat) ~ sex, d),
                sex_within_old = fine(Surv(time, stat) ~ sex + strata(old), d)))
}
d <- read("rdata")
d$entry <- pmin(200, d$time - 1)
ignores <- function(run) isTRUE(all.equal(run(Surv(entry, time, stat) ~ sex), run(Surv(time, stat) ~ sex),
                                          tolerance = 0))
out <- list(
  source = paste("relsurv", packageVersion("relsurv"), "survival", packageVersion("survival"), R.version.string),
  ignores_entry = ignores(function(f) compare(f, d)) && ignores(function(f) cmp.rel(f, data = d, ratetable = slopop,
    rmap = list(age = age, sex = sex, year = date))[[1]]$est),
  results = results)
write_json(out, "tests/oracle/crude_death.json", digits = NA, auto_unbox = TRUE)

# Excess hazard regression: reference numbers for epi.survival.excess_hazard.
#
# Data: colrec and rdata with slopop (package relsurv), mgus2 of package survival set against slopop: the csv files of
# net_survival.R. rsadd maximises the likelihood of Esteve et al. (1990), baseline constant within bands of 365.241 days.
# The hazard at a death is that of the day which begins at it. `expected` is the part of the likelihood without parameter.
# Rscript tests/oracle/excess_hazard.R
suppressMessages({library(relsurv); library(jsonlite)})
data(slopop)
read <- function(name) {
  d <- read.csv(gzfile(sprintf("tests/oracle/net_survival_%s.csv.gz", name)))
  d$diag <- as.Date(d$diag, origin = "1970-01-01"); d$old <- as.integer(d$age > 65 * 365.25)
  d$decade <- (as.numeric(format(d$diag, "%Y")) - 1990) / 10; d$female <- as.integer(d$sex == 2)
  d[d$time > 0, ]
}
seen <- NULL
invisible(trace(relsurv:::lik.fit, quote(assign("seen", data, envir = globalenv())),
                where = asNamespace("relsurv"), print = FALSE))
fit <- function(d, int, formula) {
  f <- rsadd(formula, data = d, ratetable = slopop, rmap = list(age = age, sex = sex, year = diag), int = int,
             method = "max.lik", epsilon = 1e-12, maxit = 200)
  list(int = int, coef = unname(f$coef), se = unname(sqrt(diag(f$var))), loglik = f$loglik[2],
       expected = sum(seen$ds))
}
out <- list(
  source = paste("relsurv", packageVersion("relsurv"), R.version.string),
  results = list(
    colrec = fit(read("colrec"), c(0, 1, 2, 5), Surv(time, stat) ~ old + female + decade),
    rdata = fit(read("rdata"), c(0, 1, 3, 6), Surv(time, stat) ~ old + female),
    mgus2 = fit(read("mgus2"), c(0, 1, 5), Surv(time, stat) ~ old + female)))
write_json(out, "tests/oracle/excess_hazard.json", digits = NA, auto_unbox = TRUE)

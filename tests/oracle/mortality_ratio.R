# Deaths observed and expected: reference numbers for epi.survival.mortality_ratio.
#
# Data: the files net_survival_*.csv.gz that net_survival.R writes (colrec and rdata of relsurv, mgus2 of survival) and the
# population table slopop. Expected deaths: survival's pyears with the table, by sex, birthdays on the whole day after
# them, as a day takes the cell of its beginning here. Late entry: rows begin on day `entry` of follow-up, age and date with
# them; pyears is told so by hand. Limits: poisson.test. Weights and clusters: the score of log(expected) in a Poisson
# model, sandwich's vcovCL without corrections.
# Rscript tests/oracle/mortality_ratio.R
suppressMessages({library(survival); library(relsurv); library(jsonlite); library(sandwich)})
data(slopop)
whole <- slopop
cut <- attr(whole, "cutpoints")
cut[[1]] <- ceiling(cut[[1]])
attr(whole, "cutpoints") <- cut
expected <- function(d) {
  each <- d; each$row <- seq_len(nrow(d))
  p <- pyears(Surv(time - entry, stat) ~ row, data = each, ratetable = whole, scale = 1,
              rmap = list(age = age + entry, sex = sex, year = diag + entry))
  as.vector(p$expected)
}
one <- function(name) {
  d <- read.csv(gzfile(sprintf("tests/oracle/net_survival_%s.csv.gz", name)))
  d$diag <- as.Date(d$diag, origin = "1970-01-01")
  d <- d[d$time > 0, ]
  i <- seq_len(nrow(d))
  ways <- list()
  for (late in c(FALSE, TRUE)) {
    d$entry <- if (late) pmin((i * 7919) %% 500, d$time - 1) else 0
    d$e <- expected(d); d$w <- 1 + i %% 3; d$c <- i %% 40
    for (s in 1:2) {
      k <- d[d$sex == s, ]
      t <- poisson.test(sum(k$stat), sum(k$e))
      f <- glm(stat ~ 1, offset = log(e), family = poisson, data = k, control = list(epsilon = 1e-14))
      fw <- suppressWarnings(glm(stat ~ 1, offset = log(e), family = poisson, data = k, weights = w, control = list(epsilon = 1e-14)))
      ways[[length(ways) + 1]] <- list(late = late, sex = s, persons = nrow(k), observed = sum(k$stat), expected = sum(k$e),
        smr = unname(t$estimate), limits = as.vector(t$conf.int),
        clusters = sqrt(vcovCL(f, cluster = k$c, type = "HC0", cadjust = FALSE)[1]),
        weighted = list(smr = unname(exp(coef(fw))), se = sqrt(vcovCL(fw, cluster = seq_len(nrow(k)), type = "HC0", cadjust = FALSE)[1]),
                        both = sqrt(vcovCL(fw, cluster = k$c, type = "HC0", cadjust = FALSE)[1])))
    }
  }
  ways
}
out <- list(source = paste("survival", packageVersion("survival"), "relsurv", packageVersion("relsurv"), "sandwich",
                           packageVersion("sandwich"), R.version.string),
            results = sapply(c("colrec", "rdata", "mgus2"), one, simplify = FALSE))
write_json(out, "tests/oracle/mortality_ratio.json", digits = NA, auto_unbox = TRUE)

# Writes stats_intervals.json: intervals, q-values, standardised rates and standardised differences.
# Made with R 4.2.2 (stats, jsonlite 1.8.4). Run from this folder: Rscript stats_intervals.R
library(jsonlite)

counts <- c(0, 1, 2, 5, 10, 11, 27, 100, 541, 6022)
poisson <- lapply(counts, function(x) lapply(c(0.90, 0.95, 0.99), function(level) {
  # poisson.test gives the Garwood limits through qgamma.
  ci <- poisson.test(x, conf.level = level)$conf.int
  list(count = x, level = level, low = ci[1], high = ci[2])
}))
sir <- lapply(list(c(100, 54.07), c(0, 3.2), c(7, 12.5), c(1199, 1250.25)), function(v) {
  ci <- poisson.test(v[1], T = v[2])$conf.int
  list(observed = v[1], expected = v[2], sir = v[1] / v[2], low = ci[1], high = ci[2])
})
pairs <- list(c(0, 10), c(10, 10), c(1, 11), c(6022, 26767), c(5429, 6387), c(19223, 22073), c(3, 7))
proportions <- lapply(pairs, function(v) lapply(c(0.90, 0.95, 0.99), function(level) {
  exact <- binom.test(v[1], v[2], conf.level = level)$conf.int
  wilson <- suppressWarnings(prop.test(v[1], v[2], conf.level = level, correct = FALSE))$conf.int
  list(count = v[1], of = v[2], level = level, exact = as.numeric(exact), wilson = as.numeric(wilson))
}))
p <- c(0.001, 0.8, 0.04, 0.039, 0.2, 1e-9, 0.04, 1, 0.5, 0.013, 0.0499)
adjusted <- list(p = p, BH = p.adjust(p, "BH"), BY = p.adjust(p, "BY"))

# Fay and Feuer (1997), the formula of epitools::ageadjust.direct.
adjust_direct <- function(count, pop, stdpop, level = 0.95) {
  alpha <- 1 - level
  rate <- count / pop; w <- stdpop / sum(stdpop)
  dsr <- sum(w * rate); v <- sum(w^2 * count / pop^2); wm <- max(w / pop)
  list(count = count, pop = pop, standard = stdpop, rate = dsr,
       low = qgamma(alpha / 2, shape = dsr^2 / v, scale = v / dsr),
       high = qgamma(1 - alpha / 2, shape = (dsr + wm)^2 / (v + wm^2), scale = (v + wm^2) / (dsr + wm)))
}
direct <- list(
  adjust_direct(c(107, 141, 60, 40, 39, 25), c(230061, 329449, 114920, 39487, 14208, 3052),
                c(63986.6, 186263.6, 157302.2, 97647, 47572.6, 12262.6)),
  adjust_direct(c(0, 3, 12, 30), c(50000, 40000, 30000, 9000), c(40, 30, 20, 10))
)

# Standardised differences by their definitions (base R, no package).
set.seed(11)
a <- rnorm(60, 50, 9); b <- rnorm(85, 47, 12); wa <- runif(60, 0.2, 3); wb <- runif(85, 0.2, 3)
wvar <- function(x, w) { m <- sum(w * x) / sum(w); sum(w) / (sum(w)^2 - sum(w^2)) * sum(w * (x - m)^2) }
wmean <- function(x, w) sum(w * x) / sum(w)
ba <- rbinom(60, 1, 0.4); bb <- rbinom(85, 1, 0.55)
sdb <- function(p, q) (p - q) / sqrt((p * (1 - p) + q * (1 - q)) / 2)
ca <- sample(c("north", "south", "east", "west"), 60, TRUE, c(4, 3, 2, 1))
cb <- sample(c("north", "south", "east", "west"), 85, TRUE, c(1, 2, 3, 3))
yd <- function(ca, cb, wa = rep(1, length(ca)), wb = rep(1, length(cb))) {
  lev <- sort(unique(c(ca, cb)))
  p <- sapply(lev, function(l) sum(wa[ca == l]) / sum(wa))[-1]
  q <- sapply(lev, function(l) sum(wb[cb == l]) / sum(wb))[-1]
  S <- ((diag(p) - p %*% t(p)) + (diag(q) - q %*% t(q))) / 2
  sqrt(as.numeric(t(p - q) %*% solve(S) %*% (p - q)))
}
smd <- list(
  a = a, b = b, wa = wa, wb = wb, ba = ba, bb = bb, ca = ca, cb = cb,
  continuous = (mean(a) - mean(b)) / sqrt((var(a) + var(b)) / 2),
  continuous_weighted = (wmean(a, wa) - wmean(b, wb)) / sqrt((wvar(a, wa) + wvar(b, wb)) / 2),
  binary = sdb(mean(ba), mean(bb)), binary_weighted = sdb(wmean(ba, wa), wmean(bb, wb)),
  categorical = yd(ca, cb), categorical_weighted = yd(ca, cb, wa, wb)
)
write_json(list(R = R.version.string, poisson = unlist(poisson, FALSE), sir = sir,
                proportions = unlist(proportions, FALSE), adjusted = adjusted, direct = direct, smd = smd),
           "stats_intervals.json", digits = NA, auto_unbox = TRUE, pretty = FALSE)

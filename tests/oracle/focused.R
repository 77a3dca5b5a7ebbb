# Writes focused.json: tests of raised risk near a source, written out plainly from their definitions in base R.
# Made with R 4.2.2, spData 2.2.1, jsonlite 1.8.4. Run from this folder: EPI_OPEN_DATA=... Rscript focused.R
# Data: spData::nc.sids (CC0), source: a point 30 km east of the centre of Scotland county; Chorley-Ribble cancers from the open data
# (external_checks/chorley_points.csv.gz), of which only estimates are written.
suppressMessages({library(jsonlite); library(spData)})
data(nc.sids, package = "spData")
deaths <- nc.sids$SID74; expected <- nc.sids$BIR74 * sum(deaths) / sum(nc.sids$BIR74)
source_at <- which(rownames(nc.sids) == "Scotland")
distance <- sqrt((nc.sids$x - nc.sids$x[source_at] - 30)^2 + (nc.sids$y - nc.sids$y[source_at])^2)
order_by <- order(distance); o <- deaths[order_by]; e <- expected[order_by]; n <- length(o)
# Isotonic regression by the max-min formula: the least over u <= i of the largest average from u to any v >= i.
sums_o <- c(0, cumsum(o)); sums_e <- c(0, cumsum(e))
average <- outer(1:n, 1:n, function(u, v) (sums_o[v + 1] - sums_o[u]) / (sums_e[v + 1] - sums_e[u]))
ratio <- sapply(1:n, function(i) min(sapply(1:i, function(u) max(average[u, i:n]))))
likelihood <- function(o, mean) sum(dpois(o, mean, log = TRUE))
stone <- list(log_likelihood_ratio = likelihood(o[ratio > 0], (ratio * e)[ratio > 0]) - likelihood(o, e),
              maximum = max(cumsum(o) / cumsum(e)))
half <- e * 0.8
stone$unconditional <- likelihood(o, ratio / 0.8 * half) - likelihood(o, half)
near <- 1 / (1 + distance[order_by] / 10)
share <- e / sum(e)
score <- list(statistic = sum(near * (o - e)), variance_poisson = sum(near^2 * e),
              variance = sum(o) * (sum(near^2 * share) - sum(near * share)^2))
# Skewness of a sum of independent draws of exposure, one a case.
third <- sum(share * (near - sum(near * share))^3)
score$skewness <- sum(o) * third / score$variance^1.5
fit <- function(less, start) {
  found <- optim(start, less, method = "Nelder-Mead", control = list(reltol = 1e-15, maxit = 20000))
  optim(found$par, less, method = "BFGS", control = list(reltol = 1e-16, maxit = 2000))
}
less_counts <- function(t) -likelihood(o, exp(t[1]) * e * (1 + exp(t[2]) * exp(-(distance[order_by] / exp(t[3]))^2)))
found <- fit(less_counts, c(0, log(2), log(50)))
counts <- list(level = exp(found$par[1]), alpha = exp(found$par[2]), beta = exp(found$par[3]),
               log_likelihood_ratio = -found$value - likelihood(o, e))
folder <- file.path(Sys.getenv("EPI_OPEN_DATA"), "external_checks")
points <- read.csv(file.path(folder, "chorley_points.csv.gz")); incinerator <- read.csv(file.path(folder, "chorley_incinerator.csv.gz"))
away <- sqrt((points$x_km - incinerator$x_km)^2 + (points$y_km - incinerator$y_km)^2); case <- points$type == "larynx"
less_points <- function(t) {
  odds <- exp(t[1]) * (1 + exp(t[2]) * exp(-(away / exp(t[3]))^2))
  -sum(dbinom(case, 1, odds / (1 + odds), log = TRUE))
}
found <- fit(less_points, c(log(0.05), log(20), 0))
chorley <- list(level = exp(found$par[1]), alpha = exp(found$par[2]), beta_km = exp(found$par[3]),
                log_likelihood_ratio = -found$value - sum(dbinom(case, 1, mean(case), log = TRUE)))
write_json(list(name = rownames(nc.sids)[order_by], distance = distance[order_by], observed = o, expected = e,
                ratio = ratio, stone = stone, score = score, counts = counts, chorley = chorley),
           "focused.json", digits = NA, auto_unbox = TRUE)

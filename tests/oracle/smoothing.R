# Writes smoothing.json: empirical Bayes ratios, tests of overdispersion, standardisation, counts by area.
# Made with R 4.2.2, spdep 1.2-7, MASS 7.3-58.2, epitools 0.5-10.1, Epi 2.47, jsonlite 1.8.4.
# Run from this folder: Rscript smoothing.R
# DCluster is not packaged for every system: its moment, log-normal and Potthoff-Whittinghill estimates are written
# out here from Clayton and Kaldor (Biometrics 1987) and Potthoff and Whittinghill (Biometrika 1966), iterated to the end.
suppressMessages({library(jsonlite); library(spdep); library(MASS); library(epitools); library(spData)})
tight <- glm.control(epsilon = 1e-15, maxit = 200)

scotland <- fromJSON("scotland_lip_cancer.json")
y <- scotland$observed; e <- scotland$expected

negative_binomial <- function(formula, data) {
  m <- glm.nb(formula, data, control = glm.control(epsilon = 1e-14, maxit = 500))
  # Turns of theta and coefficients until neither moves: glm.nb stops when the likelihood hardly does.
  for (turn in 1:200) {
    theta <- theta.ml(m$y, fitted(m), limit = 200, eps = 1e-14)
    fit <- glm(formula, negative.binomial(as.numeric(theta)), data, control = tight, start = coef(m))
    moved <- abs(as.numeric(theta) - as.numeric(m$theta)) / as.numeric(theta)
    m <- c(fit, list(theta = as.numeric(theta))); class(m) <- class(fit)
    if (moved < 1e-13) break
  }
  m
}
frame <- data.frame(y = y, e = e, x = scotland$aff_percent / 10)
nb <- negative_binomial(y ~ 1 + offset(log(e)), frame)
alpha <- nb$theta; mu <- exp(coef(nb)[[1]])
shape <- alpha + y; rate <- alpha / mu + e
likelihood <- list(shape = alpha, rate = alpha / mu, rr = shape / rate, low = qgamma(.025, shape, rate),
                   high = qgamma(.975, shape, rate), above = pgamma(1.2, shape, rate, lower.tail = FALSE))

moments <- local({
  t <- y / e; m <- mean(t); v <- var(t)
  for (turn in 1:20000) {
    a <- m / v; t <- (y + m * a) / (e + a); m <- mean(t); v <- sum((1 + a / e) * (t - m)^2) / (length(y) - 1)
  }
  list(shape = m^2 / v, rate = m / v, rr = t)
})
lognormal <- local({
  b <- log((y + .5) / e); w <- y + .5; s <- var(b)
  raw <- b
  for (turn in 1:20000) {
    m <- mean(b); s <- (s * sum(1 / (1 + s * w)) + sum((b - m)^2)) / length(y)
    b <- (m + w * s * raw - s / 2) / (1 + w * s)
  }
  sd <- sqrt(s / (1 + s * w))
  list(mean = m, sd = sqrt(s), rr = exp(b), low = exp(b - qnorm(.975) * sd), high = exp(b + qnorm(.975) * sd))
})

# North Carolina: sudden infant deaths 1974-78 and births by county, spData (CC0); neighbours of Cressie and Read.
data(nc.sids)
sids <- list(county = rownames(nc.sids), deaths = nc.sids$SID74, births = nc.sids$BIR74,
             nonwhite = nc.sids$NWBIR74 / nc.sids$BIR74 * 10)
links <- do.call(rbind, lapply(seq_along(ncCR85.nb), function(i) cbind(i, ncCR85.nb[[i]])))
links <- links[links[, 2] > links[, 1], ]
global <- EBest(sids$deaths, sids$births)
own <- EBlocal(sids$deaths, sids$births, ncCR85.nb, geoda = TRUE)
each <- EBlocal(sids$deaths, sids$births, ncCR85.nb, geoda = FALSE)
parameters <- attr(own, "parameters")

# A constant risk: Pearson, Potthoff and Whittinghill, Dean (DCluster::achisq.stat, pottwhitt.stat, DeanB2).
dispersion <- function(y, e) {
  n <- sum(y); k <- length(y); m <- glm(y ~ 1 + offset(log(e)), family = poisson, control = tight)
  mu <- fitted(m); h <- hatvalues(m)
  chi <- sum((y - mu)^2 / mu); pw <- sum(e) * sum(y * (y - 1) / e); sd <- sqrt(2 * (k - 1) * n * (n - 1))
  dean <- sum((y - mu)^2 - y + h * mu) / sqrt(2 * sum(mu^2))
  list(pearson = c(chi, pchisq(chi, k - 1, lower.tail = FALSE)),
       potthoff = c(pw, pnorm(pw, n * (n - 1), sd, lower.tail = FALSE), n * (n - 1), sd),
       dean = c(dean, pnorm(dean, lower.tail = FALSE)))
}

# Standardisation: the example of epitools (Selvin 2001, cancer deaths of 1940 and 1960), and Epi's indirect ratio.
dth60 <- c(141, 926, 1253, 1080, 1869, 4891, 14956, 30888, 41725, 26501, 5928)
pop60 <- c(1784033, 7065148, 15658730, 10482916, 9939972, 10563872, 9114202, 6850263, 4702482, 1874619, 330915)
dth40 <- c(45, 201, 320, 670, 1126, 3160, 9723, 17935, 22179, 13461, 2238)
pop40 <- c(906897, 3794573, 10003544, 10629526, 9465330, 8249558, 7294330, 5022499, 2920220, 1019504, 142532)
direct <- ageadjust.direct(dth40, pop40, stdpop = pop60)
indirect <- ageadjust.indirect(count = dth40, pop = pop40, stdcount = dth60, stdpop = pop60)
few <- c(1, 0, 2, 5, 3, 8, 9, 20, 12, 6, 2)
sparse <- ageadjust.direct(few, pop40 / 100, stdpop = pop60)

glms <- list(
  poisson = { m <- glm(y ~ x + offset(log(e)), poisson, frame, control = tight); unname(c(coef(m), sqrt(diag(vcov(m))))) },
  negbin = { m <- negative_binomial(y ~ x + offset(log(e)), frame)
             list(theta = m$theta, coef = unname(coef(m)), se = unname(sqrt(diag(summary(m, dispersion = 1)$cov.scaled)))) })

write_json(list(R = R.version.string, likelihood = likelihood, moments = moments, lognormal = lognormal, sids = sids,
                links = list(first = links[, 1], second = links[, 2]),
                marshall = list(estimate = global$estmm, a = attr(global, "parameters")$a, b = attr(global, "parameters")$b),
                local_own = list(estimate = own$est, a = parameters$a, m = parameters$m), local_each = list(estimate = each$est),
                dispersion = list(scotland = dispersion(y, e), sids = dispersion(sids$deaths, sids$births)),
                standardisation = list(dth40 = dth40, pop40 = pop40, dth60 = dth60, pop60 = pop60, few = few,
                                       direct = direct, indirect = indirect, sparse = sparse), glms = glms),
           "smoothing.json", digits = NA, auto_unbox = TRUE, na = "null")

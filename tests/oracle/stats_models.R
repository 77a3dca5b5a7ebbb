# Writes stats_models.json: generalised linear models with cluster-robust standard errors.
# Made with R 4.2.2, sandwich 3.0-2, clubSandwich 0.5.8, MASS 7.3-58.2, splines 4.2.2, jsonlite 1.8.4.
# Run from this folder: Rscript stats_models.R
library(jsonlite); library(sandwich); library(clubSandwich); library(MASS); library(splines)

set.seed(20)
n <- 600
cluster <- sample(sprintf("%05d", 1001:1060), n, TRUE)
shared <- rnorm(60)[as.integer(factor(cluster))]
age <- round(runif(n, 20, 90), 2)
male <- rbinom(n, 1, 0.5)
pm25 <- round(9 + shared + rnorm(n, 0, 0.8), 3)
region <- sample(c("11", "24", "53"), n, TRUE)
case <- rbinom(n, 1, plogis(-1.2 + 0.4 * (pm25 - 9) + 0.3 * male + 0.02 * (age - 55) + 0.3 * shared))
d <- data.frame(case, age, male, pm25, region, cluster)

out <- function(m, cl = NULL, type = "HC0") {
  # glm keeps the weights of the step before its last: started at its own end, they are of the maximum.
  for (i in 1:3) m <- update(m, start = coef(m))
  se <- if (is.null(cl)) sqrt(diag(vcov(m))) else sqrt(diag(vcovCL(m, cluster = cl, type = type, cadjust = TRUE)))
  list(terms = names(coef(m)), coef = as.numeric(coef(m)), se = as.numeric(se)[seq_along(coef(m))])
}
tight <- glm.control(epsilon = 1e-15, maxit = 200)
logit_formula <- case ~ ns(age, 4) + male + region + pm25
logit <- glm(logit_formula, binomial, d, control = tight)
linear <- glm(case ~ age + male + pm25, binomial, d, control = tight)

k <- 120
expected <- round(runif(k, 5, 60), 3)
dep <- sprintf("%02d", rep(1:24, each = 5))
x <- round(rnorm(k), 4); z <- round(rnorm(k), 4)
observed <- rnbinom(k, mu = expected * exp(0.15 * x - 0.1 * z), size = 12)
areas <- data.frame(observed, expected, x, z, dep)
pois <- glm(observed ~ x + z + offset(log(expected)), poisson, areas, control = tight)
quasi <- glm(observed ~ x + z + offset(log(expected)), quasipoisson, areas, control = tight)
# theta's own stopping rule is looser than the comparison: it is polished by Newton steps.
nb <- glm.nb(observed ~ x + z + offset(log(expected)), areas, control = glm.control(epsilon = 1e-15, maxit = 500))
theta <- nb$theta
for (i in 1:50) {
  theta <- as.numeric(theta.ml(observed, fitted(nb), limit = 200, eps = 1e-14))
  nb <- glm(observed ~ x + z + offset(log(expected)), negative.binomial(theta), areas, control = tight)
}
nb_vcov <- summary(nb, dispersion = 1)$cov.scaled
u <- residuals(nb, "working") * weights(nb, "working") * model.matrix(nb)
s <- rowsum(u, areas$dep)
nb_cluster <- nb_vcov %*% crossprod(s) %*% nb_vcov * nrow(s) / (nrow(s) - 1)

# Bias-reduced linearisation, with a cluster that weighs a third of the rows.
# CR2 of the fit's last weighted least squares, rows whitened: there the symmetric root is unique. Handed the glm
# itself, clubSandwich takes the root of another matrix, whose result differs by about 1e-3.
whitened <- function(m) {
  for (i in 1:3) m <- update(m, start = coef(m))
  w <- weights(m, "working"); x <- model.matrix(m)
  y <- sqrt(w) * (x %*% coef(m) + residuals(m, "working"))
  list(fit = lm(y ~ 0 + z, list(y = as.numeric(y), z = sqrt(w) * x)), names = colnames(x))
}
cr2 <- function(m, cl) {
  white <- whitened(m)
  found <- coef_test(white$fit, vcov = vcovCR(white$fit, cluster = cl, type = "CR2"), test = "Satterthwaite")
  list(terms = white$names, coef = as.numeric(coef(white$fit)), se = found$SE, df = found$df)
}
heavy <- ifelse(seq_len(n) %% 3 == 0, "00000", cluster)

write_json(list(
  R = R.version.string,
  persons = d, areas = areas,
  logit = out(linear), logit_cluster = out(linear, d$cluster),
  heavy = heavy, logit_cr2 = cr2(linear, d$cluster), logit_cr2_heavy = cr2(linear, heavy),
  poisson_cr2 = cr2(pois, areas$dep), negbin_cr2 = cr2(nb, areas$dep),
  spline = out(logit), spline_cluster = out(logit, d$cluster),
  poisson = out(pois), poisson_cluster = out(pois, areas$dep),
  quasi = out(quasi), dispersion = summary(quasi)$dispersion,
  negbin = list(terms = names(coef(nb)), coef = as.numeric(coef(nb)), se = as.numeric(sqrt(diag(nb_vcov))),
                theta = theta, se_cluster = as.numeric(sqrt(diag(nb_cluster))))
), "stats_models.json", digits = NA, auto_unbox = TRUE, dataframe = "columns")

# Writes stats_models.json: generalised linear models with cluster-robust standard errors.
# Made with R 4.2.2, sandwich 3.0-2, MASS 7.3-58.2, splines 4.2.2, jsonlite 1.8.4.
# Run from this folder: Rscript stats_models.R
library(jsonlite); library(sandwich); library(MASS); library(splines)

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

write_json(list(
  R = R.version.string,
  persons = d, areas = areas,
  logit = out(linear), logit_cluster = out(linear, d$cluster),
  spline = out(logit), spline_cluster = out(logit, d$cluster),
  poisson = out(pois), poisson_cluster = out(pois, areas$dep),
  quasi = out(quasi), dispersion = summary(quasi)$dispersion,
  negbin = list(terms = names(coef(nb)), coef = as.numeric(coef(nb)), se = as.numeric(sqrt(diag(nb_vcov))),
                theta = theta, se_cluster = as.numeric(sqrt(diag(nb_cluster))))
), "stats_models.json", digits = NA, auto_unbox = TRUE, dataframe = "columns")

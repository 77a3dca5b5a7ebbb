# Writes shrinkage.json: elastic nets by glmnet, BIC of every subset of exposures by glm.
# Made with R 4.2.2, glmnet 4.1-6, jsonlite 1.8.4. Made-up data, drawn below.
# Run from this folder: Rscript shrinkage.R
suppressMessages({library(jsonlite); library(glmnet)})

set.seed(23)
n <- 400
x <- matrix(rnorm(n * 4), n); x[, 2] <- 0.8 * x[, 1] + 0.6 * x[, 2]
x <- round(x, 4); colnames(x) <- paste0("x", 1:4)
z <- round(rnorm(n), 4)
case <- rbinom(n, 1, plogis(-0.8 + 0.3 * z + 0.5 * x[, 1] + 0.25 * x[, 3]))
expected <- round(runif(n, 2, 12), 3)
count <- rnbinom(n, size = 8, mu = expected * exp(0.1 * z + 0.2 * x[, 1] - 0.1 * x[, 4]))
d <- data.frame(x, z, case, count, expected)

# glmnet makes the factors of the penalty sum to the number of columns: 4 of 5 are penalised here.
penalties <- c(0.1, 0.03, 0.005)
net <- function(y, family, offset, mix) {
  m <- glmnet(cbind(x, z), y, family, offset = offset, alpha = mix, lambda = penalties * 4 / 5,
    penalty.factor = c(1, 1, 1, 1, 0), standardize = FALSE, thresh = 1e-22, maxit = 1e7)
  list(mix = mix, kept = unname(t(as.matrix(rbind(m$a0, as.matrix(m$beta)["z", ])))),
    shrunk = unname(t(as.matrix(m$beta)[1:4, ])))
}
tight <- glm.control(epsilon = 1e-15, maxit = 100)
subsets <- as.matrix(expand.grid(rep(list(0:1), 4))) == 1
average <- function(outcome, family, offset, dispersed) {
  fits <- lapply(seq_len(16), function(i)
    glm(reformulate(c("z", colnames(x)[subsets[i, ]]), outcome), family, d, offset = offset, control = tight))
  full <- fits[[16]]
  phi <- if (dispersed) max(1, sum(residuals(full, "pearson")^2) / full$df.residual) else 1
  bic <- sapply(fits, deviance) / phi + log(n) * rowSums(subsets)
  weight <- exp(-(bic - min(bic)) / 2); weight <- weight / sum(weight)
  coefs <- t(sapply(fits, function(f) { b <- coef(f)[colnames(x)]; b[is.na(b)] <- 0; as.numeric(b) }))
  list(phi = phi, best = max(weight), inclusion = as.numeric(weight %*% subsets), averaged = as.numeric(weight %*% coefs))
}
write_json(list(
  R = R.version.string, data = d, penalties = penalties,
  binomial = lapply(c(1, 0.5, 0), function(mix) net(case, "binomial", NULL, mix)),
  poisson = lapply(c(1, 0.5, 0), function(mix) net(count, "poisson", log(expected), mix)),
  average_binomial = average("case", binomial, NULL, FALSE),
  average_poisson = average("count", poisson, log(d$expected), FALSE),
  average_dispersed = average("count", poisson, log(d$expected), TRUE)
), "shrinkage.json", digits = NA, auto_unbox = TRUE, dataframe = "columns")

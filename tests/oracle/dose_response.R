# Writes dose_response.json: restricted cubic splines, curves with pointwise limits, and tests of several terms.
# Made with R 4.2.2, clubSandwich 0.5.8, Hmisc 4.8-0, jsonlite 1.8.4.
# Run from this folder: Rscript dose_response.R
library(jsonlite); library(clubSandwich)

set.seed(11)
n <- 600
d <- data.frame(
  patient_id = sprintf("P%04d", sample(9999, n)), area = sprintf("%05d", 38001 + (rexp(n, 0.12) %/% 1)),
  age_at_index = round(runif(n, 18, 90), 2), nitrate = round(rgamma(n, 3, 0.15), 3))
d$case <- rbinom(n, 1, plogis(-1.2 + 0.06 * pmin(d$nitrate, 25) + 0.01 * (d$age_at_index - 50)))
tight <- glm.control(epsilon = 1e-15, maxit = 100)
knots <- as.numeric(quantile(d$nitrate, c(.05, .35, .65, .95)))
basis <- Hmisc::rcspline.eval(d$nitrate, knots = knots, inclx = TRUE, norm = 2)
x <- data.frame(x1 = basis[, 1], x2 = basis[, 2], x3 = basis[, 3], age = d$age_at_index)
fit <- glm(d$case ~ x1 + x2 + x3 + age, binomial, x, control = tight)
for (i in 1:3) fit <- update(fit, start = coef(fit))

# Rows whitened, as in stats_models.R, where the symmetric root is unique.
w <- weights(fit, "working"); m <- model.matrix(fit)
white <- lm(y ~ 0 + z, list(y = as.numeric(sqrt(w) * (m %*% coef(fit) + residuals(fit, "working"))), z = sqrt(w) * m))
v <- vcovCR(white, cluster = d$area, type = "CR2")
htz <- function(places) {
  found <- Wald_test(white, constraints = constrain_zero(places), vcov = v, test = "HTZ")
  list(f = found$Fstat, denominator = found$df_denom, p = found$p_val)
}
chi <- function(places) {
  b <- coef(fit)[places]; s <- as.numeric(b %*% solve(vcov(fit)[places, places], b))
  list(f = s / length(places), p = pchisq(s, length(places), lower.tail = FALSE))
}
at <- c(5, 12, 20, 35); reference <- median(d$nitrate)
rows <- cbind(0, Hmisc::rcspline.eval(at, knots = knots, inclx = TRUE, norm = 2) -
  Hmisc::rcspline.eval(rep(reference, 4), knots = knots, inclx = TRUE, norm = 2)[rep(1, 4), ], 0)
limits <- linear_contrast(white, vcov = v, contrasts = rows, test = "Satterthwaite", level = 0.95)
write_json(list(
  R = R.version.string, persons = d, knots = knots, basis = basis[1:20, ], at = at, reference = reference,
  log_ratio = as.numeric(rows %*% coef(fit)), se_model = sqrt(diag(rows %*% vcov(fit) %*% t(rows))),
  se = limits$SE, df = limits$df, low = limits$CI_L, high = limits$CI_U,
  overall = htz(2:4), bent = htz(3:4), overall_model = chi(2:4), bent_model = chi(3:4)
), "dose_response.json", digits = NA, auto_unbox = TRUE, dataframe = "columns")

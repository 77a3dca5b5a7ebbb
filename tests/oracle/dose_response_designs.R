# Writes dose_response_designs.json: curves of 3 to 5 knots, classes and trends of persons and of areas, by glm and clubSandwich.
# Made with R 4.2.2, Hmisc 4.8-0, clubSandwich 0.5.8, jsonlite 1.8.4. Made-up data, drawn below.
# Run from this folder: Rscript dose_response_designs.R
suppressMessages({library(jsonlite); library(clubSandwich); library(Hmisc)})

set.seed(11)
n <- 700
persons <- data.frame(
  patient_id = sprintf("P%04d", sample(9999, n)), age_at_index = round(runif(n, 18, 90), 2),
  area = sprintf("%02d", sample(1:14, n, TRUE, prob = (1:14)^1.5)))
persons$nitrate <- round(exp(rnorm(n, 2.5, 0.6) + as.numeric(persons$area) / 25), 3)
persons$case <- rbinom(n, 1, plogis(-1 + 0.01 * (persons$age_at_index - 50) + 0.6 * sin(persons$nitrate / 12)))
m <- 90
areas <- data.frame(area = sprintf("%03d", 0:(m - 1)), dep = sprintf("D%02d", rep(1:12, length.out = m)))
areas$nitrate <- round(exp(rnorm(m, 2.5, 0.6)), 3)
areas$density <- round(exp(rnorm(m, 4, 1)), 2)
areas$expected <- round(runif(m, 4, 30), 4)
areas$observed <- rpois(m, areas$expected * exp(0.25 * log(areas$nitrate / 12)))

tight <- glm.control(epsilon = 1e-15, maxit = 100)
percentiles <- list(`3` = c(.1, .5, .9), `4` = c(.05, .35, .65, .95), `5` = c(.05, .275, .5, .725, .95))
# CR2 of the fit's last weighted least squares, rows whitened: see association.R.
whitened <- function(m) {
  w <- weights(m, "working"); x <- model.matrix(m)
  y <- sqrt(w) * (x %*% coef(m) + residuals(m, "working"))
  lm(y ~ 0 + z, list(y = as.numeric(y), z = sqrt(w) * x))
}
# Started at its own end, three times: glm keeps the weights of the step before its last.
settled <- function(f, family, d) {
  m <- glm(f, family, d, control = tight)
  for (i in 1:3) m <- glm(f, family, d, control = tight, start = coef(m))
  m
}
chi <- function(m, at) {
  b <- coef(m)[at]; v <- vcov(m)[at, at]
  s <- as.numeric(t(b) %*% solve(v) %*% b); c(s, length(at), pchisq(s, length(at), lower.tail = FALSE))
}
htz <- function(white, v, at) {
  C <- diag(length(coef(white)))[at, , drop = FALSE]
  w <- Wald_test(white, constraints = C, vcov = v, test = "HTZ")
  c(w$Fstat, w$df_num, w$df_denom, w$p_val)
}
study <- function(d, outcome, family, adjust, base, cluster, k, offset = NULL) {
  d$off <- if (is.null(offset)) 0 else log(d[[offset]])
  knots <- quantile(base, percentiles[[as.character(k)]], names = FALSE); ref <- median(base)
  # Powers are nearly collinear: orthogonal columns of the same curves, the first one a line, keep R's digits.
  turned <- qr(scale(rcspline.eval(d$nitrate, knots = knots, inclx = TRUE, norm = 2), scale = FALSE))
  z <- qr.Q(turned)
  fit <- settled(reformulate(c("z", adjust, "offset(off)"), outcome), family, c(as.list(d), list(z = z)))
  at <- 2:k
  grid <- quantile(base, c(.05, .2, .7, .95), names = FALSE)
  away <- rcspline.eval(grid, knots = knots, inclx = TRUE, norm = 2) -
    rcspline.eval(rep(ref, 4), knots = knots, inclx = TRUE, norm = 2)
  C <- matrix(0, 4, length(coef(fit))); C[, at] <- away %*% solve(qr.R(turned))
  white <- whitened(fit); v <- vcovCR(white, cluster = d[[cluster]], type = "CR2")
  robust <- linear_contrast(white, vcov = v, contrasts = C, test = "Satterthwaite")
  # Classes hold their upper bound; the first is the reference; medians of the base score the trend.
  breaks <- quantile(base, c(.25, .5, .75), names = FALSE)
  cut4 <- function(x) cut(x, c(-Inf, breaks, Inf), labels = FALSE)
  medians <- as.numeric(tapply(base, cut4(base), median))
  d$class <- factor(cut4(d$nitrate)); d$score <- medians[cut4(d$nitrate)]
  classes <- settled(reformulate(c("class", adjust, "offset(off)"), outcome), family, d)
  trend <- settled(reformulate(c("score", adjust, "offset(off)"), outcome), family, d)
  by <- function(m) {
    w <- whitened(m); coef_test(w, vcov = vcovCR(w, cluster = d[[cluster]], type = "CR2"), test = "Satterthwaite")
  }
  robust_classes <- by(classes)[2:4, ]; robust_trend <- by(trend)[2, ]
  list(knots = knots, reference = ref, grid = grid,
    estimate = exp(as.numeric(C %*% coef(fit))), se_model = sqrt(diag(C %*% vcov(fit) %*% t(C))),
    se = robust$SE, df = robust$df, overall = htz(white, v, at), nonlinear = htz(white, v, at[-1]),
    overall_model = chi(fit, at), nonlinear_model = chi(fit, at[-1]),
    breaks = breaks, medians = medians, counts = as.numeric(tapply(d[[outcome]], d$class, sum)),
    classes = exp(coef(classes)[2:4]), classes_se_model = sqrt(diag(vcov(classes)))[2:4],
    classes_se = robust_classes$SE, classes_df = robust_classes$df,
    trend = coef(trend)[["score"]], trend_se_model = sqrt(diag(vcov(trend)))[["score"]],
    trend_se = robust_trend$SE, trend_df = robust_trend$df, trend_p = robust_trend$p_Satt)
}

write_json(list(
  R = R.version.string, persons = persons, areas = areas,
  case_control = lapply(c(`3` = 3, `4` = 4, `5` = 5), function(k)
    study(persons, "case", binomial, "age_at_index", persons$nitrate, "area", k)),
  areas_4 = study(areas, "observed", poisson, "log(density)", areas$nitrate, "dep", 4, "expected")
), "dose_response_designs.json", digits = NA, auto_unbox = TRUE, dataframe = "columns")

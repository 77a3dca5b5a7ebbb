# Writes association.json: indirect and direct standardisation, and a screen of exposures by glm.
# Made with R 4.2.2, clubSandwich 0.5.8, splines 4.2.2, jsonlite 1.8.4.
# Run from this folder: Rscript association.R
library(jsonlite); library(clubSandwich); library(splines)

set.seed(7)
cells <- expand.grid(area = sprintf("%03d", 1:12), sex = c("F", "M"), age_low = seq(0, 95, 5), stringsAsFactors = FALSE)
cells$persons <- rpois(nrow(cells), 900)
rate <- 2e-5 * exp(0.055 * cells$age_low) * ifelse(cells$sex == "M", 1.5, 1)
effect <- setNames(exp(rnorm(12, 0, 0.25)), unique(cells$area))
years <- 10
cells$observed <- rpois(nrow(cells), rate * years * cells$persons * effect[cells$area])
cells$py <- cells$persons * years
key <- paste(cells$sex, cells$age_low)
reference <- tapply(cells$observed, key, sum) / tapply(cells$py, key, sum)
cells$expected <- cells$py * reference[key]
areas <- data.frame(area = names(effect))
areas$observed <- as.numeric(tapply(cells$observed, cells$area, sum)[areas$area])
areas$expected <- as.numeric(tapply(cells$expected, cells$area, sum)[areas$area])
limits <- t(sapply(seq_len(12), function(i) poisson.test(areas$observed[i], areas$expected[i])$conf.int))
areas$sir <- areas$observed / areas$expected; areas$low <- limits[, 1]; areas$high <- limits[, 2]

# Direct standardisation on Europe 2013, both sexes alike (Fay and Feuer 1997).
europe <- c(5000, 5500, 5500, 5500, 6000, 6000, 6500, 7000, 7000, 7000, 7000, 6500, 6000, 5500, 5000, 4000, 2500, 1500, 800, 200)
weights <- europe[cells$age_low / 5 + 1]
gamma_rate <- function(d, w) {
  w <- w / sum(w); r <- sum(w * d$observed / d$py); v <- sum(w^2 * d$observed / d$py^2); m <- max(w / d$py)
  c(r, qgamma(.025, r^2 / v, scale = v / r), qgamma(.975, (r + m)^2 / (v + m^2), scale = (v + m^2) / (r + m))) * 1e5
}
direct <- lapply(areas$area, function(a) { s <- cells$area == a; gamma_rate(cells[s, ], weights[s]) })

# Case-control screen: each exposure per interquartile range, age by natural spline, sex, clusters.
n <- 500
persons <- data.frame(
  patient_id = sprintf("P%04d", sample(9999, n)), sex = sample(c("M", "F"), n, TRUE),
  age_at_index = round(runif(n, 18, 90), 2), area = sprintf("%05d", sample(38001:38040, n, TRUE)))
persons$pm25 <- round(rnorm(n, 10, 2), 3)
persons$no2 <- round(0.5 * persons$pm25 + rnorm(n, 8, 2), 3)
persons$near_site <- rbinom(n, 1, 0.3)
persons$case <- rbinom(n, 1, plogis(-1 + 0.15 * (persons$pm25 - 10) + 0.5 * persons$near_site))
persons$pm25[sample(n, 15)] <- NA
tight <- glm.control(epsilon = 1e-15, maxit = 100)
step <- c(pm25 = IQR(persons$pm25, na.rm = TRUE), no2 = IQR(persons$no2), near_site = 1)
# CR2 of the fit's last weighted least squares, rows whitened: there the symmetric root is unique. Handed the glm
# itself, clubSandwich takes the root of another matrix, whose result differs by about 1e-3.
whitened <- function(m) {
  w <- weights(m, "working"); x <- model.matrix(m)
  y <- sqrt(w) * (x %*% coef(m) + residuals(m, "working"))
  list(fit = lm(y ~ 0 + z, list(y = as.numeric(y), z = sqrt(w) * x)), names = colnames(x))
}
one <- function(terms, name) {
  d <- persons[complete.cases(persons[, terms, drop = FALSE]), ]
  for (t in terms) d[[t]] <- d[[t]] / step[[t]]
  m <- glm(reformulate(c("ns(age_at_index, 4)", "sex", terms), "case"), binomial, d, control = tight)
  # Started at its own end: glm keeps the weights of the step before its last.
  m <- glm(formula(m), binomial, d, control = tight, start = coef(m))
  white <- whitened(m)
  found <- coef_test(white$fit, vcov = vcovCR(white$fit, cluster = d$area, type = "CR2"), test = "Satterthwaite")
  place <- match(name, white$names)
  b <- coef(m)[[name]]; s <- found$SE[place]; df <- found$df[place]
  list(exposure = name, n = nrow(d), cases = sum(d$case), estimate = exp(b), low = exp(b - qt(.975, df) * s),
       high = exp(b + qt(.975, df) * s), p = 2 * pt(-abs(b / s), df), df = df)
}
single <- lapply(names(step), function(x) one(x, x))
joint <- lapply(names(step), function(x) one(names(step), x))
q <- p.adjust(sapply(single, `[[`, "p"), "BH")

write_json(list(R = R.version.string, cells = cells[, c("area", "sex", "age_low", "persons", "observed")], years = years,
                areas = areas, direct = direct, persons = persons, step = as.list(step), single = single,
                joint = joint, q = q),
           "association.json", digits = NA, auto_unbox = TRUE, dataframe = "columns", na = "null")

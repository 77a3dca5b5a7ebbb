# Writes standardisation.json: limits of directly standardised rates, their ratios, ratios by Epi's models.
# Made with R 4.2.2, Epi 2.47, epitools 0.5-10.1, jsonlite 1.8.4. Run from this folder: Rscript standardisation.R
# No package of this system has the limits of Tiwari, Clegg and Zou (2006): they are written out here as in their
# article (and asht::wspoissonTest with wmtype = "tcz"); the published figures of Fay and Feuer hold the other half.
suppressMessages({library(jsonlite); library(Epi); library(epitools)})
tight <- glm.control(epsilon = 1e-15, maxit = 200)

# Down's syndrome in Michigan, 1950-1964, mothers of five children or more (Stark and Mantel 1966; Fay and Feuer 1997,
# table II): cases, births, and the standard of all births.
cases <- c(0, 8, 63, 112, 262, 295)
births <- c(327, 30666, 123419, 149919, 104088, 34392)
standard <- c(319933, 931318, 786511, 488235, 237863, 61313)
gamma_limits <- function(x, n, std, level) {
  w <- std / sum(std) / n; y <- sum(w * x); v <- sum(w^2 * x); a <- (1 - level) / 2
  upper <- function(more, square) qgamma(1 - a, (y + more)^2 / (v + square), scale = (v + square) / (y + more))
  c(y, qgamma(a, y^2 / v, scale = v / y), upper(max(w), max(w)^2), upper(mean(w), mean(w^2)))
}
downs <- lapply(c(.9, .95, .99), function(level) gamma_limits(cases, births, standard, level))
packaged <- ageadjust.direct(cases, births, stdpop = standard)

# The example of epitools (Selvin 2001): cancer deaths of 1940 and 1960.
dth60 <- c(141, 926, 1253, 1080, 1869, 4891, 14956, 30888, 41725, 26501, 5928)
pop60 <- c(1784033, 7065148, 15658730, 10482916, 9939972, 10563872, 9114202, 6850263, 4702482, 1874619, 330915)
dth40 <- c(45, 201, 320, 670, 1126, 3160, 9723, 17935, 22179, 13461, 2238)
pop40 <- c(906897, 3794573, 10003544, 10629526, 9465330, 8249558, 7294330, 5022499, 2920220, 1019504, 142532)

# The same standardised rates as linear functions of rates by age that Epi's ci.lin takes from a Poisson model with an
# identity link: its standard errors give those of the logarithm of their ratio.
as_linear <- function(d, n) {
  age <- factor(seq_along(d))
  m <- glm(cbind(d, n) ~ 0 + age, family = poisreg(link = "identity"), start = pmax(d / n, 1e-9),
           control = glm.control(epsilon = 1e-12, maxit = 200))
  ci.lin(m, ctr.mat = matrix(pop60 / sum(pop60), 1))[1, 1:2]
}
one <- as_linear(round(dth60 / 100), pop60 / 100); two <- as_linear(round(dth40 / 100), pop40 / 100)
error <- sqrt((one[2] / one[1])^2 + (two[2] / two[1])^2)
ratio <- unname(one[1] / two[1] * exp(c(0, -1, 1) * qnorm(.975) * error))

# A standardised ratio as the intercept of Epi's Poisson model.
expected <- sum(pop40 * dth60 / pop60)
smr <- unname(ci.exp(glm(sum(dth40) ~ 1 + offset(log(expected)), family = poisson, control = tight))[1, ])
crude <- unname(ci.exp(glm(cbind(sum(dth40), sum(pop40)) ~ 1, family = poisreg, control = tight))[1, ])

write_json(list(R = R.version.string, cases = cases, births = births, standard = standard, downs = downs,
                packaged = unname(packaged), dth60 = round(dth60 / 100), pop60 = pop60 / 100, dth40 = round(dth40 / 100),
                pop40 = pop40 / 100, linear = list(unname(one), unname(two)), ratio = ratio,
                deaths = dth40, people = pop40, rates = dth60 / pop60, expected = expected, smr = smr, crude = crude),
           "standardisation.json", digits = NA, auto_unbox = TRUE)

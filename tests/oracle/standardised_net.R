# Age-standardised net and observed survival: reference numbers for epi.survival.standardised.
#
# Data: the files net_survival_*.csv.gz that net_survival.R writes (colrec and rdata of relsurv, mgus2 of survival) and
# the population table slopop. Written:
# - relsurv's rs.surv by age group (Pohar-Perme at every day), combined here: sum of w S, variance the sum of w^2 var;
#   the same with survival's survfit.
# - popEpi's survtab with adjust() and weights, on months of follow-up: its intervals are not our days, so that numbers
#   are near, not equal; `formula` is the largest difference between what it gives as standardised and the sum over its
#   own groups, for the estimate and for its standard error.
# - popEpi's ICSS (from the SEER page on Corazziari, Quinn and Capocaccia 2004) added up to five groups.
# Rscript tests/oracle/standardised_net.R
suppressMessages({library(survival); library(relsurv); library(popEpi); library(Epi); library(data.table)
                  library(jsonlite)})
data(slopop); data(ICSS)
read <- function(name) {
  d <- read.csv(gzfile(sprintf("tests/oracle/net_survival_%s.csv.gz", name)))
  d$sex <- as.integer(factor(d$sex, levels = c("1", "2")))
  d$date <- as.Date(d$diag, origin = "1970-01-01")
  d
}
edges <- function(breaks) ceiling(breaks * 365.25 - 1e-8)
icss <- function(name, breaks) {
  band <- findInterval(ICSS$age, breaks)
  w <- tapply(ICSS[[name]][band > 0], band[band > 0], sum)
  as.numeric(w / sum(w))
}
combine <- function(s, se, w) {
  value <- as.numeric(s %*% w); error <- sqrt(as.numeric(se^2 %*% w^2))
  list(survival = value, se = error, low = value * exp(-qnorm(.975) * error / value),
       high = value * exp(qnorm(.975) * error / value), groups = s)
}
one <- function(d, times, breaks, w) {
  d$band <- findInterval(d$age, edges(breaks))
  d <- d[d$band > 0, ]
  net <- lapply(seq_along(breaks), function(k) {
    part <- d[d$band == k, ]
    f <- rs.surv(Surv(time, stat) ~ 1, data = part, ratetable = slopop,
                 rmap = list(age = age, sex = sex, year = date), add.times = 1:max(part$time))
    at <- sapply(times, function(x) if (x > max(f$time)) NA else max(which(f$time <= x)))
    list(s = f$surv[at], se = f$surv[at] * f$std.err[at])
  })
  km <- lapply(seq_along(breaks), function(k) {
    f <- summary(survfit(Surv(time, stat) ~ 1, data = d[d$band == k, ]), times = times, extend = TRUE)
    list(s = f$surv, se = f$std.err)
  })
  join <- function(parts, what) do.call(cbind, lapply(parts, `[[`, what))
  list(times = times, breaks = breaks, weights = w, persons = as.integer(table(d$band)),
       net = combine(join(net, "s"), join(net, "se"), w), observed = combine(join(km, "s"), join(km, "se"), w))
}
five <- c(15, 45, 55, 65, 75)
sets <- list(
  colrec = one(read("colrec"), c(30, 365, 1000, 1826, 3000), five, icss("ICSS1", five)),
  rdata = one(read("rdata"), c(30, 365, 1000, 1826, 3000, 4000), c(15, 55, 65, 75), icss("ICSS1", c(15, 55, 65, 75))),
  mgus2 = one(read("mgus2"), c(100, 365, 1000, 1826, 3652), five, icss("ICSS2", five)))

# popEpi on colrec, by months.
d <- read("colrec")
d$birth <- d$date - d$age
d$leave <- d$date + d$time
d$band <- factor(findInterval(d$age, edges(five)))
d <- d[d$band != 0, ]; d$band <- droplevels(d$band)
haz <- as.data.frame.table(unclass(slopop), responseName = "haz", stringsAsFactors = FALSE)
names(haz)[1:3] <- c("agegroup", "year", "sex")
haz <- data.table(agegroup = as.integer(haz$agegroup), year = as.integer(haz$year),
                  sex = match(haz$sex, c("male", "female")), haz = haz$haz * 365.241)
x <- Lexis(entry = list(FUT = 0, AGE = age / 365.242199, CAL = get.yrs(date)),
           exit = list(CAL = get.yrs(leave)), data = d, exit.status = factor(stat, levels = 0:1), merge = TRUE)
w <- icss("ICSS1", five)
given <- function(...) survtab(..., data = x, breaks = list(FUT = seq(0, 5, 1 / 12)),
                               pophaz = haz, surv.type = "surv.rel", relsurv.method = "pp", conf.type = "log")
haz <- haz[year >= 1990]; setnames(haz, c("agegroup", "year"), c("AGE", "CAL"))
whole <- given(FUT ~ adjust(band), weights = list(band = w))
parts <- given(FUT ~ band)
at <- c(12, 36, 60)
names(whole)
saved <- as.data.frame(whole); each <- as.data.frame(parts)
s <- sapply(split(each$r.pp, each$band), function(v) v[at]); se <- sapply(split(each$SE.r.pp, each$band), function(v) v[at])
mine <- combine(s, se, w)
popepi <- list(months = at, survival = saved$r.pp.as[at], se = saved$SE.r.pp.as[at],
               formula = c(max(abs(mine$survival - saved$r.pp.as[at])), max(abs(mine$se - saved$SE.r.pp.as[at]))))
print(popepi)
out <- list(
  source = paste("relsurv", packageVersion("relsurv"), "popEpi", packageVersion("popEpi"), "survival",
                 packageVersion("survival"), R.version.string),
  icss = sapply(c("ICSS1", "ICSS2", "ICSS3"), icss, breaks = five, simplify = FALSE), results = sets, popepi = popepi)
write_json(out, "tests/oracle/standardised_net.json", digits = NA, auto_unbox = TRUE)

# Net survival, relative survival and expected survival: reference numbers for epi.survival.net.
#
# Data: colrec and rdata with the population table slopop (all of package relsurv; Slovene cancer registry and
# Slovene mortality), mgus2 of package survival (Mayo Clinic) set against slopop: not its population, the same numbers
# to be compared. Written: relsurv's rs.surv (Pohar-Perme at every day, its default steps, Ederer II), survival's
# survexp for Ederer I. relsurv takes no notice of entry times: the fixture `ignores_entry` shows it, late entry is
# held against a plain reference in the tests.
# Rscript tests/oracle/net_survival.R
suppressMessages({library(survival); library(relsurv); library(jsonlite)})
data(colrec); data(rdata); data(slopop)

read <- function(f, times) {
  at <- sapply(times, function(x) max(which(f$time <= x)))
  list(survival = f$surv[at], se_log = f$std.err[at], at_risk = f$n.risk[at])
}
one <- function(d, times, everyday = TRUE) {
  rmap <- list
  f <- rs.surv(Surv(time, stat) ~ 1, data = d, ratetable = slopop, rmap = list(age = age, sex = sex, year = diag),
               add.times = 1:max(d$time))
  default <- rs.surv(Surv(time, stat) ~ 1, data = d, ratetable = slopop, rmap = list(age = age, sex = sex, year = diag))
  e2 <- rs.surv(Surv(time, stat) ~ 1, data = d, ratetable = slopop, rmap = list(age = age, sex = sex, year = diag),
                method = "ederer2")
  fh <- rs.surv(Surv(time, stat) ~ 1, data = d, ratetable = slopop, rmap = list(age = age, sex = sex, year = diag),
                add.times = 1:max(d$time), type = "fleming-harrington")
  e1 <- survexp( ~ 1, data = d, ratetable = slopop, rmap = list(age = age, sex = sex, year = diag), times = times,
                method = "ederer")
  km <- summary(survfit(Surv(time, stat) ~ 1, data = d), times = times)
  list(times = times, every_day = read(f, times), default = read(default, times), ederer2 = read(e2, times),
       exponential = read(fh, times), expected_cohort = e1$surv, kaplan_meier = km$surv)
}
keep <- function(d) data.frame(time = as.integer(d$time), stat = as.integer(d$stat), age = as.integer(round(d$age)),
                               sex = as.character(d$sex), diag = as.integer(as.Date(d$diag)))

colrec <- colrec[colrec$time > 0, ]
rdata$stat <- rdata$cens
rdata$diag <- rdata$year
rdata$age <- round(rdata$age * 365.241)
rdata$sex <- as.integer(rdata$sex)
m <- mgus2[mgus2$futime > 0, ]
mg <- data.frame(time = round(m$futime * 30.4375), stat = m$death, age = round(m$age * 365.241),
                 sex = ifelse(m$sex == "M", 1, 2), diag = as.date(paste0("1Jul", m$dxyr)))
sets <- list(
  colrec = list(data = colrec, times = c(10, 365, 521, 1000, 1826, 3000, 3652)),
  rdata = list(data = rdata, times = c(30, 365, 1000, 1826, 3000, 4000)),
  mgus2 = list(data = mg, times = c(100, 365, 1000, 1826, 3652, 5000)))
entry <- rdata; entry$entry <- pmin(200, entry$time - 1)
with_entry <- rs.surv(Surv(entry, time, stat) ~ 1, data = entry, ratetable = slopop,
                      rmap = list(age = age, sex = sex, year = diag))
plain <- rs.surv(Surv(time, stat) ~ 1, data = rdata, ratetable = slopop, rmap = list(age = age, sex = sex, year = diag))
out <- list(
  source = paste("relsurv", packageVersion("relsurv"), "survival", packageVersion("survival"), R.version.string),
  ignores_entry = max(abs(with_entry$surv - plain$surv)) == 0,
  results = lapply(sets, function(s) one(s$data, s$times)))
write_json(out, "tests/oracle/net_survival.json", digits = NA, auto_unbox = TRUE)
for (name in names(sets)) {
  file <- gzfile(sprintf("tests/oracle/net_survival_%s.csv.gz", name), "w")
  write.csv(keep(sets[[name]]$data), file, row.names = FALSE, quote = FALSE); close(file)
}
cells <- as.data.frame.table(unclass(slopop), responseName = "hazard_per_day")
cells$hazard_per_day <- formatC(cells$hazard_per_day, digits = 17, format = "g")
file <- gzfile("tests/oracle/net_survival_slopop.csv.gz", "w")
write.csv(cells, file, row.names = FALSE, quote = FALSE); close(file)

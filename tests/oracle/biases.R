# Writes biases.json: conditional Kendall's tau of entry and exit, on the data sets kept in survival_curves.json
# (public data of the R package survival: pbc, heart, flchain, mgus2; heart is there doubled, mgus2 in months).
# Made with R 4.2.2, survival 3.5-3, jsonlite 1.8.4. Run from this folder: Rscript biases.R
# No package for this is at hand. Tsai's test is the score test of coxph (ties = "exact") on rows split at every event
# day, the covariate being the entry's place in the risk set (later less earlier entries): a routine that knows nothing of
# tau. Tau and its variance (Martin and Betensky 2005) are a plain double loop over pairs.
suppressMessages({library(jsonlite); library(survival)})
sets <- fromJSON("survival_curves.json")$sets

stays <- function(name) {
  d <- as.data.frame(sets[[name]])
  if (name == "heart") {  # pieces of a patient taken together
    d <- do.call(rbind, lapply(split(d, d$cluster), function(p)
      data.frame(entry = min(p$entry), exit = max(p$exit), event = max(p$event), cluster = p$cluster[1], surgery = p$surgery[1])))
    d$entry <- (d$cluster * 37) %% 40; d <- d[d$exit > d$entry, ]
  }
  if (name == "flchain") d <- d[seq(1, nrow(d), by = 2), ]
  d$event <- as.integer(d$event > 0); d
}

tsai <- function(d) {
  days <- sort(unique(d$exit[d$event == 1]))
  rows <- do.call(rbind, lapply(days, function(t) {
    r <- d[d$entry < t & d$exit >= t, ]
    place <- sapply(r$entry, function(e) sum(r$entry > e) - sum(r$entry < e))
    data.frame(day = t, place, dead = as.integer(r$event == 1 & r$exit == t))
  }))
  # Each event day is a stratum of its own; a positive score is of those who entered early.
  f <- coxph(Surv(rep(1, nrow(rows)), dead) ~ place + strata(day), rows, ties = "exact", init = 0,
             control = coxph.control(iter.max = 0))
  list(score = sum(rows$place * rows$dead), statistic = unname(f$score))
}

tau <- function(d) {
  n <- nrow(d); a <- b <- matrix(0, n, n)
  for (i in seq_len(n)) for (j in seq_len(n)) if (i != j && d$event[j] == 1 && d$entry[i] < d$exit[j] && d$entry[i] != d$entry[j] &&
      (d$exit[i] > d$exit[j] || (d$exit[i] == d$exit[j] && d$event[i] == 0))) {
    a[i, j] <- a[j, i] <- sign(d$entry[i] - d$entry[j]); b[i, j] <- b[j, i] <- 1
  }
  t <- sum(a) / sum(b); u <- 2 * (rowSums(a) - t * rowSums(b)) / sum(b)
  list(pairs = sum(b) / 2, tau = t, se = sqrt(sum(u^2)), se_cluster = sqrt(sum(tapply(u, d$cluster, sum)^2)))
}

cases <- lapply(c("pbc", "heart", "flchain", "mgus2"), function(name) {
  d <- stays(name)
  c(list(set = name, persons = nrow(d), events = sum(d$event), entry = d$entry, exit = d$exit, event = d$event, cluster = d$cluster),
    tsai(d), tau(d))
})
write_json(list(made_with = paste(R.version.string, "survival", packageVersion("survival")), tau = cases), "biases.json",
           digits = NA, auto_unbox = TRUE)

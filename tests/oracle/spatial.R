# Writes spatial.json: spatial autocorrelation on the sudden infant deaths of North Carolina.
# Made with R 4.2.2, spdep 1.2-7, spData 2.2.1, jsonlite 1.8.4. Run from this folder: Rscript spatial.R
# Data: spData::nc.sids (CC0), neighbours ncCR85.nb (no island) and ncCC89.nb (two islands).
suppressMessages({library(jsonlite); library(spdep); library(spData)})
data(nc.sids, package = "spData")
pairs_of <- function(nb) {
  first <- rep(seq_along(nb), card(nb)); second <- unlist(lapply(nb, function(x) if (x[1] == 0) NULL else x))
  list(first = first[first < second], second = second[first < second])
}
ft <- sqrt(1000) * (sqrt(nc.sids$SID74 / nc.sids$BIR74) + sqrt((nc.sids$SID74 + 1) / nc.sids$BIR74))
nonwhite <- sqrt(1000) * (sqrt(nc.sids$NWBIR74 / nc.sids$BIR74) + sqrt((nc.sids$NWBIR74 + 1) / nc.sids$BIR74))
neighbours <- list(cr85 = ncCR85.nb, cc89 = ncCC89.nb)
global <- function(test) as.list(setNames(c(unname(test$estimate), unname(test$statistic), test$p.value),
                                          c("value", "expectation", "variance", "z", "p")))
model <- lm(ft ~ nonwhite)
results <- list()
for (name in names(neighbours)) for (style in c("W", "B")) {
  listw <- nb2listw(neighbours[[name]], style = style, zero.policy = TRUE)
  case <- list(nb = name, style = style)
  for (random in c(TRUE, FALSE)) {
    tag <- if (random) "randomisation" else "normality"
    case[[paste0("moran_", tag)]] <- global(moran.test(ft, listw, randomisation = random, zero.policy = TRUE,
                                                       adjust.n = FALSE, alternative = "two.sided"))
    if (name == "cr85") case[[paste0("geary_", tag)]] <-
      global(geary.test(ft, listw, randomisation = random, alternative = "two.sided"))
  }
  case$eb <- unname(EBImoran.mc(nc.sids$SID74, nc.sids$BIR74, listw, nsim = 9, zero.policy = TRUE)$statistic)
  if (name == "cr85") {
    residual <- lm.morantest(model, listw, alternative = "two.sided")
    case$residual <- global(residual)
    for (conditional in c(TRUE, FALSE)) {
      local <- localmoran(ft, listw, conditional = conditional, mlvar = TRUE, alternative = "two.sided")
      case[[if (conditional) "local_conditional" else "local_total"]] <-
        list(value = local[, 1], expectation = local[, 2], variance = local[, 3], z = local[, 4], p = local[, 5])
    }
    case$quadrant <- as.character(attr(local, "quadr")$mean)
  }
  # The same without the islands at all.
  part <- subset(neighbours[[name]], card(neighbours[[name]]) > 0)
  dropped <- ft[card(neighbours[[name]]) > 0]
  case$moran_without_islands <- global(moran.test(dropped, nb2listw(part, style = style), alternative = "two.sided"))
  results[[paste(name, style, sep = "_")]] <- case
}
# A map with a gap of value: the county is left out with its links.
gap <- ft; gap[c(4, 50)] <- NA
keep <- !is.na(gap)
listw <- nb2listw(subset(ncCR85.nb, keep), style = "W", zero.policy = TRUE)
missing <- list(places = which(!keep), moran = global(moran.test(gap[keep], listw, alternative = "two.sided")))
fdr <- local({
  p <- results$cr85_W$local_conditional$p
  list(BH = p.adjust(p, "BH"), BY = p.adjust(p, "BY"))
})
eigen_values <- local({
  w <- nb2mat(ncCR85.nb, style = "W"); w <- (w + t(w)) / 2; n <- nrow(w); h <- diag(n) - 1 / n
  sort(eigen(h %*% w %*% h, symmetric = TRUE, only.values = TRUE)$values, decreasing = TRUE)
})
write_json(list(name = rownames(nc.sids), births = nc.sids$BIR74, deaths = nc.sids$SID74, births79 = nc.sids$BIR79,
                deaths79 = nc.sids$SID79, nonwhite = nonwhite, ft = ft, lon = nc.sids$lon, lat = nc.sids$lat,
                links = lapply(neighbours, pairs_of), cases = results, missing = missing, fdr = fdr,
                eigenvalues = eigen_values),
           "spatial.json", digits = NA, auto_unbox = TRUE)

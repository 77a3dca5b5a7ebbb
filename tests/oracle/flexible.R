# Writes flexible.json: Weibull models of survreg (weights, clusters) as proportional hazards, and Royston-Parmar models with
# late entry by a likelihood written out here and maximised by optim, on the data sets kept in survival_curves.json.
# Made with R 4.2.2, survival 3.5-3, jsonlite 1.8.4. Run from this folder: Rscript flexible.R
# flexsurv and rstpm2 are not in Debian. Knots at quantiles (type 7) of log times of events; time in years of 365.25 days.
suppressMessages({library(jsonlite); library(survival)})
sets <- lapply(fromJSON("survival_curves.json")$sets, as.data.frame)
weibull <- function(name, x, weight, cluster) {
  d <- sets[[name]]; d$y <- d$exit / 365.25; d$d <- as.integer(d$event > 0)
  d$w <- if (weight) d$weight else 1; d$g <- if (cluster) d$cluster else seq_len(nrow(d))
  f <- survreg(as.formula(paste("Surv(y, d) ~", x)), d, weights = w, cluster = g, robust = TRUE,
               control = survreg.control(rel.tolerance = 1e-14, maxiter = 200))
  n <- survreg(as.formula(paste("Surv(y, d) ~", x)), d, weights = w, control = survreg.control(rel.tolerance = 1e-14, maxiter = 200))
  # The robust variance of survreg leaves out the weights of its residuals: a row of weight 2 is not two rows of a cluster.
  v <- if (weight || cluster) crossprod(rowsum(resid(f, "dfbeta", weighted = TRUE), d$g)) else vcov(n)
  s <- f$scale; b <- coef(f)
  # log H = -mu/s + u/s - (b/s) x; the last parameter of survreg is log(s).
  j <- rbind(c(-1 / s, 0, b[1] / s), c(0, 0, -1 / s), c(0, -1 / s, b[2] / s))
  list(set = name, x = x, weight = weight, cluster = cluster, parameters = unname(c(-b[1] / s, 1 / s, -b[2] / s)),
       se = sqrt(diag(j %*% v %*% t(j))),
       loglik = if (weight) NULL else f$loglik[2] )
}
spline <- function(u, k) {
  cube <- function(a) pmax(u - a, 0)^3; slope <- function(a) 3 * pmax(u - a, 0)^2
  m <- length(k); b <- cbind(u); s <- cbind(rep(1, length(u)))
  for (i in seq_len(m - 2) + 1) { l <- (k[m] - k[i]) / (k[m] - k[1])
    b <- cbind(b, cube(k[i]) - l * cube(k[1]) - (1 - l) * cube(k[m]))
    s <- cbind(s, slope(k[i]) - l * slope(k[1]) - (1 - l) * slope(k[m])) }
  list(b = unname(b), s = unname(s))
}
royston <- function(name, x, df, tv, every = 1) {
  d <- sets[[name]]; d <- d[seq(1, nrow(d), by = every), ]
  e <- d$entry / 365.25; y <- d$exit / 365.25; dead <- d$event > 0
  z <- if (is.numeric(d[[x]])) d[[x]] else as.integer(d[[x]] == sort(unique(d[[x]]))[2])
  k <- unname(quantile(log(y[dead]), seq(0, 1, length = df + 1))); kt <- unname(quantile(log(y[dead]), seq(0, 1, length = tv + 1)))
  make <- function(t) { a <- spline(log(t), k); B <- cbind(1, a$b, z); D <- cbind(0, a$s, 0)
    if (tv > 0) { c <- spline(log(t), kt); B <- cbind(B, z * c$b); D <- cbind(D, z * c$s) }; list(B = B, D = D) }
  out <- make(y); late <- e > 0; inn <- make(ifelse(late, e, 1))
  # Columns at right angles for the search alone.
  r <- qr.R(qr(out$B)); ri <- solve(r); Q <- out$B %*% ri; D <- out$D %*% ri; E <- inn$B %*% ri
  ll <- function(p) { h <- drop(D %*% p); if (any(h[dead] <= 0)) return(-1e10); v <- drop(Q %*% p)
    sum((v + log(pmax(h, 1e-300)) - log(y))[dead]) - sum(exp(v)) + sum(exp(drop(E %*% p))[late]) }
  gr <- function(p) { h <- drop(D %*% p); v <- drop(Q %*% p)
    colSums(Q[dead, ] + D[dead, ] / h[dead]) - colSums(exp(v) * Q) + colSums((exp(drop(E %*% p)) * E)[late, , drop = FALSE]) }
  start <- c(log(sum(dead) / sum(y - e)), 1, rep(0, ncol(Q) - 2))
  f <- optim(drop(r %*% start), ll, gr, method = "BFGS", control = list(fnscale = -1, reltol = 1e-16, maxit = 5000))
  f <- optim(f$par, ll, gr, method = "BFGS", control = list(fnscale = -1, reltol = 1e-16, maxit = 5000))
  H <- optimHess(f$par, ll, gr, control = list(fnscale = -1, ndeps = rep(1e-5, length(f$par))))
  # One more Newton step: BFGS stops where rounding begins.
  best <- f$par - solve(H, gr(f$par))
  list(set = name, x = x, df = df, tv = tv, every = every, loglik = ll(best), parameters = drop(ri %*% best),
       se = sqrt(diag(ri %*% solve(-H) %*% t(ri))))
}
# The claim above, shown: twenty rows doubled within their clusters, or weighted by 2.
e <- sets$lung[1:80, ]; e$y <- e$exit / 365.25; e$d <- as.integer(e$event > 0); e$g <- seq_len(80); e$w <- ifelse(e$g <= 20, 2, 1)
two <- survreg(Surv(y, d) ~ sex, rbind(e, e[1:20, ]), cluster = g, robust = TRUE)
one <- survreg(Surv(y, d) ~ sex, e, weights = w, cluster = g, robust = TRUE)
error <- function(v) unname(sqrt(diag(v)))
right <- error(crossprod(resid(one, "dfbeta", weighted = TRUE)))
stopifnot(max(abs(right / error(vcov(two)) - 1)) < 1e-5, min(abs(error(vcov(one)) / error(vcov(two)) - 1)) > 0.1)
write_json(list(made_with = paste(R.version.string, "survival", packageVersion("survival")),
  weibull = list(weibull("lung", "sex", FALSE, FALSE), weibull("lung", "sex", TRUE, FALSE), weibull("lung", "sex", TRUE, TRUE),
                 weibull("veteran", "trt", FALSE, TRUE), weibull("transplant", "cluster", FALSE, FALSE)),
  royston = list(royston("pbc", "sex", 3, 0), royston("pbc", "sex", 2, 2), royston("flchain", "sex", 4, 0, 2),
                 royston("mgus2", "old", 2, 0))), "flexible.json", digits = NA, auto_unbox = TRUE)

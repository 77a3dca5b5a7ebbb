"""Writes bym2_mcmc.json: the BYM2 model sampled at length, for what `epi.stats.spatial.bym2` approximates.

Made with NumPyro 0.22.0 and JAX 0.10.2 (Hamiltonian Monte Carlo, no U-turns), in an environment of its own: neither is
a dependency of this project. Run from this folder, about ten minutes on one core: python bym2_mcmc.py

The model is written here on its own, from Riebler, Sorbye, Simpson, Rue (Stat Methods Med Res 2016;25:1145-1165), with
Freni-Sterrantino, Ventrucci, Rue (Spat Spatiotemporal Epidemiol 2018;26:25-34) for maps in several parts: the spatial
effect is drawn through the eigenvectors of the graph, dense, so that it adds up to zero in each part exactly.
  y ~ Poisson(E exp(b0 + z b + sigma (sqrt(1 - phi) v + sqrt(phi) u))), z standardised; b ~ N(0, 1000)
  sigma: P(sigma > 1) = 0.01; phi: P(phi < 1/2) = 2/3 (penalised complexity priors)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import numpyro  # noqa: E402
import numpyro.distributions as dist  # noqa: E402
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin  # noqa: E402
from numpyro.infer import MCMC, NUTS  # noqa: E402
from scipy.sparse import csr_array  # noqa: E402
from scipy.sparse.csgraph import connected_components  # noqa: E402

CHAINS, WARMUP, DRAWS = 4, 2_000, 25_000


def structure(n, pairs):
    """Give the factor L (u = L z), and the eigenvalues of its covariance."""
    adjacency = np.zeros((n, n))
    for i, j in pairs:
        adjacency[i, j] = adjacency[j, i] = 1
    laplacian = np.diag(adjacency.sum(1)) - adjacency
    parts = connected_components(csr_array(adjacency), directed=False)[1]
    factors, gamma, scales = [], [], []
    for part in range(parts.max() + 1):
        place = np.flatnonzero(parts == part)
        block = np.zeros((n, max(len(place) - 1, 1)))
        if len(place) == 1:
            block[place, 0] = 1.0
            gamma += [1.0]
        else:
            values, vectors = np.linalg.eigh(laplacian[np.ix_(place, place)])
            values, vectors = values[1:], vectors[:, 1:]
            variance = (vectors**2 / values).sum(1)
            scale = np.exp(np.log(variance).mean())
            scales.append(float(scale))
            block[place] = vectors / np.sqrt(values * scale)
            gamma += [0.0, *(1 / (values * scale))]
        factors.append(block)
    return np.hstack(factors), np.array(gamma), scales


def mixing_prior(gamma):
    """Give log(1 - phi) on a grid of x = rate times distance, whose prior is exponential of rate 1."""
    n = len(gamma)

    def distance(log_rest):
        phi = -np.expm1(log_rest)[..., None]
        kept = gamma > 0
        kld = phi[..., 0] * (gamma.sum() - n) - np.log1p(phi * (gamma[kept] - 1)).sum(-1) - (~kept).sum() * log_rest
        return np.sqrt(np.maximum(kld, 0))

    rate = -np.log(1 / 3) / distance(np.log(0.5))
    log_rest = -np.geomspace(1e-7, 1e7, 200_000)
    x = np.linspace(0, 30, 60_001)
    return x, np.interp(x, np.append(0, rate * distance(log_rest)), np.append(0, log_rest))


def model(y, e, z, factor, grid, log_rests):
    b = numpyro.sample("b", dist.Normal(0, np.sqrt(1000)).expand([z.shape[1]]))
    sigma = numpyro.sample("sigma", dist.Exponential(-np.log(0.01)))
    # Sampled by its distance from the model without a spatial effect: phi itself piles up at one.
    log_rest = jnp.interp(numpyro.sample("x", dist.Exponential(1.0)), grid, log_rests)
    phi = numpyro.deterministic("phi", -jnp.expm1(log_rest))
    v = numpyro.sample("v", dist.Normal(0, 1).expand([len(y)]))
    w = numpyro.sample("w", dist.Normal(0, 1).expand([factor.shape[1]]))
    eta = z @ b + sigma * (jnp.exp(log_rest / 2) * v + jnp.sqrt(phi) * (factor @ w))
    numpyro.deterministic("log_rr", eta)
    numpyro.sample("y", dist.Poisson(e * jnp.exp(eta)), obs=y)


def summary(draws):
    """Mean, sd, their Monte Carlo errors, and quantiles; chains first."""
    flat = draws.reshape(-1, *draws.shape[2:])
    mean, sd = flat.mean(0), flat.std(0)
    size = np.asarray(effective_sample_size(draws))
    spread = (draws - mean) ** 2
    size2 = np.asarray(effective_sample_size(spread))
    quantiles = np.quantile(flat, [0.025, 0.5, 0.975], axis=0)
    return {
        "mean": np.round(mean, 8).tolist(),
        "sd": np.round(sd, 8).tolist(),
        "mcse_mean": np.round(sd / np.sqrt(size), 8).tolist(),
        "mcse_sd": np.round(spread.reshape(flat.shape).std(0) / np.sqrt(size2) / (2 * sd), 8).tolist(),
        "low": np.round(quantiles[0], 8).tolist(),
        "median": np.round(quantiles[1], 8).tolist(),
        "high": np.round(quantiles[2], 8).tolist(),
        "rhat": float(np.max(split_gelman_rubin(draws))),
    }


def sample(y, e, x, pairs, seed):
    y, e = np.asarray(y, float), np.asarray(e, float)
    z = np.column_stack([np.ones(len(y))] + [(c - c.mean()) / c.std() for c in np.asarray(x, float)])
    factor, gamma, scales = structure(len(y), pairs)
    kernel = NUTS(model, target_accept_prob=0.9)
    mcmc = MCMC(
        kernel, num_warmup=WARMUP, num_samples=DRAWS, num_chains=CHAINS, chain_method="sequential", progress_bar=False
    )
    mcmc.run(jax.random.PRNGKey(seed), y, e, z, factor, *mixing_prior(gamma), extra_fields=("diverging",))
    found = {k: np.asarray(v) for k, v in mcmc.get_samples(group_by_chain=True).items()}
    found["rr"] = np.exp(found["log_rr"])
    above = (found["rr"] > 1).astype(float)
    size = CHAINS * DRAWS
    out = {"scales": scales, "draws": size, "divergences": int(mcmc.get_extra_fields()["diverging"].sum())}
    out |= {k: summary(found[k]) for k in ("b", "sigma", "phi", "rr", "log_rr")}
    out["log_sigma"] = summary(np.log(found["sigma"]))
    out["x"] = summary(found["x"])
    out["exceedance"] = np.round(above.reshape(size, -1).mean(0), 6).tolist()
    print(
        {k: (v["mean"], v["rhat"]) for k, v in out.items() if isinstance(v, dict) and k not in ("rr", "log_rr")},
        flush=True,
    )
    print(out["divergences"], max(out["rr"]["mcse_mean"]), flush=True)
    return out


def main():
    lip = json.loads(Path("scotland_lip_cancer.json").read_text())
    oracle = json.loads(Path("smoothing.json").read_text())
    pairs = np.array(lip["pairs"]) - 1
    inland = pairs[~np.isin(pairs, [5, 7, 10]).any(axis=1)]
    sids = oracle["sids"]
    deaths, births = np.array(sids["deaths"]), np.array(sids["births"])
    counties = np.column_stack([oracle["links"]["first"], oracle["links"]["second"]]) - 1
    aff = [np.array(lip["aff_percent"]) / 10]
    cases = {
        "scotland": (lip["observed"], lip["expected"], aff, pairs),
        "scotland_islands": (lip["observed"], lip["expected"], aff, inland),
        "scotland_alone": (lip["observed"], lip["expected"], [], pairs),
        "sids": (deaths, births * deaths.sum() / births.sum(), [np.array(sids["nonwhite"])], counties),
    }
    names = sys.argv[1:] or list(cases)
    found = {name: sample(*cases[name], seed=11) for name in names}
    made = f"numpyro {numpyro.__version__}, jax {jax.__version__}"
    Path("bym2_mcmc.json").write_text(json.dumps({"made_with": made, **found}) + "\n")


if __name__ == "__main__":
    main()

"""BYM2 on a map the size of the bassins de vie: time and memory, against sampling the same model.

Run: python benchmarks/bym2.py [areas]. With NumPyro installed (it is no dependency), 1,000 draws of the same model
after 500 of warm-up are timed in the same run.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np

from epi.stats.spatial import weights_from_pairs
from epi.stats.spatial.bym2 import fit_bym2


def lattice(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the neighbours of a square map with six neighbours an area, as communes have on average."""
    place = np.arange(side * side).reshape(side, side)
    first = [place[:, :-1], place[:-1], place[:-1, :-1]]
    second = [place[:, 1:], place[1:], place[1:, 1:]]
    return np.concatenate([p.ravel() for p in first]), np.concatenate([p.ravel() for p in second])


def main() -> None:
    """Fit, and print what it took."""
    side = round(np.sqrt(int(sys.argv[1]) if len(sys.argv) > 1 else 1_681))
    n = side * side
    first, second = lattice(side)
    rng = np.random.default_rng(1)
    wave = np.sin(np.arange(n) % side / side * 6) * np.cos(np.arange(n) // side / side * 5)
    x = rng.normal(size=n)
    expected = rng.gamma(1.5, 3.0, n)
    observed = rng.poisson(expected * np.exp(0.35 * wave + 0.1 * x + rng.normal(0, 0.15, n)))
    weights = weights_from_pairs(range(n), first, second)
    start = time.perf_counter()
    fit = fit_bym2(observed, expected, weights, x)
    fit.quantile(0.025), fit.quantile(0.975), fit.estimate, fit.exceedance(1.2)
    took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"fit_bym2: {n:,} areas, {fit.nodes} nodes, {took:.1f} s, peak memory {peak:,.0f} MB")
    print(
        f"  coefficient {fit.coefficients.mean[1]:.4f}, sd {fit.coefficients.sd[1]:.4f}; sigma {fit.sigma.median:.3f}"
    )
    try:
        import jax
        from numpyro.infer import MCMC, NUTS
    except ImportError:
        print("NumPyro: not installed")
        return
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "oracle"))
    import bym2_mcmc

    terms = np.column_stack([np.ones(n), (x - x.mean()) / x.std()])
    start = time.perf_counter()
    factor, spectrum, _ = bym2_mcmc.structure(n, np.column_stack([first, second]))
    sampler = MCMC(NUTS(bym2_mcmc.model), num_warmup=500, num_samples=1_000, progress_bar=False)
    sampler.run(
        jax.random.PRNGKey(1), observed.astype(float), expected, terms, factor, *bym2_mcmc.mixing_prior(spectrum)
    )
    b = np.asarray(sampler.get_samples()["b"])[:, 1] / x.std()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = time.perf_counter() - start
    print(f"NumPyro: {took:.1f} s, peak memory {peak:,.0f} MB; coefficient {b.mean():.4f}, sd {b.std():.4f}")


if __name__ == "__main__":
    main()

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from epi.stats import standard_population
from epi.world import choose_territory
from epi.world.als import FIRST_YEAR, LAST_YEAR, PLANTED, YEARS, AlsCases, draw_cases, incidence_rates
from epi.world.centres import build_centres
from epi.world.exposures import build_exposures
from epi.world.population import count_persons
from epi.world.territory import earth_points
from world.raw_files import open_data_folders


def draw(seed: int, folder: object) -> tuple[AlsCases, np.ndarray, pd.DataFrame]:
    place = choose_territory(10_000_000)
    counts = count_persons(place, seed)
    exposures, _ = build_exposures(place, seed, folder)  # type: ignore[arg-type]
    points = earth_points(place.communes["lon"].to_numpy(), place.communes["lat"].to_numpy())
    near = build_centres(seed).distances(points, "FILSLAN").min(axis=1)
    return draw_cases(place, counts, exposures, near, seed), counts, exposures


@pytest.fixture(scope="module", params=open_data_folders(), ids=lambda folder: "open data" if folder else "synthetic")
def drawn(request: pytest.FixtureRequest) -> tuple[AlsCases, np.ndarray, pd.DataFrame]:
    return draw(20, request.param)


def test_published_rates_hold_in_the_total(drawn: tuple) -> None:
    cases, counts, _ = drawn
    group = np.minimum(cases.age // 5, 19).astype(int) + 20 * ~cases.male
    mine = cases.orpha == 803
    seen = np.bincount(group[mine], minlength=40)
    expected = counts.sum(axis=0) * incidence_rates() * YEARS
    # Multipliers have mean 1 over expected cases, so the total is Poisson around the published rates.
    assert abs(seen.sum() - expected.sum()) < 4 * np.sqrt(expected.sum())
    for men in (slice(0, 20), slice(20, 40)):
        assert (
            abs(seen[men].sum() - expected[men].sum()) < 4 * np.sqrt(expected[men].sum()) + 0.02 * expected[men].sum()
        )
    weight = standard_population("us_2010")["weight"].to_numpy()
    rates = (1e5 * seen / YEARS / counts.sum(axis=0)).reshape(2, 20)
    men, women = rates @ weight
    assert abs(men - 3.37) < 0.2
    assert abs(women - 2.17) < 0.15
    assert 1.4 < men / women < 1.75
    assert rates.sum(axis=0).argmax() in (14, 15), "the peak is at 70-79"


def test_planted_rates_are_found_by_a_plain_poisson_regression(drawn: tuple) -> None:
    cases, _, exposures = drawn
    told = cases.planted["variables"]
    table = cases.communes.merge(exposures, on="insee_code")
    table = table[table["expected_cases"] > 0]
    names = [name for name in told if name not in ("impervious_pct", "density_km2")]  # collinear with each other
    z = np.column_stack([((table[name] - told[name]["mean"]) / told[name]["sd"]).fillna(0) for name in names])
    fit = sm.GLM(
        table["true_cases"].to_numpy(),
        sm.add_constant(z),
        family=sm.families.Poisson(),
        offset=np.log(table["expected_cases"].to_numpy()),
    ).fit()
    for row, name in enumerate(names, start=1):
        planted = told[name]["log_rr_per_sd"]
        assert planted == PLANTED.get(name, 0.0)
        assert abs(fit.params[row] - planted) < 4 * fit.bse[row] + 0.02, (
            name
        )  # 0.02: the smooth noise is not in the model
    assert all(abs(fit.params[names.index(name) + 1]) > 6 * fit.bse[names.index(name) + 1] for name in PLANTED)


def test_multipliers_have_mean_one_and_the_noise_its_size(drawn: tuple) -> None:
    cases, _, _ = drawn
    table = cases.communes
    assert np.isclose((table["multiplier"] * table["expected_cases"]).sum(), table["expected_cases"].sum())
    mean = np.average(table["noise"], weights=table["persons"])
    assert abs(mean) < 1e-9
    assert np.isclose(np.sqrt(np.average(table["noise"] ** 2, weights=table["persons"])), 0.08)


def test_missing_exposure_has_no_effect(drawn: tuple) -> None:
    cases, _, exposures = drawn
    table = cases.communes.merge(exposures, on="insee_code")
    told = cases.planted["variables"]
    known = sum((told[name]["log_rr_per_unit"] * (table[name] - told[name]["mean"])).fillna(0) for name in PLANTED)
    expected = np.exp(known + table["noise"]) / cases.planted["normaliser"]
    assert table["water_nitrate_mg_l"].isna().any(), "this territory has communes without a value"
    assert np.allclose(expected, table["multiplier"])


def test_capture_declines_with_distance_as_planted(drawn: tuple) -> None:
    cases, _, _ = drawn
    distance = cases.communes["als_centre_km"].to_numpy()[cases.commune]
    near = distance < 40
    for part in (near, ~near):
        share = cases.communes["capture"].to_numpy()[cases.commune[part]].mean()
        seen = int(cases.captured[part].sum())
        assert stats.binomtest(seen, int(part.sum()), share).pvalue > 1e-4
    told = cases.planted["capture"]
    assert np.allclose(
        cases.communes["capture"],
        told["probability_at_a_centre"] * np.exp(told["log_per_100_km"] * cases.communes["als_centre_km"] / 100),
    )


def test_diagnoses_fall_in_the_stated_years(drawn: tuple) -> None:
    cases, _, _ = drawn
    years = cases.day.astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970
    assert years.min() == FIRST_YEAR
    assert years.max() == LAST_YEAR


def test_planted_rates_over_replicates() -> None:
    # Twelve draws of the outcome, seeds in order, one world: a bias of one standard error would show in their mean.
    _, counts, exposures = draw(20, None)
    place = choose_territory(10_000_000)
    near = np.zeros(len(place.communes))
    scores = []
    for seed in range(12):
        cases = draw_cases(place, counts, exposures, near, seed)
        told = cases.planted["variables"]
        table = cases.communes.merge(exposures, on="insee_code")
        table = table[table["expected_cases"] > 0]
        z = np.column_stack([((table[n] - told[n]["mean"]) / told[n]["sd"]).fillna(0) for n in PLANTED])
        # The noise is known to this test: with it as an offset the model is exactly the one that was planted.
        offset = np.log(table["expected_cases"]) + table["noise"] - np.log(cases.planted["normaliser"])
        fit = sm.GLM(table["true_cases"], sm.add_constant(z), family=sm.families.Poisson(), offset=offset).fit()
        scores.append((np.asarray(fit.params)[1:] - list(PLANTED.values())) / np.asarray(fit.bse)[1:])
    mean = np.array(scores).mean(axis=0) * np.sqrt(12)
    assert (np.abs(mean) < 4).all()
    assert (np.abs(scores) < 4.5).all()

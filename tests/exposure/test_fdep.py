"""Deprivation recomputed from its inputs: by hand, by another way, and against the open files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from epi.errors import DataError, EstimationError, ParameterError
from epi.exposure import build_fdep
from epi.geography import read_communes

COLUMNS = {"median_income": "income", "share_bac": "bac", "share_workers": "workers", "unemployment": "jobless"}


def towns(n=40, seed=4):
    rng = np.random.default_rng(seed)
    common = rng.standard_normal(n)
    noise = rng.standard_normal((n, 4))
    return pd.DataFrame(
        {
            "code": [f"{place:03d}" for place in range(n)],
            "people": rng.integers(100, 90_000, n),
            "income": 22_000 - 2500 * common + 1500 * noise[:, 0],
            "bac": 0.4 - 0.08 * common + 0.05 * noise[:, 1],
            "workers": 0.25 + 0.05 * common + 0.04 * noise[:, 2],
            "jobless": 0.10 + 0.03 * common + 0.02 * noise[:, 3],
        }
    )


def score(frame, **options):
    return build_fdep(frame, key="code", persons="people", **(COLUMNS | options))


def test_it_is_the_first_component_of_persons_not_of_areas():
    frame = towns()
    # Another way: repeat each area as often as it has hundreds of persons, then a plain singular value decomposition.
    frame["people"] = (frame["people"] // 100 + 1) * 100
    each = frame.loc[frame.index.repeat(frame["people"] // 100)]
    x = each[list(COLUMNS.values())].to_numpy()
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    _, values, axes = np.linalg.svd(z, full_matrices=False)
    axis = axes[0] * np.sign(axes[0][2])
    expected = pd.Series(z @ axis, index=each["code"].to_numpy()).groupby(level=0).first()
    found = score(frame)
    np.testing.assert_allclose(found.table.set_index("code")["fdep_recomputed"], expected, rtol=1e-10)
    assert found.explained == pytest.approx(values[0] ** 2 / (values**2).sum(), rel=1e-12)
    np.testing.assert_allclose(found.loadings["loading"], [np.corrcoef(z[:, k], z @ axis)[0, 1] for k in range(4)])
    assert found.loadings.set_index("input")["loading"].lt(0).tolist() == [True, True, False, False]


def test_quintiles_hold_a_fifth_of_the_population_each():
    frame = towns(400)
    found = score(frame).table.merge(frame[["code", "people"]])
    share = found.groupby("quintile_pop")["people"].sum() / frame["people"].sum()
    assert share.index.tolist() == [1, 2, 3, 4, 5]
    assert (share - 0.2).abs().max() < 90_000 / frame["people"].sum()
    means = found.groupby("quintile_pop")["fdep_recomputed"]
    assert (means.max().to_numpy()[:-1] <= means.min().to_numpy()[1:]).all()


def test_a_missing_input_leaves_the_area_out_and_the_others_alone():
    frame = towns()
    rest = score(frame.iloc[1:])
    frame.loc[0, "jobless"] = np.nan
    found = score(frame)
    assert np.isnan(found.table["fdep_recomputed"].iloc[0])
    assert found.table["quintile_pop"].isna().sum() == 1
    pd.testing.assert_frame_equal(found.table.iloc[1:].reset_index(drop=True), rest.table)
    assert found.settings["left_out"] == 1
    shuffled = score(frame.sample(frac=1, random_state=2))
    pd.testing.assert_frame_equal(shuffled.table, found.table)


def test_it_never_passes_for_the_official_index():
    found = score(towns())
    words = found.info(source="s", producer="p", vintage="2021", licence="l", support="bassin_de_vie")
    assert "not the official FDep" in words["direction_note"]
    assert "not the official FDep" in found.release().note
    assert "n'est pas le FDep officiel" in found.release("fr").note
    assert "fdep_recomputed" in found.table.columns
    assert "fdep" not in found.table.columns
    assert "not the official" in found._repr_html_()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda t: t.drop(columns="bac"), ParameterError, "no bac"),
        (lambda t: t.assign(income="rich"), DataError, "income is not numbers"),
        (lambda t: t.assign(people=-1), DataError, "negative in 40"),
        (lambda t: pd.concat([t, t.head(2)]), DataError, "2 row"),
        (lambda t: t.assign(jobless=np.inf), DataError, "infinite"),
        (lambda t: t.head(4), EstimationError, "five or more"),
        (lambda t: t.assign(jobless=0.1), EstimationError, "same value everywhere"),
        (lambda t: t.assign(income=-t["income"]), EstimationError, "exchanged"),
    ],
)
def test_inputs_that_cannot_be_are_refused(change, error, words):
    with pytest.raises(error, match=words):
        score(change(towns()))
    with pytest.raises(ParameterError, match="two inputs"):
        score(towns(), share_bac="income")


AREAS = "bassins_de_vie_2022_environment_social.csv.gz"
FILES = {  # share of variance that the file's description states
    AREAS: ("bv2022", "median_income_uc_eur_2021", 0.58, 1659),
    "arrondissements_2024_environment_social.csv.gz": ("arr", "median_declared_income_uc_eur", 0.55, 315),
}


def of_file(folder, name):
    key, income, _, _ = FILES[name]
    frame = pd.read_csv(folder / name, dtype={key: str})
    found = build_fdep(
        frame,
        key=key,
        persons="population_2021",
        median_income=income,
        share_bac="share_bac_or_more_2021",
        share_workers="share_workers_25_54_2011",
        unemployment="unemployment_rate_15_64_2021",
    )
    return frame, found


@pytest.mark.parametrize("name", list(FILES))
def test_the_compiled_files_are_found_again(open_data, name):
    if open_data is None:
        return
    key, _, explained, areas = FILES[name]
    frame, found = of_file(open_data, name)
    assert round(found.explained, 2) == explained
    assert found.settings["areas"] == areas
    both = frame.merge(found.table, on=key)
    # The file's inputs are rounded to four decimals, and so is its score.
    assert np.corrcoef(both["fdep_recomputed"], both["fdep_like"])[0, 1] > 0.9999998
    assert (both["fdep_recomputed"] - both["fdep_like"]).abs().max() < 0.0025
    assert (both["quintile_pop"] == both["fdep_like_quintile_pop"]).mean() > 0.99


def test_deprived_departements_die_more_as_the_files_description_says(open_data):
    if open_data is None:
        return
    _, found = of_file(open_data, AREAS)
    communes = read_communes()
    value = communes["bassin_de_vie"].astype(object).map(found.table.set_index("bv2022")["fdep_recomputed"])
    people = communes["population"].where(value.notna())
    areas = communes["departement"].astype(object)
    mean = (value * people).groupby(areas).sum(min_count=1) / people.groupby(areas).sum(min_count=1)
    mean = mean.round(9)  # départements that lie in one bassin de vie are tied, whatever the last bit of the division
    deaths = pd.read_csv(
        open_data / "external_checks" / "mortality_standardised_dept_2010_2023.csv.gz", dtype={"dept_code": str}
    )
    deaths = deaths[(deaths["year"] == 2019) & (deaths["sex"] == "both") & (deaths["cause_fr"] == "Toutes causes")]
    both = pd.concat([mean, deaths.set_index("dept_code")["standardised_rate_per_100000"]], axis=1).dropna()
    assert len(both) == 94
    assert round(both.corr(method="spearman").iloc[0, 1], 2) == 0.73

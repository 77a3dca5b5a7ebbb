"""Patients observed against births times incidence: numbers by hand, limits, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import DataError, ParameterError
from epi.geography import births_of_france
from epi.stats.intervals import ratio_interval
from epi.stats.uncertain_expected import uncertain_ratio_interval
from epi.survival import estimate_ascertainment

BIRTHS = pd.DataFrame({"birth_year": [2000, 2001, 2002, 2003], "births": [800_000, 810_000, 790_000, 780_000]})


def test_births_of_france_are_those_published() -> None:
    births = births_of_france().set_index("birth_year")
    assert births.index.tolist() == list(range(1982, 2021))
    # INSEE: 2014 with Mayotte, 1982 with the overseas départements.
    assert births.loc[[1982, 2000, 2014], "births"].tolist() == [823_260, 807_405, 818_565]
    assert births.index[births["provisional"]].tolist() == [2018, 2019, 2020]
    mine = births_of_france()
    mine["births"] = 0
    assert births_of_france().loc[0, "births"] == 823_260


def test_the_curve_by_hand() -> None:
    seen = pd.DataFrame({"birth_year": [2000] * 30 + [2001] * 50 + [2003] * 70})
    found = estimate_ascertainment(seen, 12.5, BIRTHS)
    assert found.table["expected"].tolist() == pytest.approx([100, 101.25, 98.75, 97.5])
    assert found.table["observed"].tolist() == [30, 50, 0, 70]
    exact = ratio_interval([30, 50, 0, 70], [100, 101.25, 98.75, 97.5])
    for ours, theirs in (("ascertainment", exact.estimate), ("exact_low", exact.low), ("ci_high", exact.high)):
        assert found.table[ours].tolist() == pytest.approx(np.asarray(theirs).tolist(), rel=1e-12)
    assert found.totals["observed"].item() == 150
    assert found.totals["ascertainment"].item() == pytest.approx(150 / 397.5)
    pairs = estimate_ascertainment(seen, 12.5, BIRTHS, width=3)
    assert pairs.table[["birth_year", "last_year", "observed"]].to_numpy().tolist() == [
        [2000, 2002, 80],
        [2003, 2003, 70],
    ]


def test_the_error_of_the_incidence_does_not_average_out() -> None:
    seen = pd.DataFrame({"birth_year": np.repeat([2000, 2001, 2002, 2003], 90)})
    found = estimate_ascertainment(seen, (12.5, 11.0, 14.2), BIRTHS)
    error = np.log(14.2 / 11.0) / (2 * stats.norm.isf(0.025))
    total = found.totals.iloc[0]
    wanted = uncertain_ratio_interval([360], [397.5], [error])
    assert [total["ci_low"], total["ci_high"]] == pytest.approx([wanted.low[0], wanted.high[0]])
    assert (found.table["ci_low"] < found.table["exact_low"]).all()
    # Many patients leave the incidence's own error.
    assert np.log(total["ci_high"] / total["ci_low"]) > np.log(14.2 / 11.0)


def test_groups_have_their_own_births_and_incidences() -> None:
    seen = pd.DataFrame(
        {"disease": ["cf", "cf", "pku"], "area": ["a", "b", "a"], "birth_year": [2000, 2000, 2001], "n": [8, 20, 5]}
    )
    births = BIRTHS.merge(pd.DataFrame({"area": ["a", "b"], "part": [0.25, 0.75]}), how="cross")
    births["births"] = (births["births"] * births.pop("part")).astype(int)
    incidence = pd.DataFrame(
        {"disease": ["cf", "pku"], "incidence": [12.0, 6.0], "low": [11.0, 5.0], "high": [13.0, 7.0]}
    )
    found = estimate_ascertainment(seen, incidence, births, by=["disease", "area"], count="n", years=(2000, 2001))
    table = found.table.set_index(["disease", "area", "birth_year"])
    assert len(table) == 6
    assert table.loc[("cf", "b", 2000), "expected"] == pytest.approx(600_000 * 12 / 1e5)
    assert table.loc[("pku", "a", 2001), ["births", "observed"]].tolist() == [202_500, 5]
    assert table.loc[("cf", "a", 2001), "observed"] == 0
    shuffled = estimate_ascertainment(
        seen.sample(frac=1, random_state=1), incidence, births.sample(frac=1, random_state=2), by=["disease", "area"],
        count="n", years=(2000, 2001),
    )  # fmt: skip
    pd.testing.assert_frame_equal(found.table, shuffled.table, check_exact=True)


def test_limits_cover_the_share() -> None:
    """Drawn patients and a drawn incidence: 95 % limits hold the true share about as often."""
    rng = np.random.default_rng(5)
    share, error, held = 0.6, 0.06, 0
    for _ in range(300):
        truth = 12.5
        estimate = truth * np.exp(error * rng.standard_normal())
        seen = pd.DataFrame(
            {"birth_year": BIRTHS["birth_year"], "n": rng.poisson(BIRTHS["births"] * truth / 1e5 * share)}
        )
        limits = (estimate, estimate * np.exp(-1.96 * error), estimate * np.exp(1.96 * error))
        total = estimate_ascertainment(seen, limits, BIRTHS, count="n").totals.iloc[0]
        held += total["ci_low"] <= share <= total["ci_high"]
    assert stats.binomtest(held, 300, 0.95).pvalue > 1e-4


def test_who_is_left_out_is_counted() -> None:
    seen = pd.DataFrame({"birth_year": [1975, 2000, 2019, None]})
    found = estimate_ascertainment(seen, 10.0, years=(1990, 2019))
    assert found.settings["outside"] == 1
    assert found.settings["without_birth_year"] == 1
    assert found.totals["observed"].item() == 2
    assert "provisional" in str(found)
    assert "1 patients were born outside 1990-2019" in str(found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"years": (1970, 2000)}, "years with births: 2000 to 2003"),
        ({"width": 0}, "width is 0"),
        ({"incidence": (12.0, 13.0, 14.0)}, "do not enclose"),
        ({"incidence": (12.0, 11.0)}, "2 values"),
        ({"incidence": -1.0}, "not above 0"),
        ({"incidence": pd.DataFrame({"incidence": [1.0, 2.0]})}, "several rows"),
        ({"births": pd.concat([BIRTHS, BIRTHS.head(1)])}, "stand twice"),
        ({"births": BIRTHS.drop(index=1)}, "have no births"),
        ({"by": "disease"}, "no column disease"),
        ({"count": "n"}, "parts of a person"),
    ],
)
def test_refusals(change: dict[str, object], words: str) -> None:
    seen = pd.DataFrame({"birth_year": [2000, 2003], "n": [1.5, 2]})
    options = {"incidence": 12.5, "births": BIRTHS, **change}
    with pytest.raises((ParameterError, DataError), match=words):
        estimate_ascertainment(seen, **options)  # type: ignore[arg-type]


def test_small_counts_take_their_ratio_along() -> None:
    seen = pd.DataFrame({"birth_year": [2000] * 40 + [2001] * 4 + [2002] * 60 + [2003] * 50})
    found = estimate_ascertainment(seen, 12.5, BIRTHS)
    chart = found.chart(marks={"registre": 2002}, lang="fr")
    decision = check_release(chart.release(), read_policy())
    assert not decision.refused
    row = decision.table.set_index("birth_year").loc[2001]
    assert row[["observed", "ascertainment", "ci_low", "ci_high"]].isna().all()
    # A second one falls, or the total would tell.
    assert decision.table["observed"].isna().sum() == 2
    figure = chart.figure(decision.table)
    assert "registre" in [text.get_text() for text in figure.axes[0].texts]
    heights = np.concatenate([line.get_ydata() for line in figure.axes[0].lines if len(line.get_ydata()) == 4])
    assert np.isnan(heights).sum() == 2
    with pytest.raises(ParameterError, match="lang"):
        found.release("de")  # type: ignore[arg-type]


def test_rounded_numbers_give_back_nothing_but_themselves() -> None:
    seen = pd.DataFrame({"birth_year": [2000] * 43 + [2001] * 36 + [2002] * 7 + [2003] * 115})
    found = estimate_ascertainment(seen, (12.5, 11.0, 14.2), BIRTHS)
    release = found.release(rounded=10)
    assert release.table["observed"].tolist() == [40, 40, 7, 120]
    assert "Numbers of patients are rounded to tens." in release.note
    assert "arrondis à la dizaine." in found.chart(lang="fr", rounded=10).release().note
    assert "multiples of 5" in found.release(rounded=5).note
    again = estimate_ascertainment(
        pd.DataFrame({"birth_year": BIRTHS["birth_year"], "n": [40, 40, 7, 120]}), (12.5, 11.0, 14.2), BIRTHS, count="n"
    )
    pd.testing.assert_frame_equal(release.table, again.release().table)
    shown = check_release(release, read_policy()).table.set_index("birth_year")
    assert np.isnan(shown.loc[2002, "observed"])
    assert found.release().table["observed"].tolist() == [43, 36, 7, 115]
    assert "rounded" not in found.release().note
    with pytest.raises(ParameterError, match="rounded is 0"):
        found.release(rounded=0)

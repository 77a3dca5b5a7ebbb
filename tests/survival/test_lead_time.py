"""Lead time: an earlier diagnosis that helps nobody helps survival since diagnosis only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import DataError, EstimationError, ParameterError
from epi.survival import SurvivalData, build_survival, check_lead_time, estimate_survival


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Same lives in both groups; diagnosis in the first weeks in one of them."""
    rng = np.random.default_rng(3)
    size = 3000
    era = rng.choice(["after", "before"], size)
    life = (9000 * rng.weibull(2.5, size)).astype(int) + 1
    found = np.where(era == "after", rng.integers(5, 40, size), rng.gamma(1.5, 900, size).astype(int))
    end = np.minimum(life, rng.integers(4000, 9000, size))
    born = pd.Timestamp("1990-01-01") + pd.to_timedelta(rng.integers(0, 3000, size), unit="D")
    table = pd.DataFrame({"exit": end, "died": life == end, "found": found, "born": born})
    table["era"] = pd.Categorical(era, categories=["before", "after"])
    return table


def ages(table: pd.DataFrame, **options: str) -> SurvivalData:
    return build_survival(table, exit="exit", event="died", scale="age", **options)  # type: ignore[arg-type]


def test_a_gain_that_nobody_lives(table: pd.DataFrame) -> None:
    found = check_lead_time(ages(table), "era", diagnosis="found", years=8)
    gains = found.survival[found.survival["group"] == "after"].set_index("scale")
    assert gains.loc["since_diagnosis", "difference_low"] > 0.04
    assert gains.loc["age", "difference_low"] < 0 < gains.loc["age", "difference_high"]
    kept = table[table["exit"] > table["found"]]
    median = kept.groupby("era", observed=True)["found"].median() / 365.25
    assert found.table["age_median"].tolist() == pytest.approx(median.tolist())
    assert found.table["shift"].tolist() == pytest.approx([0, median["after"] - median["before"]])
    assert found.settings["left_out"] == len(table) - len(kept)
    assert "since birth" in str(found)


def test_survival_is_that_of_the_estimator(table: pd.DataFrame) -> None:
    found = check_lead_time(ages(table), "era", diagnosis="found", years=8).survival
    kept = table[table["exit"] > table["found"]]
    kept_since = kept.assign(exit=kept["exit"] - kept["found"])
    since = build_survival(kept_since, exit="exit", event="died", scale="since_diagnosis", covariates=["era"])
    curve = estimate_survival(since, by="era").at(8, "years")
    part = found[found["scale"] == "since_diagnosis"]
    assert part["survival"].tolist() == curve["survival"].tolist()
    assert part["events"].tolist() == curve["events"].tolist()
    late = build_survival(kept, entry="found", exit="exit", event="died", scale="age", covariates=["era"])
    held = estimate_survival(late, by="era").conditional(minimal=20)
    start = held.settings["conditional_on"]
    part = found[found["scale"] == "age"]
    assert part["survival"].tolist() == held.at(start + 8 * 365.25)["survival"].tolist()
    assert part["from_years"].tolist() == [start / 365.25] * 2
    error = np.sqrt((part["se"] ** 2).sum())
    assert part["difference_high"].iloc[1] - part["difference"].iloc[1] == pytest.approx(1.959963984540054 * error)


def test_dates_and_the_other_scale_give_the_same(table: pd.DataFrame) -> None:
    dated = table.assign(
        end=table["born"] + pd.to_timedelta(table["exit"], unit="D"),
        diagnosed=table["born"] + pd.to_timedelta(table["found"], unit="D"),
    )
    wanted = check_lead_time(ages(table), "era", diagnosis="found", years=8)
    by_age = build_survival(dated, exit="end", event="died", origin="born", scale="age")
    found = check_lead_time(by_age, "era", diagnosis="diagnosed", years=8)
    pd.testing.assert_frame_equal(found.survival, wanted.survival)
    later = dated[dated["end"] > dated["diagnosed"]]
    since = build_survival(later, exit="end", event="died", origin="diagnosed", birth="born", scale="since_diagnosis")
    again = check_lead_time(since, "era", years=8)
    pd.testing.assert_frame_equal(again.survival, wanted.survival)
    pd.testing.assert_frame_equal(again.table, wanted.table)


def test_clusters_leave_differences_without_limits(table: pd.DataFrame) -> None:
    data = ages(table.assign(site=np.arange(len(table)) % 30), cluster="site")
    found = check_lead_time(data, "era", diagnosis="found", years=5)
    assert found.survival["difference_low"].isna().all()
    assert "clusters may lie in several groups" in str(found)


def test_refusals(table: pd.DataFrame) -> None:
    data = ages(table)
    for options, words in (({}, "diagnosis is None"), ({"diagnosis": "found", "years": 0}, "years above zero")):
        with pytest.raises(ParameterError, match=words):
            check_lead_time(data, "era", **options)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="one group"):
        check_lead_time(data, None, diagnosis="found")
    with pytest.raises(EstimationError, match="is not followed from"):
        check_lead_time(data, "era", diagnosis="found", years=60)
    holes = ages(table.assign(found=np.where(table.index < 3, -5.0, np.where(table.index < 5, np.nan, table["found"]))))
    with pytest.raises(DataError, match="2 rows have no diagnosis") as caught:
        check_lead_time(holes, "era", diagnosis="found")
    assert "3 rows have a diagnosis before birth" in str(caught.value)


def test_what_leaves_passes_the_gate(table: pd.DataFrame) -> None:
    for lang, words in (("fr", "depuis le diagnostic"), ("en", "since diagnosis")):
        chart = check_lead_time(ages(table), "era", diagnosis="found", years=8).chart(lang=lang)  # type: ignore[arg-type]
        decision = check_release(chart.release(), read_policy())
        assert not decision.refused
        assert not decision.n_hidden
        figure = chart.figure(decision.table)
        assert words in [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    few = check_lead_time(ages(table.head(150)), "era", diagnosis="found", years=3).chart()
    decision = check_release(few.release(), read_policy())
    assert decision.table[["since_diagnosis_survival", "age_survival"]].isna().any(axis=None)
    few.figure(decision.table)


def test_ages_are_weighted_as_survival_is(table: pd.DataFrame) -> None:
    """Weights of whole numbers count as copies; those of one change the quartiles by less than a day's neighbour."""
    small = table.head(400).assign(w=np.arange(400) % 3 + 1)
    heavy = check_lead_time(ages(small, weight="w"), "era", diagnosis="found", years=4).table
    copies = small.loc[small.index.repeat(small["w"])].reset_index(drop=True).assign(w=1.0)
    light = check_lead_time(ages(copies, weight="w"), "era", diagnosis="found", years=4).table
    assert heavy[["age_q1", "age_median", "age_q3"]].equals(light[["age_q1", "age_median", "age_q3"]])
    plain = check_lead_time(ages(small.drop(columns="w")), "era", diagnosis="found", years=4).table
    assert not heavy["age_median"].equals(plain["age_median"])


def test_no_event_leaves_a_difference_without_limits(table: pd.DataFrame) -> None:
    alive = check_lead_time(ages(table.assign(died=False)), "era", diagnosis="found", years=4).survival
    assert alive["difference"].eq(0).all()
    assert alive[["difference_low", "difference_high"]].isna().all(axis=None)

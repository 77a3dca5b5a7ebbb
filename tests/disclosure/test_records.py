"""Recorded results: what is kept, what is hidden, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import epi
from epi.disclosure import format_estimate, read_gate, read_results, results_table, verify_cell_output
from epi.errors import DataError, DisclosureError, ParameterError
from epi.results import Estimate


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EPI_RUN_DIR", str(tmp_path))
    monkeypatch.delenv("EPI_PROTOCOL", raising=False)
    return tmp_path


def test_a_result_is_kept_and_marked(run: Path) -> None:
    kept = epi.record(
        "sir", np.float64(1.8495), ci_low=1.5047, ci_high=2.2494, n=np.int64(100), settings={"level": 0.95}
    )
    assert repr(kept) == "sir: 1.85 (1.50-2.25)"
    assert "<strong>1.85 (1.50-2.25)</strong>" in kept.data["text/html"]
    node = {"output_type": "display_data", "data": kept.data, "metadata": kept.metadata}
    assert verify_cell_output(node, read_gate(run))
    assert read_results(run) == [Estimate("sir", 1.8495, 1.5047, 2.2494, "", 100, {}, {"level": 0.95})]


@pytest.mark.parametrize(
    ("value", "more", "why"),
    [
        (7, {}, "a whole number without unit counts persons"),
        (np.int64(10), {"unit": "patients"}, "ten patients"),
        (7.0, {"unit": "Persons"}, "the same as a float"),
        (1.3, {"n": 10, "ci_low": 0.9, "ci_high": 1.9}, "an estimate on ten persons"),
        (0.5, {"unit": "%", "n": 1000}, "five of a thousand"),
        (99.6, {"unit": "%", "n": 1000}, "all but four of a thousand"),
        (0.005, {"unit": "proportion", "n": 1000}, "five of a thousand"),
    ],
)
def test_small_numbers_are_hidden(run: Path, value: float, more: dict, why: str) -> None:
    kept = epi.record("result", value, **more)
    assert kept.suppressed, why
    assert kept.estimate.estimate is None
    row = json.loads((run / "results.jsonl").read_text(encoding="utf-8"))
    assert (row["estimate"], row["ci_low"], row["ci_high"], row["n"], row["suppressed"]) == (
        None,
        None,
        None,
        None,
        True,
    )
    assert "[c]" in kept.data["text/html"]


@pytest.mark.parametrize(
    ("value", "more"),
    [
        (0, {}),
        (11, {}),
        (7, {"unit": "years"}),
        (7.5, {}),
        (True, {}),
        ("logistic", {}),
        (22.5, {"unit": "%", "n": 26767}),
    ],
)
def test_other_values_are_kept(run: Path, value: object, more: dict) -> None:
    assert not epi.record("result", value, **more).suppressed


def test_a_stratum_left_between_total_and_strata_is_hidden(run: Path) -> None:
    """100 in all, 95 women: five men, even if nobody records them."""
    assert not epi.record("n_cases", 100).suppressed
    assert epi.record("n_cases", 95, stratum={"sex": "F"}).suppressed
    assert epi.record("n_cases", 5, stratum={"sex": "M"}).suppressed


def test_a_total_that_gives_a_stratum_away_is_hidden(run: Path) -> None:
    assert not epi.record("n_cases", 95, stratum={"sex": "F"}).suppressed
    assert epi.record("n_cases", 5, stratum={"sex": "M"}).suppressed
    assert epi.record("n_cases", 100).suppressed


def test_strata_large_enough_are_kept(run: Path) -> None:
    for sex, cases in (("F", 55), ("M", 45)):
        assert not epi.record("n_cases", cases, stratum={"sex": sex}).suppressed
        assert not epi.record("n_cases", cases, stratum={"sex": sex}).suppressed
    assert not epi.record("n_cases", 100).suppressed
    assert len(read_results(run)) == 3


def test_what_is_no_result_is_refused_with_all_reasons(run: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        epi.record("or", float("nan"), ci_low="low", n=-3, settings={"model": object()})
    assert len(caught.value.faults) == 4
    for wrong in ([1, 2], None, float("inf")):
        with pytest.raises(ParameterError):
            epi.record("or", wrong)
    assert not (run / "results.jsonl").exists()


def test_an_endless_interval_is_kept_and_said(run: Path) -> None:
    kept = epi.record("or", 3.2, ci_low=0.9, ci_high=float("inf"), n=40)
    assert kept.estimate.ci_high is None
    assert kept.reason == "ci_high is not finite"
    assert format_estimate(kept.estimate) == "3.20 (0.90-…)"


def test_identifiers_are_refused_without_their_value(run: Path) -> None:
    for more in (
        {"stratum": {"patient_id": "P0004711732"}},
        {"stratum": {"who": "P0004711732"}},
        {"settings": {"nir": "284127645108946"}},
        {"unit": "284127645108946"},
    ):
        with pytest.raises(DisclosureError) as caught:
            epi.record("result", 1.5, **more)
        assert "P0004711732" not in str(caught.value)
        assert "284127645108946" not in str(caught.value)


def test_settings_may_hold_dates_and_sets(run: Path) -> None:
    import datetime as dt

    epi.record("result", 1.5, settings={"from": dt.date(2012, 1, 1), "status": {"probable", "confirmed"}})
    assert read_results(run)[0].settings == {"from": "2012-01-01", "status": ["confirmed", "probable"]}


def test_a_name_and_stratum_come_once(run: Path) -> None:
    epi.record("sir", 1.5)
    epi.record("sir", 1.5)
    with pytest.raises(DisclosureError, match="with another value"):
        epi.record("sir", 1.6)
    assert len(read_results(run)) == 1
    line = (run / "results.jsonl").read_text(encoding="utf-8")
    (run / "results.jsonl").write_text(line * 2, encoding="utf-8")
    with pytest.raises(DataError, match="recorded twice"):
        read_results(run)


def test_results_make_one_long_table(run: Path) -> None:
    epi.record("incidence", 2.7, ci_low=2.5, ci_high=2.9, unit="per 100,000", stratum={"sex": "M"})
    epi.record("incidence", 1.9, unit="per 100,000", stratum={"sex": "F"})
    epi.record("cases", 7)
    table = results_table(run)
    assert table["name"].tolist() == ["cases", "incidence", "incidence"]
    assert table["stratum_sex"].tolist() == [None, "F", "M"]
    assert table["suppressed"].tolist() == [True, False, False]
    assert table["estimate"].isna().tolist() == [True, False, False]


def test_broken_lines_are_named(run: Path) -> None:
    (run / "results.jsonl").write_text('{"name": 1}\n[\n{"half', encoding="utf-8")
    with pytest.raises(DataError, match=r"results.jsonl is broken at line 2"):
        read_results(run)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate("sir", 100 / 54.07, 1.50, 2.25), "1.85 (1.50-2.25)"),
        (Estimate("share", 100 * 6022 / 26767, 22.0, 23.0, unit="%"), "22.5 % (22.0-23.0)"),
        (Estimate("n", 26767), "26\u202f767"),
        (Estimate("d", -0.25, -1.5, 1.0), "\u22120.25 (\u22121.50 to 1.00)"),
        (Estimate("p", 0.00012), "0.00012"),
        (Estimate("age", 65.25, unit="years"), "65.25 years"),
        (Estimate("hidden", None), "[c]"),
        (Estimate("model", "logistic"), "logistic"),
    ],
)
def test_estimates_read_as_in_papers(estimate: Estimate, text: str) -> None:
    assert format_estimate(estimate) == text

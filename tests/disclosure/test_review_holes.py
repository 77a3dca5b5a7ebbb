"""What a security review got through the gate: each way is closed."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import epi
from epi.disclosure import read_gate, read_result_rows
from epi.disclosure.checks import check_outputs
from epi.disclosure.gate import check_release
from epi.disclosure.policy import read_policy
from epi.errors import DisclosureError, ParameterError
from epi.results import Counted, Release

POLICY = read_policy()
N = (Counted("n"),)
BASE = pd.DataFrame({"group": ["a", "b"], "n": [40, 60]})
PSEUDONYMS = ["8c1f00a4b7d2e935", "1b3d5f7a9c0e2846"]


def refusal(table: pd.DataFrame, counts: tuple[Counted, ...] = (), **more: object) -> str:
    decision = check_release(Release(table, counts, **more), POLICY)  # type: ignore[arg-type]
    told = " ".join(map(str, decision.findings))
    assert not any(one in told for one in PSEUDONYMS)
    return decision.refused


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EPI_RUN_DIR", str(tmp_path))
    monkeypatch.delenv("EPI_PROTOCOL", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (7.0, ""),
        (np.float64(7), ""),
        ("7", ""),
        (" 7.0 ", ""),
        ("n = 7", ""),
        ("7 patients", ""),
        ("about 7 patients", ""),
        ("patients: 7", ""),
        ("7 (3 %)", ""),
        (7, "patients known"),
        (7, "new cases"),
        (7, "n"),
        (7, "Patients, aged 40 years"),
        ("7", "patients"),
        (7, "patients per-protocol"),
        (7, "or patients"),
    ],
)
def test_a_whole_value_counts_persons_unless_its_unit_says_otherwise(run: Path, value: object, unit: str) -> None:
    kept = epi.record("n_cases", value, unit=unit)
    assert kept.suppressed
    assert repr(kept) == "n_cases: [c] (fewer than 11 persons)"
    assert kept.estimate.estimate is None


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (7, "years"),
        (2.0, "SIR"),
        (3.0, "RR, Deprivation, per IQR (1.6)"),
        (7, "per 100,000 person-years"),
        (3, "cases per 100,000"),
        (8, "patient-years"),
        (7, "mg/L"),
        ("7 years", ""),
        ("logistic", ""),
        ("1.5", ""),
        (12.0, ""),
        ("12", "patients"),
    ],
)
def test_ratios_rates_and_measures_stay(run: Path, value: object, unit: str) -> None:
    assert not epi.record("result", value, unit=unit).suppressed


def test_n_gives_no_stratum_back_by_subtraction(run: Path) -> None:
    """100 in all, 95 women: the five men are found whatever the estimate is."""
    assert not epi.record("sir", 1.2, n=100).suppressed
    women = epi.record("sir", 1.1, n=95, stratum={"sex": "F"})
    assert women.suppressed
    assert women.estimate.n is None
    assert epi.record("sir", 2.2, n=5, stratum={"sex": "M"}).suppressed


def test_n_of_a_total_gives_no_stratum_back_either(run: Path) -> None:
    assert not epi.record("sir", 1.1, n=95, stratum={"sex": "F"}).suppressed
    assert epi.record("sir", 1.2, n=100).suppressed


def test_n_of_a_stratum_and_its_part_are_subtracted_too(run: Path) -> None:
    assert not epi.record("sir", 1.1, n=95, stratum={"sex": "F"}).suppressed
    assert epi.record("sir", 1.1, n=90, stratum={"sex": "F", "age": "65+"}).suppressed


def test_texts_of_counts_are_subtracted_too(run: Path) -> None:
    assert not epi.record("n_cases", "100").suppressed
    assert epi.record("n_cases", 95.0, stratum={"sex": "F"}).suppressed


@pytest.mark.parametrize(
    "cells",
    [
        ["3", "5"],
        [3, "-"],
        [Decimal(3), Decimal(5)],
        pd.Categorical([3, 4]),
        pd.Categorical(["3", "4"]),
        pd.to_timedelta([3, 5], unit="D"),
        [3.0, 5.5],
        ["<3", "-"],
        ["3 patients", "none"],
        ["n=3", "none"],
        ["[3]", "(5)"],
        [3 + 0j, 5 + 0j],
        pd.array(["3", None], dtype="string"),
        [3.0, None],
        pd.array([3.0, 5.5], dtype="Float64"),
    ],
)
def test_counts_do_not_leave_as_texts_or_objects(cells: object) -> None:
    table = pd.DataFrame({"sex": ["F", "M"], "x": cells})
    assert refusal(table) != ""
    assert refusal(table.assign(n=[40, 60]), N) != ""
    assert refusal(table.rename(columns={"x": "n_by_age"})) != ""


def test_a_whole_column_named_like_a_statistic_is_not_taken_at_its_word() -> None:
    table = pd.DataFrame({"sex": ["F", "M"], "estimate": [3.0, 5.0]})
    assert "estimate: whole numbers, not declared" in refusal(table)
    assert refusal(table.assign(estimate=[1.0, 0.0])) != ""
    assert refusal(table.assign(estimate=[3.0, 5.5])) == ""
    assert refusal(table.rename(columns={"estimate": "q_value"}).assign(q_value=[1.0, 1.0])) == ""


@pytest.mark.parametrize("cell", [["id1", "id2"], {"a": 1}, np.array([1, 2]), (1, 2), {1}, b"3", object()])
def test_a_cell_that_is_no_plain_value_is_refused(cell: object) -> None:
    table = BASE.assign(x=pd.Series([cell, "a"], dtype=object))
    assert "x: 1 cell(s) are no plain value" in refusal(table, N)


def persons(rows: int = 136) -> pd.DataFrame:
    return pd.DataFrame({"age_at_index": np.linspace(20, 80, rows) + 0.123, "bmi": np.linspace(17, 40, rows) + 0.017})


def test_rows_of_measures_are_rows_of_persons() -> None:
    assert "rows look like persons" in refusal(persons())
    assert refusal(persons().rename(columns={"age_at_index": "rate", "bmi": "estimate"})) == ""
    assert refusal(persons(), not_counts=("age_at_index", "bmi")) == ""


def test_a_renamed_place_of_residence_is_still_one() -> None:
    rows = pd.DataFrame({"sex": ["F", "M"] * 4, "age_at_index": np.linspace(20, 60, 8) + 0.5})
    rows["lieu"] = ["01004", "38185", "2A004", "97105", "75056", "13055", "69123", "31555"]
    assert "rows look like persons" in refusal(rows)
    counted = pd.DataFrame({"lieu": rows["lieu"], "n": range(20, 28)})
    assert "lieu: rows are communes" in refusal(counted, N)
    assert refusal(counted.rename(columns={"lieu": "bassin_de_vie"}), N) == ""


@pytest.mark.parametrize("shape", ["p{:04d}", "{:05x}9", "id{}", "K-{:03d}"])
def test_codes_that_come_once_each_are_refused(shape: str) -> None:
    rows = pd.DataFrame({"who": [shape.format(4000 + 37 * rank) for rank in range(40)], "sex": ["F", "M"] * 20})
    assert "codes that come once each" in refusal(rows)
    areas = pd.DataFrame({"area": [f"{rank:03d}" for rank in range(40)], "name": [f"Bassin {r}" for r in range(40)]})
    assert refusal(areas) == ""


@pytest.mark.parametrize(
    "text",
    [
        ", ".join(PSEUDONYMS),
        "P0004711732, P0004711733",
        "patient 8c1f00a4b7d2e935",
        "see 2 84 12 76 451 089 46.",
        "who:8c1f00a4b7d2e935;",
    ],
)
def test_identifiers_are_found_inside_longer_texts(run: Path, text: str) -> None:
    assert "shaped like" in refusal(BASE.assign(x=[text, "a"]), N)
    assert "shaped like" in refusal(pd.DataFrame({"x": [text, "a"]}))
    for more in ({"title": text}, {"note": text}, {"labels": {"n": text}}):
        assert "shaped like" in refusal(BASE, N, **more)
    for more in (
        {"stratum": {"who": [text]}},
        {"stratum": {text: "a"}},
        {"settings": {"left_out": {"which": [text]}}},
        {"settings": {text: 1}},
        {"settings": {"which": {text: 1}}},
        {"unit": text},
    ):
        with pytest.raises(DisclosureError) as caught:
            epi.record("result", 1.5, **more)  # type: ignore[arg-type]
        assert text not in str(caught.value)
    with pytest.raises(DisclosureError):
        epi.record("result", text)


def test_a_rate_per_persons_is_no_identifier(run: Path) -> None:
    assert not epi.record("rate_per_100000", 2.5, unit="per 100,000", n=100).suppressed
    assert refusal(BASE.assign(rate_per_100000=[2.5, 3.5]), N) == ""


def test_identifiers_are_no_headings() -> None:
    table = pd.DataFrame({PSEUDONYMS[0]: [1.5], PSEUDONYMS[1]: [7]})
    assert "shaped like: digest" in refusal(table)
    assert "shaped like" in refusal(BASE, N, labels={PSEUDONYMS[0]: "a"})


def test_dates_of_a_period_may_be_said_and_dates_of_persons_may_not(run: Path) -> None:
    lines = ["first diagnosed from 2012-01-01 to 2023-12-31", "aged 18 or more"]
    told = "Opposition rule 'strict' on 2025-06-30"
    assert refusal(pd.DataFrame({"Definition": lines}), title=told, note=told) == ""
    steps = pd.DataFrame({"label": lines, "n": [400, 300]})
    assert refusal(steps, (Counted("n", nested=True),)) == ""
    assert "exact date" in refusal(steps, N)
    assert "exact date" in refusal(BASE.assign(x=["diagnosed 2015-03-02", "a"]), N)
    assert "exact date" in refusal(pd.DataFrame({"sex": ["F"], "x": ["diagnosed 2015-03-02"]}))
    assert "exact date" in refusal(pd.DataFrame({"x": ["2015-03-02"]}))
    epi.record("result", 1.5, settings={"from": "2012-01-01", "run": "e74e2c04ded4", "p": 1.8539975178398458e-06})
    with pytest.raises(DisclosureError):
        epi.record("result", "diagnosed 2015-03-02")
    with pytest.raises(DisclosureError):
        epi.record("result", 1.5, stratum={"when": "seen 2015-03-02"})
    assert check_outputs(run) == []


def test_the_settings_may_hold_numbers_in_full(tmp_path: Path) -> None:
    text = 'name,settings\nsir,"{""p"": 1.8539975178398458e-06, ""from"": ""2012-01-01""}"\n'
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    assert check_outputs(tmp_path / "a.csv") == []


def test_results_have_the_level_of_the_protocol(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from epi.disclosure import recording

    declared = (SimpleNamespace(name="sir", level="internal"), SimpleNamespace(name="rate", level="public"))
    protocol = SimpleNamespace(min_count=11, sources=["bndmr"], outputs=declared)
    monkeypatch.setattr(recording, "read_granted", lambda: protocol)
    epi.record("sir", 1.5, n=100)
    epi.record("rate", 2.5, unit="per 100,000", n=100)
    assert [line["level"] for line in read_gate(run)] == ["internal", "public"]
    assert [row["level"] for row in read_result_rows(run)] == ["public", "internal"]
    assert [row["name"] for row in read_result_rows(run, level="public")] == ["rate"]
    assert len(read_result_rows(run, level="restricted")) == 1
    assert len(read_result_rows(run, level="internal")) == 2
    with pytest.raises(ParameterError):
        read_result_rows(run, level="everyone")
    assert json.loads((run / "results.jsonl").read_text(encoding="utf-8").splitlines()[0])["level"] == "internal"

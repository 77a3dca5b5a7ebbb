"""A real outcome goes through the same estimators: type 1 diabetes by arrondissement.

The producer's files are read where they are; everywhere, small files written by hand in the same
layout are read too.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from conftest import open_data
from epi.association import estimate_sir, screen_exposures
from epi.errors import DataError, ParameterError
from epi.exposure import read_t1d
from epi.exposure.open_registers import DEFINITIONS, ENVIRONMENT_FILE, T1D_FILE, VARIABLES
from epi.geography.communes import territory
from epi.sources.open_data import layout_of

ELSEWHERE = str.maketrans("0134", "5678")
"""Turns the codes of the small files into codes that have no exposures."""


def write_small(folder, *, counts=None, areas=None):
    """Write both files for forty arrondissements: the first three have no row of counts."""
    rng = np.random.default_rng(np.random.PCG64(1))
    codes = [code for code in territory("arrondissement")["code"] if len(code) == 3 and code[0] in "0134"][:40]
    environment = pd.DataFrame({name: rng.normal(10, 2, 40).round(4) for name in VARIABLES})
    environment.insert(0, "arr", codes)
    for column in layout_of("arrondissement_environment").columns:
        if column.name not in environment:
            environment[column.name] = 1
    for group in ("pop_0_14", "pop_15_29", "pop_30_44"):
        environment[group] = rng.uniform(8_000, 60_000, 40).round(1)
    young = environment["pop_0_14"] + environment["pop_15_29"]
    rows = []
    for name, people, rate in (
        ("any_E10", young + environment["pop_30_44"], 140e-5),
        ("E10.1_ketoacidosis", young, 60e-5),
    ):
        drawn = rng.poisson(rate * people) + 11
        frame = pd.DataFrame(
            {
                "arr_code": codes,
                "pop_0029": young,
                "pop_0044": young + environment["pop_30_44"],
                "case_definition": name,
                "persons_2023": drawn,
            }
        )
        rows.append(frame.iloc[3:])
    table = pd.concat(rows)
    (folder / "external_checks").mkdir(parents=True)
    (counts(table) if counts else table).to_csv(folder / T1D_FILE, index=False)
    (areas(environment) if areas else environment).to_csv(folder / ENVIRONMENT_FILE, index=False)
    return folder


def analyse(register):
    sir = estimate_sir(register.cases, register.population, register.by, strata=())
    names = [name for name in register.variables if name != "fdep_like"]
    return sir, screen_exposures(sir, register, joint=names)


@pytest.mark.parametrize("definition", list(DEFINITIONS))
def test_small_files_in_the_same_layout_go_all_the_way(tmp_path, definition):
    register = read_t1d(write_small(tmp_path), definition)
    assert register.n_withheld == 3
    assert register.about["denominator"] == {"any_E10": "pop_0044"}.get(definition, "pop_0029")
    assert set(register.about["files"]) == {T1D_FILE, ENVIRONMENT_FILE}
    sir, screen = analyse(register)
    assert sir.overall["areas"] == 37
    assert sir.table["observed"].isna().sum() == 3
    assert (sir.table["observed"].dropna() >= 11).all()  # withheld is missing, never zero
    assert screen.n_tests["single"] == len(VARIABLES)
    assert screen.measure == "RR"
    assert screen.of("pm25_ugm3")["label_fr"] == "Particules fines PM2,5"


def test_the_population_of_a_withheld_area_is_that_of_its_census_groups(tmp_path):
    register = read_t1d(write_small(tmp_path), "E10.1_ketoacidosis")
    environment = pd.read_csv(tmp_path / ENVIRONMENT_FILE, dtype={"arr": str}).sort_values("arr")
    expected = (environment["pop_0_14"] + environment["pop_15_29"]).to_numpy()
    assert register.population["persons"].to_numpy() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"counts": lambda t: t.drop(columns="persons_2023")}, "persons_2023"),
        ({"counts": lambda t: t[t["case_definition"] != "any_E10"]}, "no row has case_definition"),
        ({"counts": lambda t: pd.concat([t, t.head(2)])}, r"2 row\(s\) have the arr_code"),
        ({"counts": lambda t: t.assign(persons_2023=t["persons_2023"].where(t.index > 3, 4))}, "under 11"),
        (
            {
                "counts": lambda t: t.assign(
                    arr_code=t["arr_code"].map(
                        lambda code: {"0": "5", "1": "6", "3": "7", "4": "8"}[code[0]] + code[1:]
                    )
                )
            },
            "no exposures",
        ),
        ({"counts": lambda t: t.assign(arr_code=t["arr_code"].astype(int))}, "lost their leading zeros"),
        ({"areas": lambda t: t.drop(columns=["pm25_ugm3", "no2_ugm3"])}, "lacks 2 column"),
    ],
)
def test_files_in_another_layout_are_refused_with_the_reason(tmp_path, changes, words):
    with pytest.raises(DataError, match=f"(?s){words}"):
        read_t1d(write_small(tmp_path, **changes))


def test_missing_files_and_unknown_definitions_are_told(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="is not there"):
        read_t1d(tmp_path)
    with pytest.raises(DataError, match="not a folder"):
        read_t1d(tmp_path / "nowhere")
    with pytest.raises(ParameterError, match="any_E10"):
        read_t1d(tmp_path, "E11")
    (tmp_path / "external_checks").mkdir()
    (tmp_path / T1D_FILE).write_bytes(b"\x1f\x8b not gzip")
    with pytest.raises(DataError, match="cut short or damaged"):
        read_t1d(tmp_path)
    monkeypatch.delenv("EPI_OPEN_DATA", raising=False)
    with pytest.raises(DataError, match="EPI_OPEN_DATA"):
        read_t1d()


def test_real_counts_give_back_what_the_files_hold(tmp_path):
    folder = open_data()
    real = folder is not None
    register = read_t1d(folder if real else write_small(tmp_path))
    sir, screen = analyse(register)
    counts = pd.read_csv((folder or tmp_path) / T1D_FILE, dtype={"arr_code": str})
    counts = counts[counts["case_definition"] == "any_E10"]
    assert sir.overall["observed"] == counts["persons_2023"].sum()
    assert sir.overall["person_years"] == pytest.approx(counts["pop_0044"].sum(), rel=1e-9)
    assert sir.overall["areas"] == len(counts)
    assert len(sir.table) == len(register.cases)
    if real:
        # By hand from the file: 46,585 persons of 34.84 M under 45, in 310 of 315 arrondissements.
        assert (sir.overall["observed"], sir.overall["areas"], len(sir.table)) == (46_585, 310, 315)
        assert sir.overall["rate_per_100000"] == pytest.approx(133.69, abs=0.01)
        deprivation = screen.of("fdep_like")
        assert 1.04 < deprivation["estimate"] < 1.13  # more hospitalised where people are poorer
        assert deprivation["q"] < 0.01
        assert screen.of("median_declared_income_uc_eur")["estimate"] < 1
    whole = screen_exposures(sir, register)
    if real:
        assert "nearly a linear combination" in whole.of("pm25_ugm3", "joint")["reason"]  # FDep and its parts


def test_shuffled_files_give_the_same_results(tmp_path):
    one = analyse(read_t1d(write_small(tmp_path / "a")))
    shuffled = {name: (lambda t: t.sample(frac=1, random_state=8)) for name in ("counts", "areas")}
    other = analyse(read_t1d(write_small(tmp_path / "b", **shuffled)))
    for mine, theirs in zip(one, other, strict=True):
        pd.testing.assert_frame_equal(mine.table, theirs.table, rtol=1e-9)

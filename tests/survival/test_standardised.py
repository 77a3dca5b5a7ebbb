"""Age-standardised survival: equal to relsurv and survival by age group, near popEpi; never silently weighed anew."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from epi.errors import DataError, DisclosureError, EstimationError, ParameterError
from epi.stats import SURVIVAL_STANDARDS
from epi.survival import build_life_table, build_survival, estimate_net_survival, standardise_net, standardise_survival
from epi.survival.age_standard import standard_weights

ORACLE = Path(__file__).parents[1] / "oracle"
REFERENCE = json.loads((ORACLE / "standardised_net.json").read_text(encoding="utf-8"))
STANDARD = {"colrec": "icss1", "rdata": "icss1", "mgus2": "icss2"}


@pytest.fixture(scope="module")
def slopop():
    cells = pd.read_csv(ORACLE / "net_survival_slopop.csv.gz")
    cells["sex"] = cells["sex"].map({"male": "M", "female": "F"})
    wide = cells.pivot_table(index=["sex", "age"], columns="year", values="hazard_per_day")
    wide = wide.reindex(columns=range(wide.columns.min(), wide.columns.max() + 1)).ffill(axis=1)
    long = wide.stack().rename("hazard_per_day").reset_index()
    return build_life_table(long, name="slopop", infant=(), extend="nearest", year_length=365.241, notes=["Slovenia"])


def follow(name, rows=slice(None), youngest=15):
    frame = pd.read_csv(ORACLE / f"net_survival_{name}.csv.gz")
    frame = frame[frame["age"] >= np.ceil(youngest * 365.25)][rows].reset_index(drop=True)
    start = pd.Timestamp("1970-01-01") + pd.to_timedelta(frame["diag"], unit="D")
    frame = frame.assign(
        start=start, born=start - pd.to_timedelta(frame["age"], unit="D"),
        part=np.where(frame.index % 2, "odd", "even"),
        end=start + pd.to_timedelta(frame["time"], unit="D"), sex=frame["sex"].map({1: "M", 2: "F"}),
    )  # fmt: skip
    return build_survival(frame, entry="start", exit="end", event="stat", origin="start", birth="born",
                          covariates=["sex", "part"])  # fmt: skip


def test_the_standards_are_those_of_the_second_source():
    for name, weights in SURVIVAL_STANDARDS.items():
        assert np.array(list(weights.values())) / 100 == pytest.approx(REFERENCE["icss"][name.upper()], abs=1e-12)


@pytest.mark.parametrize("name", ["colrec", "rdata", "mgus2"])
def test_standardised_survival_is_that_of_r_by_group(name, slopop):
    data, expected = follow(name), REFERENCE["results"][name]
    given = {"standard": STANDARD[name], "age_bands": expected["breaks"]}
    times = expected["times"]
    for found, key, tolerance in (
        (standardise_net(data, slopop, **given), "net", 5e-8), (standardise_survival(data, **given), "observed", 1e-10),
    ):  # fmt: skip
        read, wanted = found.at(times), expected[key]
        assert list(found.settings["standard_weights"].values()) == pytest.approx(expected["weights"])
        assert read["survival"].to_numpy() == pytest.approx(wanted["survival"], rel=tolerance)
        # While nobody of an age group has died R sums its error of 0; of what it may hide nothing is known.
        spread = found.by_age(times).pivot(index="time", columns="age_group", values="se")
        known = (spread.to_numpy() > 0).all(axis=1)
        assert known.sum() >= len(times) - 1
        for column, its in (("se", "se"), ("ci_low", "low"), ("ci_high", "high")):
            assert read[column].to_numpy()[known] == pytest.approx(np.array(wanted[its])[known], rel=1e-7)
            assert read[column][~known].isna().all()
        parts = found.by_age(times).pivot(index="time", columns="age_group", values="survival")
        assert parts.to_numpy() == pytest.approx(np.array(wanted["groups"]), rel=tolerance)


def test_popepi_is_near_and_sums_as_we_do(slopop):
    popepi = REFERENCE["popepi"]
    assert max(popepi["formula"]) < 1e-12, "popEpi's standardised estimate and error are the sums over its groups"
    found = standardise_net(follow("colrec"), slopop).at(np.array(popepi["months"]) / 12, "years")
    # popEpi goes by months, with the population's hazard at the middle of each piece.
    assert found["survival"].to_numpy() == pytest.approx(popepi["survival"], rel=0.003)
    assert found["se"].to_numpy() == pytest.approx(popepi["se"], rel=0.03)


def test_weights_of_the_data_give_the_curve_of_the_data_and_one_group_is_itself(slopop):
    data = follow("rdata", youngest=0)
    one = standardise_net(data, slopop, standard=pd.DataFrame({"age_low": [0], "weight": [3]}), by="part")
    plain = estimate_net_survival(data, slopop, by="part").at([500, 2000])
    read = one.at([500, 2000])
    for column in ("group", "at_risk", "events", "survival", "se", "ci_low", "ci_high"):
        assert read[column].tolist() == pytest.approx(plain[column].tolist()), column
    assert read["unstandardised"].tolist() == pytest.approx(read["survival"].tolist())
    # Everybody followed as long: Kaplan-Meier standardised to the data's own ages is the share who live.
    whole = follow("rdata", youngest=0).window(high=200)
    kept = whole.select((whole.exit == 200) | (whole.event > 0))
    age = (kept.origin - kept.birth) / 365.25
    own = pd.DataFrame({"age_low": [0, 60, 70], "weight": np.histogram(age, [0, 60, 70, 200])[0]})
    found = standardise_survival(kept, standard=own).at([100, 200])
    assert found["survival"].tolist() == pytest.approx([(kept.exit > day - (kept.event == 0)).mean()
                                                        for day in (100, 200)])  # fmt: skip
    assert found["survival"].tolist() == pytest.approx(found["unstandardised"].tolist())


def test_after_the_end_of_one_age_group_nothing_is_given(slopop):
    data = follow("colrec")
    age = (data.origin - data.birth) / 365.25
    cut = (age >= 75) & (data.exit > 1000)
    short = replace(data, exit=np.where(cut, 1000, data.exit), event=np.where(cut, 0, data.event))
    for found in (standardise_net(short, slopop), standardise_survival(short)):
        read = found.at([900, 1001, 2000])
        assert read["survival"].notna().tolist() == [True, False, False]
        assert read[["se", "ci_low", "ci_high"]].iloc[1:].isna().all(axis=None)
        assert read["unstandardised"].notna().all() and found.table["survival"].notna().any()
        assert any("follow-up of ages 75+ ends within year 3: no standardised value" in note for note in found.notes)
    no_weight = pd.DataFrame({"age_low": [15, 45, 75], "weight": [1, 2, 0]})
    assert standardise_net(short, slopop, standard=no_weight).at([2000])["survival"].notna().all()


def test_few_deaths_are_noted_by_age_and_notes_of_the_table_once(slopop):
    data = follow("colrec", slice(0, 600))
    found = standardise_net(data, slopop, by="part")
    assert any(note.startswith("even: ") and "15-44 " in note and "fewer than 20" in note for note in found.notes)
    assert found.notes.count("Slovenia") == 1
    few = standardise_survival(data)
    assert any("fewer than 20 events at ages 15-44" in note for note in few.notes)
    assert "standardised by age (icss1)" in str(found) and "Pohar-Perme" in found._repr_html_()


def test_what_is_released_tells_of_nobody_of_an_age(slopop):
    data = follow("colrec")
    found = standardise_net(data, slopop, by="part")
    release = found.release(years=1)
    table = release.table
    assert set(table["group"]) == {"even", "odd"} and "slopop" in release.note and "15-44 7%" in release.note
    for group, rows in table.groupby("group"):
        part, days = found.curves[group][0].data, np.floor(np.round(rows["years"] * 12) / 12 * 365.25 + 1e-8)
        ages = part.column("age_at_origin")
        for label in ages.cat.categories:
            mine = (ages == label).to_numpy()
            for event in (True, False):
                times = part.exit[mine & ((part.event > 0) == event)]
                counts = np.histogram(times, [-np.inf, *(days + 0.5), np.inf])[0]
                assert ((counts == 0) | (counts >= 11)).all()
        read = found.at(rows["years"], "years")
        assert rows["survival"].to_numpy() == pytest.approx(read[read["group"] == group]["survival"], abs=0.01)
    assert standardise_survival(data).release().title == "Age-standardised survival"
    with pytest.raises(DisclosureError, match="age_bands"):
        standardise_net(follow("colrec", slice(0, 90)), slopop).release()


def test_what_cannot_be_standardised_is_told(slopop):
    data = follow("rdata")
    for wrong, said in (
        ({"standard": "icss4"}, "icss1 or icss2 or icss3"), ({"age_bands": [15, 50]}, "15, 45, 55, 65, 75"),
        ({"age_bands": [45, 55]}, "the first among them"), ({"interval": "log-log"}, "log, plain"),
        ({"standard": pd.DataFrame({"age_low": [0]})}, "no column weight"),
        ({"standard": pd.DataFrame({"age_low": [50, 0], "weight": [1, 1]})}, "do not rise"),
        ({"standard": pd.DataFrame({"age_low": [0, 50], "weight": [1, -1]})}, "negative"),
    ):  # fmt: skip
        with pytest.raises(ParameterError, match=said):
            standardise_net(data, slopop, **wrong)
    with pytest.raises(DataError, match="younger than 60 at time zero"):
        standardise_survival(data, standard=pd.DataFrame({"age_low": [60, 70], "weight": [1, 1]}))
    old = data.select((data.origin - data.birth) / 365.25 >= 65)
    with pytest.raises(EstimationError, match="aged 15-44, 45-54, 55-64 at time zero"):
        standardise_net(old, slopop)
    with pytest.raises(ParameterError, match="clusters"):
        standardise_survival(replace(data, cluster=data.person))
    with pytest.raises(DataError, match="ages at time zero are not known"):
        standardise_survival(replace(data, birth=None))
    with pytest.raises(ParameterError, match="time runs from birth"):
        standardise_survival(replace(data, scale="age"))
    assert standard_weights("icss3", [15, 45])[1].tolist() == pytest.approx([0.6, 0.4])

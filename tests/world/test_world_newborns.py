"""Diseases of newborn screening in the world: planted mortality, late entry, deaths that go unrecorded."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from epi.codes import screening_coverage
from epi.survival import life_table
from epi.world import World
from epi.world.newborns import PLANTED, TREND, TREND_ORIGIN, draw_newborns, planted_codes
from epi.world.territory import choose_territory
from world.raw_files import read_raw, read_truth

EXTRACTION = pd.Timestamp("2025-06-30")


@pytest.fixture(scope="module")
def people(sound_world: World) -> pd.DataFrame:
    return read_truth(sound_world, "newborns")


def test_the_registry_sees_the_living_from_2007_on(people, sound_world):
    seen = people[people["captured"]]
    assert seen["inclusion_date"].min() >= pd.Timestamp("2007-01-01")
    assert (seen["inclusion_date"] <= seen["death_date"].fillna(EXTRACTION)).all()
    assert people.loc[~people["captured"], ["inclusion_date"]].isna().all().all()
    early = people[people["death_date"] < "2007-01-01"]
    assert len(early) and not early["captured"].any()
    share = seen.loc[seen["death_date"].notna(), "death_recorded"]
    assert abs(share.mean() - 0.8) < 4 * np.sqrt(0.16 / len(share))
    patients = read_truth(sound_world, "patients")
    ours = patients[patients["orpha_code"].isin(planted_codes())]
    assert set(ours["patient_id"]) == set(seen["patient_id"]), "no other patient has one of these codes"
    merged = seen.merge(ours, on="patient_id", suffixes=("", "_patient"), validate="one_to_one")
    assert (merged["birth_date"] == merged["birth_date_patient"]).all()
    assert (merged["death_date"].eq(merged["death_date_patient"]) | merged["death_date"].isna()).all()


def test_screening_follows_the_calendar_and_finds_mild_forms(people):
    for name, disease in PLANTED.items():
        part = people[people["disease"] == name]
        covered = screening_coverage(disease.screened_as, part["birth_commune"].str[:2], part["birth_date"])
        assert (part["covered"] == ~np.isin(np.asarray(covered), ["none"])).all()
        assert (part["screened"] == (part["covered"] & (not disease.control))).all()
    late = (people["diagnosis_date"] - people["birth_date"]).dt.days
    assert (late[people["screened"]] == 12).all()
    mild = people[people["mild"] & (people["inclusion_date"].notna() | ~people["captured"])]
    share = mild.groupby("screened")["captured"].mean()
    assert share[True] > 5 * share[False], "without screening few mild forms come to notice"


def test_deaths_are_as_many_as_planted():
    people = draw_newborns(choose_territory(territories=["69", "42", "01", "38", "29"]), seed=4).table
    table = life_table(extend="nearest")
    none = np.iinfo(np.int64).min
    extraction = int((EXTRACTION - pd.Timestamp("1970-01-01")).days)
    for name, disease in PLANTED.items():
        part = people[people["disease"] == name]
        birth, male = part["birth"].to_numpy(), part["male"].to_numpy()
        died = part["death"].to_numpy() != none
        end = np.where(died, part["death"].to_numpy(), extraction)
        ratio = np.where(part["mild"], 0.0, np.where(part["screened"], disease.ratio, 1.0))
        expected = table.cumulative_hazard(np.where(male, "M", "F"), birth, birth, end)
        edges = np.arange(0, 66 * 365.25, 30.4375)
        for low in edges:
            rate = [value for age, value in disease.excess if age * 365.25 <= low + 1][-1] / 365.25
            year = 1970 + (birth + low) / 365.25
            inside = np.clip(end - birth - low, 0, 30.4375)
            expected += rate * ratio * np.exp(TREND * (year - TREND_ORIGIN)) * inside
        for group in (ratio == 1.0, ratio == disease.ratio, ratio == 0.0):
            if group.any():
                assert abs(died[group].sum() - expected[group].sum()) < 4 * np.sqrt(expected[group].sum()) + 1, name


def test_what_was_planted_is_written_beside(sound_world, people):
    planted = json.loads((sound_world.path / "truth" / "newborn_screening.json").read_text(encoding="utf-8"))
    assert planted["diseases"]["cf"]["ratio"] == 0.6 and planted["diseases"]["duchenne"]["control"]
    assert planted["births"] == people["disease"].value_counts(sort=False).to_dict()
    births = pd.read_parquet(sound_world.path / "reference" / "births.parquet")
    assert set(births["departement"]) == {"01", "42"} and births["year"].agg(["min", "max"]).tolist() == [1960, 2024]
    severe = people[~people["mild"] & (people["disease"] == "ch")]
    expected = births["births"].sum() * 34.8e-5
    assert abs(len(severe) - expected) < 4 * np.sqrt(expected)


def test_those_followed_for_life_come_every_year_until_lost(sound_world, people):
    care, activity = read_raw(sound_world, "care"), read_raw(sound_world, "activity")
    visits = activity.merge(care[["care_id", "patient_id"]], on="care_id").groupby("patient_id").size()
    seen = people[people["captured"] & people["death_date"].isna()].set_index("patient_id")
    years = (EXTRACTION - seen["inclusion_date"]).dt.days / 365.25
    long = visits.reindex(seen.index[years > 8])
    assert long.median() > 6

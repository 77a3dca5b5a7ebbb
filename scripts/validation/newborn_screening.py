"""The study of newborn screening recovers what was planted in a whole France, and its naive version does not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from validation.proof import ROOT, Proof, Row, Setting
from validation.survival_curves import failed, held

UNTIL, GRACE = "2024-12-31", 500


def open_design() -> tuple[Any, Any]:
    """Import the study's definitions."""
    folder = str(ROOT / "studies" / "neonatal_survival")
    sys.path.insert(0, folder)
    try:
        import design
        import effect
    finally:
        sys.path.remove(folder)
    return design, effect


def draw_members(territory: Any, seed: int) -> pd.DataFrame:
    """Draw the patients whom a registry of the territory would follow, as the study lays them out.

    What a registry loses besides (opposition, an unknown commune of birth) falls alike on both eras and is left out.
    """
    from epi.world.layout import NONE
    from epi.world.newborns import draw_newborns

    people = draw_newborns(territory, seed).table
    people = people[people["captured"] & ~people["mild"]]
    until = int((np.datetime64(UNTIL) - np.datetime64("1970-01-01")).astype(int))
    death = people["death"].to_numpy()
    news = np.where(death != NONE, np.minimum(people["visits_until"], death), people["visits_until"])
    end = np.minimum(news + GRACE, until)
    died = people["death_recorded"].to_numpy() & (death != NONE) & (death <= end)
    place = territory.communes["departement"].to_numpy(dtype=object)[people["birth_commune"].to_numpy()]
    days = {name: pd.to_datetime(people[name].to_numpy(), unit="D") for name in ("birth", "diagnosis", "inclusion")}
    frame = pd.DataFrame({
        "key": people["disease"].to_numpy(), "sex": np.where(people["male"], "M", "F"), "birth_date": days["birth"],
        "diagnosis_date": days["diagnosis"], "entry_date": days["inclusion"],
        "exit_date": pd.to_datetime(np.where(died, death, end), unit="D"), "died": died, "departement": place,
        "screened": people["covered"].to_numpy(),
    })  # fmt: skip
    return frame[(frame["entry_date"] < frame["exit_date"]) & (frame["birth_date"] >= "1965-01-01")]


def coverage_of_the_effect(setting: Setting) -> Iterator[Row]:
    """Cover the planted ratio of excess hazards in cystic fibrosis and sickle cell disease, and 1 in a control."""
    from epi.errors import EpiError
    from epi.world.newborns import PLANTED
    from epi.world.territory import choose_territory

    design, effect = open_design()
    territory = choose_territory(68_400_000)
    count: dict[str, list[bool]] = {}
    for seed in range(1, setting.replicates + 1):
        members = draw_members(territory, seed)
        data = design.follow_members(members, until=UNTIL)
        since_birth = design.follow_members(members, until=UNTIL, start="birth")
        for key in ("cf", "sickle_cell", "duchenne"):
            ways = {
                "within the common window": lambda key=key, data=data: effect.fit_effect(design.only(data, key)),
                "at risk since birth": lambda key=key, data=since_birth: effect.fit_ages(
                    design.only(data, key), period=False
                ),
            }
            if key == "cf":
                ways["areas of different starts"] = lambda key=key, data=data: effect.fit_areas(
                    effect.place_areas(design.only(data, key), key)
                )
            for way, fit in ways.items():
                try:
                    row = fit().table.iloc[0]
                except EpiError:
                    continue
                inside = bool(row["ci_low"] <= PLANTED[key].ratio <= row["ci_high"])
                count.setdefault(f"{key}: {way}", []).append(inside)
    for words, inside in sorted(count.items()):
        judge = failed if "since birth" in words else held
        yield judge(words, sum(inside), len(inside))


PROOFS: list[Proof] = [("Newborn screening: the planted effect in a whole France", coverage_of_the_effect)]

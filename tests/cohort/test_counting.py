"""The counting rules of the national report, on hand-made patients."""

from __future__ import annotations

from pathlib import Path

from cohort.hand_made import Registry
from epi.cohort import national_flow


def test_the_flow_has_the_form_of_the_published_one(tmp_path: Path) -> None:
    r = Registry()
    r.patient("ALS").diagnosis("ALS")
    r.patient("DEAD", died="2020-01-01").diagnosis("DEAD")  # whatever the vital status
    r.patient("TWICE").diagnosis("TWICE").diagnosis("TWICE", 399, "2016-01-01")  # once in each, once in totals
    r.patient("AGAIN").diagnosis("AGAIN").diagnosis("AGAIN", day="2018-01-01")  # the same disorder twice
    r.patient("SUBTYPE").diagnosis("SUBTYPE", 315306)  # counted in 21-OH deficiency, 90794
    r.patient("GROUP").diagnosis("GROUP", 98503)  # only a group
    r.patient("COMMON").diagnosis("COMMON", 484)  # Klinefelter: non rare in Europe
    r.patient("NOCODE").diagnosis("NOCODE", None, status="ongoing")
    r.patient("NONE")  # no diagnosis at all
    r.patient("SEARCHED").diagnosis("SEARCHED", 616874, status="undetermined")  # no diagnosis found
    r.patient("CARRIER").diagnosis("CARRIER", status="carrier")
    r.patient("FETUS", fetus=True).diagnosis("FETUS")
    r.patient("ABROAD", country="BE").diagnosis("ABROAD")
    r.patient("OPPOSED", opposed=True).diagnosis("OPPOSED")
    flow = national_flow(r.open(tmp_path / "ws"))
    assert flow.table["patients"].tolist() == [11, 7, 5]
    assert flow.apart["patients"].tolist() == [1, 1, 4, 1, 2]
    assert dict(zip(flow.by_disorder["orpha_code"], flow.by_disorder["patients"], strict=True)) == {
        399: 1,
        803: 4,
        90794: 1,
    }
    assert flow.disorders == 3
    # 753,660 -> 547,346 -> 493,740: each step is the one before less those set apart.
    known, coded, rare = flow.table["patients"]
    assert known - flow.apart["patients"][2] == coded
    assert coded - flow.apart["patients"][4] == rare
    assert flow.release().counts[0].nested
    assert "SYNTHETIC" in flow.release().note


def test_statuses_counted_are_a_choice(tmp_path: Path) -> None:
    r = Registry()
    r.patient("A").diagnosis("A", status="confirmed")
    r.patient("B").diagnosis("B", status="ongoing")
    ws = r.open(tmp_path / "ws")
    assert national_flow(ws).table["patients"].tolist() == [2, 2, 2]
    assert national_flow(ws, status="confirmed").table["patients"].tolist() == [2, 1, 1]

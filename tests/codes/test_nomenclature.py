"""The nomenclature: published counts, hierarchy, redirections, aggregation."""

from __future__ import annotations

from importlib import resources

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.codes import OrphaNomenclature, open_nomenclature
from epi.errors import CodeError

NOMENCLATURE = open_nomenclature()
TABLE = NOMENCLATURE.table()


def small(rows: list[tuple], edges: list[tuple[int, int]]) -> OrphaNomenclature:
    """Build a nomenclature: (code, status, level, aggregation, moved_to, referred_to)."""
    entities = pd.DataFrame(
        [
            {
                "orpha_code": code,
                "status": status,
                "level": level,
                "disorder_type": "Disease",
                "label_en": f"Disease {code}",
                "label_fr": "",
                "aggregation": aggregation,
                "preferential_parent": "",
                "moved_to": moved,
                "referred_to": referred,
            }
            for code, status, level, aggregation, moved, referred in rows
        ]
    ).astype({"moved_to": "Int32", "referred_to": "Int32"})
    frame = pd.DataFrame(edges, columns=["child", "parent"]).assign(classification_id=1)
    return OrphaNomenclature(entities, frame, "artificial")


def test_the_counts_of_the_2023_pack() -> None:
    with resources.as_file(resources.files("epi.codes") / "data" / "entities.parquet") as path:
        entities = pd.read_parquet(path)
    pack = entities[entities["in_pack_2023"]]
    assert len(pack) == 10_839
    assert pack["status"].value_counts().to_dict() == {
        "active": 9_479,
        "obsolete": 931,
        "deprecated": 288,
        "non_rare_in_europe": 141,
    }
    assert pack["level"].value_counts().to_dict() == {"disorder": 7_048, "group": 2_520, "subtype": 1_271}
    edges = NOMENCLATURE.edges
    pack_edges = edges[edges["classification_id"] != 0]
    assert len(pack_edges) == 35_755
    assert pack_edges["classification_id"].nunique() == 33, "the 34th has a head and no edge"


def test_als_has_no_subtype_and_lies_under_motor_neuron_disease() -> None:
    assert NOMENCLATURE.descendants(803) == (803,)
    assert NOMENCLATURE.descendants(803, include_self=False) == ()
    below = set(NOMENCLATURE.descendants(98503))
    assert {803, 300605, 357043, 35689, 247604, 454706, 98505, 98506} <= below
    assert 275872 not in below, "FTD-MND lies under dementias: a study must name it"
    assert 481 in below, "Kennedy disease, a differential, is there: a study names its codes"


def test_sickle_cell_disease_has_the_members_that_the_filiere_lists() -> None:
    below = set(NOMENCLATURE.descendants(275752))
    listed = {232, 251365, 251359, 695140, 695147, 251370, 251375, 251380, 700085, 700090, 699822, 251355}
    assert listed <= below
    # Sickle cell-beta-thalassaemia's two subtypes exist since the pack: they are aggregated by climbing.
    assert NOMENCLATURE.aggregate(695140) == (251359,)
    assert NOMENCLATURE.aggregate(695147) == (251359,)


def test_differences_of_sex_development_root_and_members() -> None:
    below = set(NOMENCLATURE.descendants(90771))
    assert {98085, 2982, 325546, 754, 99429, 90797, 90794, 315306, 315311} <= below
    assert NOMENCLATURE.aggregate(315306) == (90794,), "salt-wasting 21-OH is counted in 21-OH deficiency"
    assert NOMENCLATURE.aggregate(90771) == (), "a group is counted nowhere"
    assert NOMENCLATURE.aggregate(484) == (), "Klinefelter is non rare in Europe"


def test_codes_are_read_in_any_usual_way_and_refused_otherwise() -> None:
    for written in (803, "803", "ORPHA:803", "orpha803", " ORPHA 803 "):
        assert NOMENCLATURE.parse(written) == 803
    for wrong in ("G12.2", "", -3, True, 8.5, 99_999_999):
        with pytest.raises(CodeError):
            NOMENCLATURE.parse(wrong)


def test_moved_codes_have_one_active_target_and_referred_codes_none() -> None:
    moved = TABLE[TABLE["moved_to"].notna()]
    assert len(moved) == 288
    log = NOMENCLATURE.resolve_all(moved["orpha_code"])
    assert set(log["kind"]) == {"moved"}
    assert log["current"].tolist() == moved["moved_to"].tolist()
    referred = [c for c in TABLE["orpha_code"].tolist() if NOMENCLATURE.entity(c).referred_to]
    assert len(referred) == 836
    for code in referred:
        resolution = NOMENCLATURE.resolve(code)
        assert (resolution.current, resolution.is_flagged) == (code, True), "kept, never guessed"


def test_a_redirection_is_followed_once_and_never_in_circles() -> None:
    circle = small(
        [
            (1, "deprecated", "disorder", "", 2, None),  # 1 and 2 point at each other
            (2, "deprecated", "disorder", "", 1, None),
            (3, "deprecated", "disorder", "", 3, None),  # points at itself
            (4, "deprecated", "disorder", "", 5, None),  # to an active code: followed
            (5, "active", "disorder", "5", None, None),
            (6, "deprecated", "disorder", "", 4, None),  # to a code that moved again: shown, not chased
            (7, "obsolete", "disorder", "", None, 5),
        ],
        [],
    )
    found = {code: (circle.resolve(code).current, circle.resolve(code).kind) for code in range(1, 8)}
    assert found == {
        1: (1, "inactive"),
        2: (2, "inactive"),
        3: (3, "inactive"),
        4: (5, "moved"),
        5: (5, "active"),
        6: (6, "inactive"),
        7: (7, "referred"),
    }
    assert circle.resolve(6).candidates == (4,)
    assert circle.resolve(7).candidates == (5,)


def test_a_circle_in_the_hierarchy_ends() -> None:
    circle = small(
        [(code, "active", "group", "", None, None) for code in (1, 2, 3)]
        + [(4, "obsolete", "disorder", "", None, None)]
        + [(5, "active", "disorder", "5", None, None)],
        [(1, 2), (2, 3), (3, 1), (4, 3), (5, 4)],
    )
    assert circle.descendants(1) == (1, 2, 3, 5), "an obsolete code is left out, what lies below it is reached"
    assert circle.descendants(1, active_only=False) == (1, 2, 3, 4, 5)
    assert circle.ancestors(1) == (2, 3)


def test_a_subtype_of_two_disorders_is_counted_in_both() -> None:
    two = small(
        [
            (1, "active", "disorder", "1", None, None),
            (2, "active", "disorder", "2", None, None),
            (3, "active", "subtype", "", None, None),
            (4, "active", "subtype", "", None, None),  # a subtype of a subtype
            (5, "active", "subtype", "1|2", None, None),  # as the pack may write it
        ],
        [(3, 1), (3, 2), (4, 3)],
    )
    assert two.aggregate(3) == (1, 2)
    assert two.aggregate(4) == (1, 2)
    assert two.aggregate(5) == (1, 2)


def test_search_ignores_accents_case_and_language() -> None:
    for text in ("sclerose laterale amyotrophique", "AMYOTROPHIC lateral sclerosis", "Sclérose latérale"):
        assert 803 in NOMENCLATURE.search(text)["orpha_code"].tolist()
    assert NOMENCLATURE.search("drepanocytose")["orpha_code"].iloc[0] == 232
    assert NOMENCLATURE.search("zzzz").empty
    assert NOMENCLATURE.search("").empty


def test_labels_fall_back_to_english_where_no_french_one_exists() -> None:
    assert NOMENCLATURE.label(695140, "fr") == "Sickle cell-beta zero-thalassemia"


def test_all_unknown_codes_are_named_at_once() -> None:
    with pytest.raises(CodeError) as caught:
        NOMENCLATURE.resolve_all([803, 99_999_999, "abc"])
    assert len(caught.value.faults) == 2


@settings(max_examples=200)
@given(st.sampled_from(TABLE.loc[TABLE["level"] == "subtype", "orpha_code"].tolist()))
def test_the_disorder_of_a_subtype_is_above_it(code: int) -> None:
    current = NOMENCLATURE.resolve(code).current
    if NOMENCLATURE.status(current) == "active":
        for disorder in NOMENCLATURE.aggregate(code):
            assert NOMENCLATURE.level(disorder) == "disorder"
            assert NOMENCLATURE.is_a(current, disorder)
            assert current in NOMENCLATURE.descendants(disorder)


def test_every_active_subtype_has_a_disorder_and_every_active_disorder_itself() -> None:
    active = TABLE[TABLE["status"] == "active"]
    disorders = active[active["level"] == "disorder"]
    assert (disorders["aggregation"] == disorders["orpha_code"].astype(str)).all()
    subtypes = active[active["level"] == "subtype"]
    without = subtypes[subtypes["aggregation"] == ""]
    # Orphanet places these under a group only, or nowhere: they are counted in no disorder.
    assert without["orpha_code"].tolist() == [686462, 686465, 714407, 714413, 715635, 715640, 718255]
    assert (active.loc[active["level"] == "group", "aggregation"] == "").all()

"""Hand-made patients, each with the reason why they are in or out; the whole result is compared."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from cohort.hand_made import Registry
from epi.codes import open_code_list
from epi.cohort import Cohort
from epi.errors import ParameterError
from epi.workspace import Workspace

IN = "in"


def als_patients() -> tuple[Registry, dict[str, str]]:
    """Give the registry of the ALS definition, and for each patient the reason they are in or out."""
    r = Registry()
    r.patient("P01").diagnosis("P01")
    r.patient("P02", opposed=True).diagnosis("P02")
    r.patient("P03", note=None).diagnosis("P03")
    r.patient("P04", fetus=True).diagnosis("P04")
    r.patient("P05", country="BE").diagnosis("P05")
    r.patient("P06", country="RE", commune="97411").diagnosis("P06")
    r.patient("P07")
    r.patient("P08").diagnosis("P08", orpha=481)
    r.patient("P09").diagnosis("P09", status="refuted")
    r.patient("P10").diagnosis("P10", status="carrier").diagnosis("P10", status="probable", day="2016-01-01")
    r.patient("P11").diagnosis("P11", day=None)
    r.patient("P12").diagnosis("P12", day=None).diagnosis("P12", day="2014-06-15", precision="month")
    r.patient("P13").diagnosis("P13", day="2011-12-31")
    r.patient("P14").diagnosis("P14", day="2012-01-01")
    r.patient("P15").diagnosis("P15", day="2021-12-31")
    r.patient("P16").diagnosis("P16", day="2022-01-01")
    r.patient("P17").diagnosis("P17", day="2011-05-01").diagnosis("P17", day="2015-05-01")
    r.patient("P18", birth="1997-03").diagnosis("P18", day="2015-03-14")
    r.patient("P19", birth="1997-03").diagnosis("P19", day="2015-03-15")
    r.patient("P20", commune=None).diagnosis("P20")
    r.patient("P21", commune="99109").diagnosis("P21")
    r.patient("P22", commune="01003").diagnosis("P22")
    r.patient("P23", commune="69381").diagnosis("P23")
    r.patient("P24", country=None).diagnosis("P24")
    r.patient("P25").diagnosis("P25", orpha=1234, current=803)
    reasons = {
        "P01": IN,
        "P02": "opposed",
        "P03": "no trace of the note",
        "P04": "fetal file",
        "P05": "resident abroad",
        "P06": "residing elsewhere",  # La Réunion is France, not metropolitan France
        "P07": "no such diagnosis recorded",  # known, without any diagnosis
        "P08": "no such diagnosis recorded",  # Kennedy disease is not ALS
        "P09": "diagnosis of another status only",
        "P10": IN,  # a carrier status first, then a probable diagnosis: the second counts
        "P11": "date of diagnosis unknown",
        "P12": IN,  # one diagnosis without date, one known to the month
        "P13": "first diagnosed outside the period",  # the eve
        "P14": IN,  # the first day
        "P15": IN,  # the last day
        "P16": "first diagnosed outside the period",  # the day after
        "P17": "first diagnosed outside the period",  # first diagnosed before, again within
        "P18": "outside these ages",  # 17 years: the eve of the 18th birthday (15 March)
        "P19": IN,  # 18 on the day
        "P20": "commune unknown, or not one of today's",
        "P21": "commune unknown, or not one of today's",  # abroad, though the country says France
        "P22": IN,  # Amareins merged into another commune of Ain in 1974
        "P23": IN,  # 1st arrondissement of Lyon
        "P24": IN,  # no country written: France, as the dictionary says
        "P25": IN,  # an old code that moved to 803
    }
    return r, reasons


def als(ws: Workspace) -> Cohort:
    return (
        ws.cohort("ALS")
        .diagnosed_with(orpha=803, descendants=True, status={"confirmed", "probable"})
        .first_diagnosed_between("2012-01-01", "2021-12-31")
        .aged(at_least=18)
        .residing_in("metropolitan France")
        .index_on("diagnosis")
    )


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return als_patients()[0].open(tmp_path_factory.mktemp("als") / "ws")


def test_the_als_definition_keeps_and_loses_whom_it_should(ws: Workspace) -> None:
    reasons = als_patients()[1]
    cohort = als(ws)
    assert cohort.members["patient_id"].tolist() == [p for p, why in reasons.items() if why == IN]
    lost = cohort.attrition.table[cohort.attrition.table["removed"] > 0]
    expected: dict[str, int] = {}
    for why in reasons.values():
        if why != IN:
            expected[why] = expected.get(why, 0) + 1
    assert dict(zip(lost["reason"], lost["removed"], strict=True)) == expected


def test_members_have_the_columns_and_values_of_the_contract(ws: Workspace) -> None:
    members = als(ws).members.set_index("patient_id")
    assert list(members.columns) == [
        "index_date",
        "sex",
        "birth_date",
        "birth_commune",
        "age_at_index",
        "age_completed",
        "residence_commune",
        "insee_code",
        "orpha_code",
        "diagnosis_date",
        "diagnosis_date_precision",
        "diagnosis_status",
        "origin_date",
        "entry_date",
        "exit_date",
        "follow_up_days",
        "died",
    ]
    assert str(members["index_date"].dtype) == "datetime64[ns]"
    assert members.loc["P23", ["residence_commune", "insee_code"]].tolist() == ["69381", "69123"]
    assert members.loc["P22", ["residence_commune", "insee_code"]].tolist() == ["01003", "01165"]
    assert members.loc["P12", "index_date"].date() == dt.date(2014, 6, 15)
    assert members.loc["P12", "diagnosis_date_precision"] == "month"
    assert members.loc["P10", "diagnosis_status"] == "probable"
    assert members.loc["P25", "orpha_code"] == 803
    days = (dt.date(2015, 3, 12) - dt.date(1960, 5, 15)).days
    assert members.loc["P01", "age_at_index"] == days / 365.25
    assert members.loc["P01", "follow_up_days"] == (dt.date(2024, 6, 30) - dt.date(2015, 3, 12)).days


def test_explain_agrees_with_members_for_every_patient(ws: Workspace) -> None:
    cohort = als(ws)
    for patient, why in als_patients()[1].items():
        explanation = cohort.explain(patient)
        assert explanation.is_in == (why == IN)
        if why not in {IN, "opposed", "no trace of the note"}:
            assert why in explanation.verdict


def test_explain_answers_alike_for_the_opposed_and_the_unknown(ws: Workspace) -> None:
    cohort = als(ws)
    opposed, untraced, unknown = (cohort.explain(patient) for patient in ("P02", "P03", "Z99"))
    assert opposed == untraced == unknown
    assert opposed._repr_html_() == unknown._repr_html_()
    assert "P02" not in opposed._repr_html_()


def test_without_the_note_a_patient_is_kept_under_the_registry_rule(tmp_path: Path) -> None:
    ws = als_patients()[0].open(tmp_path / "ws", opposition="registry")
    cohort = als(ws)
    assert "P03" in cohort.members["patient_id"].tolist()
    assert cohort.attrition.table["label"].tolist()[:3] == [
        "known to the base",
        "not opposed to research",
        "not a fetal file",
    ]


def test_fetuses_and_foreign_residents_are_kept_when_asked(ws: Workspace) -> None:
    known = ws.cohort("all").diagnosed_with(803)
    assert {"P04", "P05"}.isdisjoint(known.members["patient_id"])
    wide = known.including_fetuses().including_foreign_residents()
    assert {"P04", "P05"} <= set(wide.members["patient_id"])
    assert "fetal" not in wide.words


def test_status_and_descendants(ws: Workspace) -> None:
    confirmed = ws.cohort("c").diagnosed_with(803, status="confirmed").members["patient_id"].tolist()
    assert "P10" not in confirmed
    group = ws.cohort("g").diagnosed_with("ORPHA:98503", status="confirmed").members["patient_id"].tolist()
    assert "P08" in group, "Kennedy disease lies under motor neuron disease"
    exact = ws.cohort("e").diagnosed_with(98503, descendants=False)
    assert exact.is_empty
    listed = ws.cohort("l").diagnosed_with(open_code_list("als")).members["patient_id"].tolist()
    assert listed == ws.cohort("n").diagnosed_with([803, 300605, 357043]).members["patient_id"].tolist()
    both = ws.cohort("b").diagnosed_with(803).without_diagnosis(481, when="ever")
    assert both.n == ws.cohort("n").diagnosed_with(803).n


def test_the_four_populations_are_told_apart(tmp_path: Path) -> None:
    r = Registry()
    # In the base since 2010, seen in 2020; diagnosed before the base existed.
    r.patient("OLD", care="2010-05-01").diagnosis("OLD", day="2001-01-01").activity("OLD", "2020-02-01")
    # New to the network in 2020, diagnosed elsewhere years before.
    r.patient("NEW", care="2020-03-01").diagnosis("NEW", day="2005-01-01").activity("NEW", "2020-03-01")
    # Diagnosed in 2020, in the base since the suspicion of 2019.
    r.patient("INC", care="2019-03-01").diagnosis("INC", day="2020-04-01").activity("INC", "2021-03-01")
    # Known, never seen again.
    r.patient("GONE", care="2012-03-01").diagnosis("GONE", day="2012-04-01")
    # In 2020 only an opinion on the file and a meeting about it.
    r.patient("FILE", care="2011-03-01").diagnosis("FILE", day="2011-04-01")
    r.activity("FILE", "2020-05-01", "expert_opinion").activity("FILE", "2020-05-02", "rcp_national")
    ws = r.open(tmp_path / "ws")
    base = ws.cohort("x").diagnosed_with(803)
    found = {
        cohort.population.name: cohort.members["patient_id"].tolist()
        for cohort in (
            base.known_to_the_base(),
            base.file_active(2020),
            base.first_included_between("2020-01-01", "2020-12-31"),
            base.first_diagnosed_between("2020-01-01", "2020-12-31"),
        )
    }
    assert found == {
        "known": ["FILE", "GONE", "INC", "NEW", "OLD"],
        "file_active": ["NEW", "OLD"],
        "new_case": ["NEW"],
        "incident": ["INC"],
    }
    assert base.file_active(2020, contexts="any").members["patient_id"].tolist() == ["FILE", "NEW", "OLD"]
    assert base.file_active(2020, contexts={"rcp_national"}).members["patient_id"].tolist() == ["FILE"]


def test_sites_networks_types_and_labels(tmp_path: Path) -> None:
    r = Registry()
    r.patient("A", site="S0001")  # coordinating centre of FILSLAN
    r.patient("B", site="S0002", out_of_label=True)  # competence centre of FILSLAN, outside its label
    r.patient("C", site="S0003")  # competence centre of MCGRE
    r.patient("D", site="S0003").care("D", "S0001", "2020-01-01")  # both networks
    r.activity("B", "2020-01-01").activity("C", "2020-01-01")
    ws = r.open(tmp_path / "ws")

    def who(**asked: object) -> list[str]:
        return ws.cohort("x").at_sites(**asked).members["patient_id"].tolist()  # type: ignore[arg-type]

    assert who(fsmr="FILSLAN") == ["A", "B", "D"]
    assert who(fsmr="FILSLAN", in_label=True) == ["A", "D"]
    assert who(sites=["S0003"]) == ["C", "D"]
    assert who(centre_type="CCMR") == ["B", "C", "D"]
    assert who(centre_type="CCMR", fsmr="FILSLAN") == ["B"], "one care meets both"
    active = ws.cohort("x").active_between("2020-01-01", "2020-12-31", in_label=True)
    assert active.members["patient_id"].tolist() == ["C"]


def test_ages_at_their_limits(tmp_path: Path) -> None:
    r = Registry()
    for patient, birth in (("A", "1950-01"), ("B", "1955-06"), ("C", "2019-07")):
        r.patient(patient, birth=birth)
    ws = r.open(tmp_path / "ws")
    base = ws.cohort("x").known_to_the_base()

    def who(at_least: float | None, at_most: float | None, on: str) -> list[str]:
        cohort = base.aged(at_least, at_most, on=on)
        return [] if cohort.is_empty else cohort.members["patient_id"].tolist()

    assert who(None, 64, "2020-06-14") == ["B", "C"], "the eve of the 65th birthday of B (15 June)"
    assert who(None, 64, "2020-06-15") == ["C"]
    assert who(65, None, "2020-06-15") == ["A", "B"]
    assert who(0, 0, "2020-07-14") == ["C"]
    assert who(0, 0, "2020-07-15") == [], "one year old"
    assert who(0.5, 1, "2020-01-14") == ["C"], "183 days are more than half of 365.25"
    assert who(0.5, 1, "2020-01-13") == [], "182 days are less than half of 365.25"


def test_index_rules_and_follow_up(tmp_path: Path) -> None:
    r = Registry()
    r.patient("A", birth="2000-01", care="2010-01-01").diagnosis("A", day="2012-01-01").activity("A", "2015-01-01")
    r.patient("B", birth="2000-01", care="2010-01-01", died="2014-01-01").diagnosis("B", day="2012-01-01")
    r.patient("C", birth="2000-01", care="2010-01-01", died="2011-12-31").diagnosis("C", day="2012-01-01")
    r.activity("B", "2013-01-01").activity("C", "2011-01-01")
    ws = r.open(tmp_path / "ws")
    base = ws.cohort("x").diagnosed_with(803)
    index = {
        rule: base.index_on(rule).members["index_date"].dt.strftime("%Y-%m-%d").tolist()
        for rule in ("diagnosis", "first_inclusion", "first_activity", "birth", "2013-05-01")
    }
    assert index == {
        "diagnosis": ["2012-01-01"] * 3,
        "first_inclusion": ["2010-01-01"] * 3,
        "first_activity": ["2015-01-01", "2013-01-01", "2011-01-01"],
        "birth": ["2000-01-15"] * 3,
        "2013-05-01": ["2013-05-01"] * 3,
    }
    followed = base.index_on("diagnosis").followed(until="2020-12-31").members
    assert followed["patient_id"].tolist() == ["A", "B"], "C died before the diagnosis was dated"
    assert followed["follow_up_days"].tolist() == [3287, 731]
    assert followed["died"].tolist() == [False, True]
    news = base.index_on("diagnosis").followed(until="2020-12-31", end="last_news").members
    assert news["exit_date"].dt.strftime("%Y-%m-%d").tolist() == ["2015-01-01", "2013-01-01"]
    assert news["died"].tolist() == [False, False], "last news come before the death"
    grace = base.index_on("diagnosis").followed(until="2020-12-31", end="last_news", grace_days=365)
    assert grace.members["exit_date"].dt.strftime("%Y-%m-%d").tolist() == ["2016-01-01", "2014-01-01"]
    assert grace.members["died"].tolist() == [False, True], "365 days after the last activity, the day included"
    assert "365 days after the last activity" in grace.words
    with pytest.raises(ParameterError, match="grace_days without"):
        base.index_on("diagnosis").followed(grace_days=30)
    truncated = base.index_on("birth").followed(origin="birth", entry="first_record").members
    assert truncated["entry_date"].dt.strftime("%Y-%m-%d").tolist() == ["2010-01-01"] * 3
    assert truncated["origin_date"].dt.strftime("%Y-%m-%d").tolist() == ["2000-01-15"] * 3
    long = base.index_on("diagnosis").followed(at_least_days=1000).members
    assert long["patient_id"].tolist() == ["A"]


def test_exclusions_ever_and_before_the_index_date(tmp_path: Path) -> None:
    r = Registry()
    r.patient("NONE").diagnosis("NONE", day="2015-01-01")
    r.patient("BEFORE").diagnosis("BEFORE", day="2015-01-01").diagnosis("BEFORE", 481, "2014-01-01")
    r.patient("SAME").diagnosis("SAME", day="2015-01-01").diagnosis("SAME", 481, "2015-01-01")
    r.patient("AFTER").diagnosis("AFTER", day="2015-01-01").diagnosis("AFTER", 481, "2016-01-01")
    r.patient("UNDATED").diagnosis("UNDATED", day="2015-01-01").diagnosis("UNDATED", 481, None)
    r.patient("REFUTED").diagnosis("REFUTED", day="2015-01-01").diagnosis("REFUTED", 481, "2014-01-01", "refuted")
    ws = r.open(tmp_path / "ws")
    base = ws.cohort("x").diagnosed_with(803).index_on("diagnosis")
    assert base.without_diagnosis(481).members["patient_id"].tolist() == ["NONE", "REFUTED"]
    past = base.without_diagnosis(481, when="before_index")
    assert past.members["patient_id"].tolist() == ["AFTER", "NONE", "REFUTED"]
    also = base.also_diagnosed_with(481).members["patient_id"].tolist()
    assert also == ["AFTER", "BEFORE", "SAME", "UNDATED"]


def test_places_sexes_and_population(ws: Workspace) -> None:
    base = ws.cohort("x").diagnosed_with(803)

    def who(cohort: Cohort) -> set[str]:
        return set(cohort.members["patient_id"])

    assert who(base.residing_in("outre-mer")) == {"P06"}
    assert who(base.residing_in("departement:69", "La Réunion")) == {"P06", "P23"}
    assert who(base.residing_in("69123")) == {"P23"}
    everyone = who(base)
    assert everyone - who(base.with_known_residence()) == {"P20", "P21"}
    assert who(base.in_communes_of(at_least=100_000)) == everyone - {"P20", "P21", "P22"}
    assert base.of_sex("M").is_empty
    assert base.of_sex({"M", "F"}).n == base.n


def test_first_signs(tmp_path: Path) -> None:
    r = Registry()
    r.patient("A", birth="2000-01").diagnosis("A", day="2012-01-01", signs_days=366.0)
    r.patient("B", birth="2000-01").diagnosis("B", day="2012-01-01")
    r.patient("C", birth="2000-01").diagnosis("C", day="2012-01-01", signs_days=0.0)
    ws = r.open(tmp_path / "ws")
    signs = ws.cohort("x").diagnosed_with(803).first_signs_between("2001-01-01", "2001-12-31")
    assert signs.members["patient_id"].tolist() == ["A"]
    lost = signs.attrition.table
    assert lost[lost["removed"] > 0]["reason"].tolist() == [
        "age at first signs unknown",
        "first signs outside the period",
    ]


def test_births_in_a_period_and_in_france(tmp_path: Path, ws: Workspace) -> None:
    r = Registry()
    r.patient("P1", birth="1990-01").patient("P2", birth="1989-12").patient("P3", birth="2000-12")
    r.patient("P4", birth="2001-01").patient("P5", birth="1995-01", birth_commune=None)
    r.patient("P6", birth="1995-01", birth_commune="99352").patient("P7", birth="1995-01", birth_commune="97105")
    cohort = (
        r.open(tmp_path).cohort("Births").known_to_the_base().born_between("1990-01-01", "2000-12-31").born_in_france()
    )
    assert cohort.members["patient_id"].tolist() == ["P1", "P3", "P7"]
    assert cohort.members["birth_commune"].tolist() == ["38185", "38185", "97105"]
    lost = {row.reason: row.removed for row in cohort.attrition.table.itertuples() if row.removed}
    assert lost == {"born outside the period": 2, "commune of birth unknown": 1, "born abroad": 1}
    assert "naissance en France, outre-mer compris" in cohort.in_words("fr")
    with pytest.raises(ParameterError):
        ws.cohort("Births").known_to_the_base().born_between("2000-01-01", "1990-01-01")

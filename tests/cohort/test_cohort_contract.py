"""What a cohort promises: immutable, order-free, conservative, refusing what is ambiguous."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohort.hand_made import Registry
from cohort.test_cohort_spec import als, als_patients
from epi.cohort import Cohort, compare_attrition
from epi.errors import CodeError, CohortError, ParameterError, ProtocolError
from epi.plotting import render
from epi.results import Releasable
from epi.workspace import Workspace


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    registry = als_patients()[0]
    for patient in ("P01", "P07", "P10", "P14"):
        registry.activity(patient, "2020-05-05")
    return registry.open(tmp_path_factory.mktemp("als") / "ws")


FILTERS = {
    "known": lambda c: c.known_to_the_base(),
    "period": lambda c: c.first_diagnosed_between("2012-01-01", "2021-12-31"),
    "adults": lambda c: c.aged(at_least=18, on="2015-03-14"),
    "women": lambda c: c.of_sex("F"),
    "place": lambda c: c.residing_in("metropolitan France"),
    "size": lambda c: c.in_communes_of(1000),
    "active": lambda c: c.file_active(2020),
    "new": lambda c: c.first_included_between("2010-01-01", "2020-01-01"),
    "site": lambda c: c.at_sites(fsmr="FILSLAN"),
    "without": lambda c: c.without_diagnosis(481),
    "index": lambda c: c.index_on("diagnosis"),
}


def test_a_filter_leaves_the_cohort_it_starts_from_alone(ws: Workspace) -> None:
    start = ws.cohort("x").diagnosed_with(803)
    before, words, digest = start.n, start.words, start.definition.digest
    for add in FILTERS.values():
        add(start)
    assert (start.n, start.words, start.definition.digest) == (before, words, digest)
    with pytest.raises(dataclasses.FrozenInstanceError):
        start.name = "y"  # type: ignore[misc]
    members = start.members
    members["sex"] = "?"
    assert set(start.members["sex"]) == {"F"}, "what is given out is a copy"


@settings(max_examples=12)
@given(names=st.lists(st.sampled_from(sorted(FILTERS)), max_size=6, unique=True))
def test_a_filter_never_adds_a_patient_and_nobody_is_lost_in_between(ws: Workspace, names: list[str]) -> None:
    cohort = ws.cohort("x").diagnosed_with(803)
    sizes = [cohort.attrition.table["n_out"].iloc[-1]]
    for name in names:
        cohort = FILTERS[name](cohort)
        sizes.append(cohort.attrition.table["n_out"].iloc[-1])
    assert sizes == sorted(sizes, reverse=True)
    table = cohort.attrition.table
    assert (table["n_in"] - table["removed"] == table["n_out"]).all()
    assert (table["n_in"].iloc[1:].to_numpy() == table["n_out"].iloc[:-1].to_numpy()).all()
    assert table["n_in"].iloc[0] == 25
    assert table["n_out"].iloc[-1] == (0 if cohort.is_empty else len(cohort.members))


@settings(max_examples=6)
@given(order=st.permutations(sorted(FILTERS)))
def test_the_order_of_filters_changes_the_flow_not_the_members(ws: Workspace, order: list[str]) -> None:
    base = ws.cohort("x").diagnosed_with(803)
    one, other = base, base
    for name in sorted(FILTERS):
        one = FILTERS[name](one)
    for name in order:
        other = FILTERS[name](other)
    pd.testing.assert_frame_equal(one.members, other.members)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_rows_changes_nothing(tmp_path: Path, seed: int) -> None:
    registry = als_patients()[0]
    # Two diagnoses on the same day, two inclusions: ties must not be broken by position.
    registry.diagnosis("P01", status="probable").care("P01", "S0003", "2015-01-10")
    plain = als(registry.open(tmp_path / "plain"))
    mixed = als(registry.open(tmp_path / "mixed", shuffle=seed))
    pd.testing.assert_frame_equal(plain.members, mixed.members)
    pd.testing.assert_frame_equal(plain.attrition.table, mixed.attrition.table)
    pd.testing.assert_frame_equal(plain.table_one().table, mixed.table_one().table)


def test_a_definition_that_is_true_without_any_row_is_refused(ws: Workspace) -> None:
    for empty in (
        ws.cohort("x"),
        ws.cohort("x").aged(at_least=18, on="2020-01-01"),
        ws.cohort("x").without_diagnosis(803),
        ws.cohort("x").of_sex("F").residing_in("France").without_diagnosis(803),
    ):
        with pytest.raises(CohortError, match="no diagnosis, no inclusion and no activity"):
            _ = empty.n


def test_incomplete_and_ambiguous_definitions_are_refused(ws: Workspace) -> None:
    base = ws.cohort("x").diagnosed_with(803)
    with pytest.raises(CohortError, match="index date"):
        _ = base.aged(at_least=18).n
    with pytest.raises(CohortError, match="does not say which"):
        _ = ws.cohort("x").first_diagnosed_between("2012-01-01", "2021-12-31").n
    with pytest.raises(CohortError, match="already"):
        base.diagnosed_with(481)
    with pytest.raises(CohortError, match="already"):
        base.index_on("diagnosis").index_on("birth")
    with pytest.raises(CohortError, match="already"):
        base.first_diagnosed_between("2012-01-01", "2012-12-31").first_diagnosed_between("2013-01-01", "2013-12-31")


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (lambda c: c.aged(), ParameterError, "no limit"),
        (lambda c: c.aged(at_least=65, at_most=18), ParameterError, "hold nobody"),
        (lambda c: c.aged(at_least="18"), ParameterError, "number of years"),
        (lambda c: c.first_diagnosed_between("2021", "2022"), ParameterError, "2012-01-01"),
        (lambda c: c.first_diagnosed_between("2022-01-01", "2021-01-01"), ParameterError, "before it starts"),
        (lambda c: c.of_sex("woman"), CohortError, "F, M, UNK"),
        (lambda c: c.residing_in("Atlantis", "Mordor"), CohortError, "2 place"),
        (lambda c: c.residing_in("69"), CohortError, "departement:69"),
        (lambda c: c.residing_in(), CohortError, "no place"),
        (lambda c: c.file_active("2020"), ParameterError, "year"),
        (lambda c: c.file_active(2020, contexts="by letter"), CohortError, "consultation"),
        (lambda c: c.at_sites(), CohortError, "asks for nothing"),
        (lambda c: c.at_sites(centre_type="clinic"), CohortError, "CCMR"),
        (lambda c: c.without_diagnosis(481, when="later"), ParameterError, "before_index"),
        (lambda c: c.without_diagnosis([99_999_999, 99_999_998]), CodeError, "2 code"),
        (lambda c: c.also_diagnosed_with([]), CodeError, "no ORPHA code"),
        (lambda c: c.also_diagnosed_with(803, status="sure"), CohortError, "confirmed"),
        (lambda c: c.index_on("tomorrow"), ParameterError, "first_inclusion"),
        (lambda c: c.followed(until="2030-01-01"), ParameterError, "after the extraction"),
        (lambda c: c.followed(entry="someday"), ParameterError, "first_record"),
        (lambda c: c.followed(at_least_days=-1), ParameterError, "0 or more"),
        (lambda c: c.in_communes_of(0), ParameterError, "inhabitants"),
        (lambda c: c.named(" "), ParameterError, "name"),
    ],
)
def test_wrong_arguments_are_refused_at_once_with_what_to_type(ws: Workspace, wrong, error, says) -> None:
    with pytest.raises(error, match=says):
        wrong(ws.cohort("x").diagnosed_with(803))


def test_an_empty_cohort_says_where_the_last_patient_was_lost(ws: Workspace) -> None:
    empty = ws.cohort("nobody").diagnosed_with(803).of_sex("M").file_active(2020)
    for look in (lambda c: c.n, lambda c: c.members, lambda c: c.table_one(), len):
        with pytest.raises(CohortError) as caught:
            look(empty)
        assert "of sex male" in caught.value.sentence
        assert "→ 0" in caught.value.sentence
        assert caught.value.exit_code == 6
    assert empty.attrition.table["n_out"].iloc[-1] == 0, "the flow can still be looked at"
    assert "is empty" in empty._repr_html_()


def test_no_error_carries_a_patient(ws: Workspace) -> None:
    empty = ws.cohort("nobody").diagnosed_with(803).of_sex("M")
    with pytest.raises(CohortError) as caught:
        _ = empty.n
    assert not any(patient in caught.value.sentence for patient in als_patients()[1])


def test_looking_past_the_index_date_is_flagged_and_shown(ws: Workspace) -> None:
    base = als(ws)
    assert [flag.kind for flag in base.flags] == ["note"], "the residence is the last one known"
    for add, word in (
        (lambda c: c.file_active(2020), "activity after the index date"),
        (lambda c: c.first_included_between("2010-01-01", "2022-01-01"), "inclusion after the index date"),
        (lambda c: c.without_diagnosis(481), "takes a patient out"),
        (lambda c: c.followed(at_least_days=100), "immortal time"),
        (lambda c: c.at_sites(fsmr="FILSLAN"), "may have begun after"),
    ):
        cohort = add(base)
        ahead = [flag for flag in cohort.flags if flag.kind == "looks ahead"]
        assert len(ahead) == 1
        assert word in ahead[0].words.en
        assert word in cohort.words
        assert "Regarde après la date index" in cohort.in_words("fr")
        assert word in cohort._repr_html_()
        assert cohort.attrition.table["looks_ahead"].sum() >= 1
        assert "⚠" in " ".join(cohort.attrition.release().table["label"])
    for add in (
        lambda c: c.without_diagnosis(481, when="before_index"),
        lambda c: c.of_sex("F"),
        lambda c: c.followed(),
    ):
        assert not [flag for flag in add(base).flags if flag.kind == "looks ahead"]


def test_delayed_entry_answers_a_birth_index(ws: Workspace) -> None:
    born = ws.cohort("x").diagnosed_with(803).index_on("birth")
    assert [flag.kind for flag in born.flags] == ["looks ahead"]
    assert not born.followed(origin="birth", entry="first_record").flags


def test_a_fixed_index_date_after_the_period_looks_at_the_past(ws: Workspace) -> None:
    base = ws.cohort("x").known_to_the_base().file_active(2020)
    assert not base.index_on("2021-01-01").flags
    assert base.index_on("2020-01-01").flags[0].kind == "looks ahead"


def test_the_wrong_population_is_refused_for_a_purpose(ws: Workspace) -> None:
    base = ws.cohort("x").diagnosed_with(803)
    als(ws).require_population("incident", "an incidence ratio")
    for wrong in (base, base.file_active(2020), base.first_included_between("2010-01-01", "2022-01-01")):
        with pytest.raises(CohortError, match="an incidence ratio"):
            wrong.require_population("incident", "an incidence ratio")


def test_the_explanation_cannot_be_published(ws: Workspace) -> None:
    explanation = als(ws).explain("P01")
    assert not isinstance(explanation, Releasable)
    assert "P01" not in repr(explanation)
    assert "1960" not in repr(explanation)
    assert "1960-05-15" in explanation._repr_html_()


def test_words_query_and_html_show_the_whole_definition(ws: Workspace) -> None:
    cohort = als(ws)
    for piece in ("ORPHA:803", "2012-01-01 to 2021-12-31", "aged at least 18", "metropolitan France", "'strict'"):
        assert piece in cohort.words
        assert piece.replace("'", "&#x27;") in cohort._repr_html_()
    for piece in ("Sclérose latérale amyotrophique", "France métropolitaine", "bornes incluses"):
        assert piece in cohort.in_words("fr")
    assert "SYNTHETIC DATA" in cohort._repr_html_()
    assert "2012, 1, 1" in cohort.query
    assert '"diagnosis"' in cohort.query
    assert "memtable" not in cohort.query
    assert cohort.period is not None
    assert cohort.settings["population"] == "incident"


def test_equal_definitions_share_their_digest_and_their_evaluation(ws: Workspace) -> None:
    one, other = als(ws), als(ws).named("another")
    assert one.definition.digest == other.definition.digest
    assert one._evaluate() is other._evaluate()
    assert one.definition.digest != one.of_sex("F").definition.digest


def test_columns_not_granted_are_refused_together(tmp_path: Path) -> None:
    folder = als_patients()[0].write(tmp_path / "ws")
    import duckdb

    tidy = folder / "tidy" / "patient.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE p AS SELECT * EXCLUDE (sex, residence_commune) FROM '{tidy}'")
        connection.execute(f"COPY p TO '{tidy}' (FORMAT parquet)")
    from epi.workspace import open_workspace

    ws = open_workspace(folder)
    with pytest.raises(ProtocolError) as caught:
        _ = ws.cohort("x").diagnosed_with(803).of_sex("F").residing_in("France").n
    assert caught.value.faults == ("patient.residence_commune", "patient.sex")
    members = ws.cohort("x").diagnosed_with(803).members
    assert members["sex"].isna().all()
    assert members["insee_code"].isna().all()


def test_a_verb_hung_on_cohorts_from_above(ws: Workspace) -> None:
    Cohort.register("shout", lambda cohort: cohort.name.upper())
    try:
        assert ws.cohort("als").shout() == "ALS"  # type: ignore[attr-defined]
    finally:
        del Cohort.shout  # type: ignore[attr-defined]
        Cohort._verbs.pop("shout")


def test_two_attritions_side_by_side(ws: Workspace) -> None:
    wide, narrow = als(ws), als(ws).named("women, seen in 2020").of_sex("F").file_active(2020)
    both = compare_attrition(wide.attrition, narrow.attrition)
    assert both.table["label"].tolist() == narrow.attrition.table["label"].tolist()
    assert both.table["n_1"].iloc[-2:].isna().all(), "steps that the first does not have"
    assert both.table["n_2"].iloc[-1] == narrow.n
    release = both.release()
    assert release.counts[0].nested
    assert set(release.table["cohort"]) == {"ALS", "women, seen in 2020"}
    assert render(both.chart("fr").figure()).startswith(b"\x89PNG")
    same = compare_attrition(wide.attrition, wide.attrition)
    assert same.names == ("ALS", "ALS (2)")


def test_the_flow_chart_is_drawn_from_its_table_and_hides_what_is_hidden(ws: Workspace) -> None:
    chart = als(ws).attrition.chart()
    hidden = chart.release().table.astype({"n": "Int64"})
    hidden.loc[hidden.index[4:6], "n"] = pd.NA
    texts = [text.get_text() for text in chart.figure(hidden).axes[0].texts]
    assert "n: hidden" in texts
    assert any("Excluded: hidden" in text for text in texts)
    whole = [text.get_text() for text in chart.figure().axes[0].texts]
    assert not any("hidden" in text for text in whole)
    assert "SYNTHETIC DATA" in whole


def test_steps_taken_together_give_every_reason(ws: Workspace) -> None:
    attrition = als(ws).attrition
    shown = attrition.chart("fr").release().table
    last = attrition.table.tail(3)
    shown = pd.concat([shown.head(-3), shown.tail(1).assign(label=" + ".join(last["label_fr"]), n=20)])
    # Numbers are those of the last of the steps, and less than before it: somebody left.
    shown["n"] = [20 * rank for rank in range(len(shown), 0, -1)]
    texts = [text.get_text() for text in attrition.chart("fr").figure(shown).axes[0].texts]
    wanted = "Exclus : " + ", ".join(reason for reason in last["reason_fr"] if reason) + " (n = 20)"
    assert wanted in " ".join(" ".join(texts).split())


def test_no_text_of_the_flow_chart_leaves_its_box(ws: Workspace) -> None:
    figure = als(ws).file_active(2020).attrition.chart("fr").figure()
    figure.draw_without_rendering()
    axes = figure.axes[0]
    boxes = [patch.get_window_extent() for patch in axes.patches]
    canvas = axes.get_window_extent()
    for text in axes.texts:
        if not text.get_text() or "SYNTH" in text.get_text():
            continue
        extent = text.get_window_extent()
        assert any(box.x0 <= extent.x0 and extent.x1 <= box.x1 for box in boxes), text.get_text()
        assert canvas.y0 <= extent.y0
        assert extent.y1 <= canvas.y1
    columns = sorted({round(box.x0) for box in boxes})
    for left in columns:
        own = sorted((box for box in boxes if round(box.x0) == left), key=lambda box: box.y0)
        assert all(low.y1 <= high.y0 for low, high in itertools.pairwise(own)), "boxes overlap"


def test_a_registry_without_any_patient_is_said_to_be_empty(tmp_path: Path) -> None:
    ws = Registry().open(tmp_path / "ws")
    with pytest.raises(CohortError, match="no patient that may be studied"):
        _ = ws.cohort("x").diagnosed_with(803).n


def test_the_period_does_not_depend_on_the_order_of_filters(tmp_path: Path) -> None:
    r = Registry()
    r.patient("P1").diagnosis("P1")
    base = r.open(tmp_path / "ws").cohort("x").diagnosed_with(803)
    diagnosis, signs = ("2015-01-01", "2015-12-31"), ("2010-01-01", "2019-12-31")
    one = base.first_diagnosed_between(*diagnosis).first_signs_between(*signs).index_on("diagnosis")
    other = base.first_signs_between(*signs).first_diagnosed_between(*diagnosis).index_on("diagnosis")
    assert one.period == other.period == (dt.date(2015, 1, 1), dt.date(2015, 12, 31))
    assert base.first_signs_between(*signs).period == (dt.date(2010, 1, 1), dt.date(2019, 12, 31))


@pytest.mark.parametrize("verb", ["first_diagnosed_between", "first_signs_between", "first_included_between"])
def test_a_period_of_new_events_ends_with_the_data(tmp_path: Path, verb: str) -> None:
    r = Registry()
    r.patient("P1").diagnosis("P1")
    base = r.open(tmp_path / "ws").cohort("x").diagnosed_with(803)
    with pytest.raises(CohortError, match=rf'extracted on 2024-06-30(.|\n)*{verb}\("2012-01-01", "2024-06-30"\)'):
        getattr(base, verb)("2012-01-01", "2024-07-01")
    assert getattr(base, verb)("2012-01-01", "2024-06-30").period[1] == dt.date(2024, 6, 30)


def test_completed_years_are_those_of_the_filter_on_every_birthday(tmp_path: Path) -> None:
    r = Registry()
    for year in range(1990, 2000):  # 18 on the day, whatever the leap years between
        r.patient(f"P{year}", birth=f"{year}-03").diagnosis(f"P{year}", day=f"{year + 18}-03-15")
        r.patient(f"Q{year}", birth=f"{year}-03").diagnosis(f"Q{year}", day=f"{year + 18}-03-14")
    members = r.open(tmp_path / "ws").cohort("x").diagnosed_with(803).index_on("diagnosis").members
    eighteen = members["patient_id"].str.startswith("P")
    assert (members.loc[eighteen, "age_completed"] == 18).all()
    assert (members.loc[~eighteen, "age_completed"] == 17).all()
    assert (members.loc[eighteen, "age_at_index"] < 18).any()  # days / 365.25 fall short of a birthday

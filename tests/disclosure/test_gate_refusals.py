"""What the gate refuses, and in which words: never a value."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from epi.disclosure.gate import check_release, read_release
from epi.disclosure.policy import Policy, read_policy
from epi.errors import DisclosureError, ProtocolError
from epi.files import read_yaml
from epi.plotting import Chart
from epi.results import Counted, Release

POLICY = read_policy()
CANARY = "P0004711732"
N = (Counted("n"),)


def refusal(table: pd.DataFrame, counts: tuple[Counted, ...] = N, **more: object) -> str:
    decision = check_release(Release(table, counts, **more), POLICY)  # type: ignore[arg-type]
    assert CANARY not in " ".join(map(str, decision.findings))
    return decision.refused


BASE = pd.DataFrame({"group": ["a", "b"], "n": [40, 60]})


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (BASE.assign(patient_id=[CANARY, "P0004711733"]), "patient_id: it is an identifier"),
        (BASE.assign(who=[CANARY, "P0004711733"]), "who: 2 cell(s) are shaped like: coded identifier"),
        (BASE.assign(code=["1 84 12 76 451 089 46", "x"]), "code: 1 cell(s) are shaped like: NIR"),
        (BASE.assign(number=["284127645108946", "x"]), "number: 1 cell(s) are shaped like: NIR"),
        (BASE.assign(day=["2015-03-12", "x"]), "day: 1 cell(s) are shaped like: exact date"),
        (BASE.assign(day=["12/03/2015", "x"]), "exact date"),
        (BASE.assign(first_signs_date=["2015", "2016"]), "first_signs_date: it is an identifier or an exact date"),
        (BASE.assign(birth_month=["03", "04"]), "birth_month"),
        (BASE.assign(when=pd.to_datetime(["2015-03-12", "2016-01-01"])), "it holds exact dates"),
        (BASE.assign(when=[dt.date(2015, 3, 12), None]), "it holds exact dates"),
        (BASE.assign(cases=[12, 3]), "cases: whole numbers, not declared: add Counted('cases')"),
        (BASE.assign(cases=[12.0, np.nan]), "cases: whole numbers, not declared"),
        (BASE.assign(cases=pd.array([12, None], dtype="Int64")), "cases: whole numbers, not declared"),
        (BASE.assign(text=["12 (34.0 %)", "3 (8.0 %)"]), "texts such as '12 (34 %)'"),
        (BASE.assign(age_max=[91.5, 88.2]), "age_max: a smallest or largest value is one person's"),
        (BASE.assign(age_mean=[51.2, 48.9]), "age_mean: a summary of persons"),
        (BASE.assign(n=[40.5, 60.0]), "n: declared as a count of persons, but not whole numbers"),
        (BASE.assign(n=["40", "60"]), "n: declared as a count of persons, but it holds texts"),
        (BASE.assign(n=[-40, 60]), "n: declared as a count of persons, but some are negative"),
        (BASE.iloc[:0], "the table has no row"),
        (BASE.drop(columns="n"), "n: declared, but not in the table"),
        (BASE.set_index("group"), "its index would be lost"),
        (BASE.assign(insee_code=["01004", "01007"]), "rows are communes and no column gives their population"),
        (BASE.assign(insee_code=["01004", "01007"], population=[14000.5, 900.5]), "1 row(s) are areas under 10000"),
    ],
)
def test_refused_tables(table: pd.DataFrame, words: str) -> None:
    assert words in refusal(table)


def test_rows_of_persons_are_refused() -> None:
    persons = pd.DataFrame({"sex": ["F", "M"] * 20, "age_at_index": np.linspace(20, 60, 40) + 0.5})
    persons["residence_commune"] = [f"c{rank}" for rank in range(40)]
    assert "make rows look like persons" in refusal(persons, ())


def test_a_copy_or_a_ratio_of_a_hidden_count_is_refused() -> None:
    table = pd.DataFrame({"area": ["A", "B"], "n": [7, 60], "expected": [5.4, 33.1]})
    assert refusal(table) == ""
    assert "sir: 'n' / 'expected'" in refusal(table.assign(sir=table["n"] / table["expected"]))
    assert "n2: cells that read as numbers" in refusal(table.assign(n2=["7", "60"]))
    assert "n2: it repeats 'n'" in refusal(table.assign(n2=["7", "60"]), not_counts=("n2",))
    assert "n2: it repeats 'n'" in refusal(table.assign(n2=["7", "-"]), not_counts=("n2",))
    shares = table.assign(of=[80, 90], part=[8.8, 66.7])
    assert "part: a share of 'n'" in refusal(shares, (Counted("n", of="of"),))
    declared = table.assign(sir=table["n"] / table["expected"])
    assert refusal(declared, (Counted("n", derived=("sir",)),)) == ""


def test_counts_above_their_denominator_are_refused() -> None:
    table = pd.DataFrame({"area": ["A"], "n": [70], "of": [60]})
    assert "1 count(s) exceed their 'of'" in refusal(table, (Counted("n", of="of"),))


def test_titles_and_notes_are_read_too() -> None:
    assert "title: the text holds what is shaped like: NIR" in refusal(BASE, title="case 184127645108946")
    assert refusal(BASE, title="ORPHA:98497 and 803, extract of 2024-12-31") == ""


@pytest.mark.parametrize(
    "table",
    [
        BASE.assign(code=["ORPHA:98497", "ORPHA:803"]),
        BASE.assign(atc=["N07XX02", "A16AX07"], icd=["G122", "E840"], area=["01004", "2A004"]),
        BASE.assign(age=pd.cut(pd.Series([3, 30]), [0, 18, 65])),
        BASE.assign(period=["2015", "2015-03"], share=[0.0, 1.0], q_value=[1.0, 1.0], known=[True, False]),
        BASE.assign(month=pd.PeriodIndex(["2015-01", "2015-02"], freq="M")),
        BASE.iloc[[1]],
    ],
)
def test_tables_that_may_leave(table: pd.DataFrame) -> None:
    assert refusal(table) == ""


def test_all_reasons_come_at_once() -> None:
    decision = check_release(Release(BASE.assign(patient_id=[CANARY, "x"], cases=[1, 2], age_max=[1.5, 2.5])), POLICY)
    with pytest.raises(DisclosureError) as caught:
        decision.raise_if_refused("cases")
    assert len(caught.value.faults) == 4
    assert CANARY not in str(caught.value)
    assert caught.value.exit_code == 7


@pytest.mark.parametrize("bare", [BASE, "text", 12, [BASE], BASE["n"], None, Release, Chart])
def test_bare_objects_are_told_what_to_type(bare: object) -> None:
    with pytest.raises(DisclosureError, match=r"type epi.output\(Release\(table, counts="):
        read_release(bare, "cases")


def test_a_bare_figure_is_told_to_be_a_chart() -> None:
    from epi.plotting import new_figure

    with pytest.raises(DisclosureError, match=r"type epi.output\(Chart\(Release"):
        read_release(new_figure(), "cases")


def test_the_decision_says_what_was_done() -> None:
    table = pd.DataFrame({"group": ["a", "b", "c"], "n": [40, 60, 3]})
    record = check_release(Release(table, (Counted("n", adds_up_within=()),)), POLICY).record()
    assert (record["verdict"], record["rows"], record["hidden"], record["n_smallest"]) == ("released", 3, 2, 60)
    assert record["rules"] == ["hidden:partner", "hidden:small_count"]
    assert record["policy"] == {"name": "epi-default", "version": "1", "min_count": 11}


def test_a_policy_is_checked_and_all_faults_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    import yaml

    from epi.disclosure import policy as module

    content = read_yaml(str(module.__file__).replace("policy.py", "policy.yml"))
    content |= {"min_count": 0, "mark": "n<11", "surprise": 1}
    (tmp_path / "policy.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ProtocolError) as caught:
        read_policy(tmp_path / "policy.yml")
    assert len(caught.value.faults) == 2
    content |= {"min_count": 5}
    del content["surprise"]
    (tmp_path / "policy.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ProtocolError, match="a mark with a digit"):
        read_policy(tmp_path / "policy.yml")


@pytest.mark.parametrize(("asked", "given"), [(11, 11), (20, 20), (10, 10)])
def test_a_protocol_may_raise_the_minimal_count(asked: int, given: int) -> None:
    from types import SimpleNamespace

    protocol = SimpleNamespace(min_count=asked, sources=["bndmr", "population"])
    assert POLICY.for_protocol(protocol).min_count == given  # type: ignore[arg-type]
    assert isinstance(POLICY.for_protocol(None), Policy)


@pytest.mark.parametrize(("asked", "sources"), [(9, ["bndmr"]), (10, ["bndmr", "snds"]), (1, ["bndmr"])])
def test_a_protocol_may_not_lower_it(asked: int, sources: list[str]) -> None:
    from types import SimpleNamespace

    with pytest.raises(ProtocolError, match=f"min_count is {asked}"):
        POLICY.for_protocol(SimpleNamespace(min_count=asked, sources=sources))  # type: ignore[arg-type]

"""Parameters are data: typed, bounded, refused with a sentence before anything starts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.errors import DataError, ParameterError, ProtocolError
from epi.protocol import Parameter, Protocol, read_protocol

STUDY = Path(__file__).parents[2] / "studies" / "sla_environment"


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return read_protocol(STUDY)


def test_defaults_are_filled_in_the_order_of_the_protocol(protocol):
    values = protocol.resolve_parameters({})
    assert list(values) == list(protocol.parameters)
    assert values["start"] == dt.date(2012, 1, 1)


def test_text_is_read_as_the_type_asks(protocol):
    values = protocol.resolve_parameters(
        {"minimum_age": "40", "drop_familial": "true", "start": "2015-06-01", "statuses": "confirmed"}
    )
    assert values["minimum_age"] == 40
    assert values["drop_familial"] is True
    assert values["start"] == dt.date(2015, 6, 1)
    assert values["statuses"] == ["confirmed"]


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        (
            {"minimum_ages": 40},
            "'minimum_ages' is unknown: this study has minimum_age (18 to 60, default 18 years)",
        ),
        ({"minimum_age": "forty"}, "a whole number"),
        ({"minimum_age": 17}, "18 to 60"),
        ({"minimum_age": 3.5}, "a whole number"),
        ({"minimum_age": True}, "a whole number"),
        ({"drop_familial": "yes"}, "true or false"),
        ({"start": "31/12/2015"}, "a date such as 2015-12-31"),
        ({"start": "1990-01-01"}, "2007-01-01 to 2030-12-31"),
        ({"statuses": ["confirmed", "carrier"]}, "one of confirmed, probable"),
        ({"statuses": 3}, "a list"),
        ({"lang": "en\nimport os"}, "on one line"),
    ],
)
def test_bad_parameters_get_their_sentence(protocol, given_, words):
    with pytest.raises(ParameterError) as caught:
        protocol.resolve_parameters(given_)
    assert words in str(caught.value)
    assert "--help-parameters" in str(caught.value)


def test_all_faults_are_told_at_once(protocol):
    with pytest.raises(ParameterError) as caught:
        protocol.resolve_parameters({"minimum_age": 5, "area": "canton", "nothing": 1})
    assert len(caught.value.faults) == 3


@settings(max_examples=300)
@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.text())))
def test_whatever_is_given_a_parameter_holds_its_own_type_or_refuses(value):
    kinds = {"int": int, "float": float, "bool": bool, "date": dt.date, "str": str, "list[int]": list}
    for kind, type_ in kinds.items():
        try:
            parsed = Parameter(type=kind, default=None, meaning="m").parse("p", value)
        except ParameterError:
            continue
        assert type(parsed) is type_
        if kind == "float":
            assert parsed == parsed and abs(parsed) != float("inf")


def test_protocol_faults_are_told_at_once_with_their_place(tmp_path):
    text = (STUDY / "protocol.yml").read_text(encoding="utf-8")
    text = text.replace("min_count: 11", "min_count: 0").replace("opposition: strict", "opposition: none")
    (tmp_path / "protocol.yml").write_text(text + "surprise: 1\n", encoding="utf-8")
    with pytest.raises(ProtocolError) as caught:
        read_protocol(tmp_path)
    assert {"min_count", "opposition", "surprise"} == {fault.split(":")[0] for fault in caught.value.faults}


def test_a_missing_or_broken_file_is_said(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_protocol(tmp_path)
    (tmp_path / "protocol.yml").write_text("a: [1, 2\nb: 3", encoding="utf-8")
    with pytest.raises(DataError, match="not valid YAML at line"):
        read_protocol(tmp_path)
    (tmp_path / "protocol.yml").write_bytes("titre: étude".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read_protocol(tmp_path)

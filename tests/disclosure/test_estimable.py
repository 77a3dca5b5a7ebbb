"""A result that cannot be estimated: the page says so without numbers, mistakes still stop the study."""

from __future__ import annotations

import pandas as pd
import pytest

import epi
from epi.errors import DisclosureError, EstimationError, ParameterError
from epi.results import Counted, Estimate, Release


def refuse(kind):
    def make():
        raise kind("too few persons: 3 of 17 had the event", "more of them", faults=["group a: 3"])

    return make


def test_what_cannot_be_estimated_is_said_without_its_numbers():
    for kind in (EstimationError, DisclosureError):
        said = epi.output(refuse(kind), "nothing")
        table = said.decision.table
        assert table["reason"].tolist() == ["too few persons: … of … had the event"]
        assert not any(character.isdigit() for character in table.to_string(index=False))
        epi.record_estimates(refuse(kind))


def test_a_function_that_makes_a_result_is_as_the_result():
    release = Release(pd.DataFrame({"sex": ["F", "M"], "n": [402, 351]}), (Counted("n"),))
    made, given = epi.output(lambda: release, "cases"), epi.output(release, "cases")
    assert made.decision.table.equals(given.decision.table)
    epi.record_estimates(lambda: [Estimate("share", 0.5, n=100)])


def test_mistakes_are_not_swallowed():
    with pytest.raises(ParameterError):
        epi.output(refuse(ParameterError), "nothing")
    with pytest.raises(ParameterError):
        epi.record_estimates(refuse(ParameterError))

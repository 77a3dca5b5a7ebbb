"""From a cohort to survival data: time zero, late entry, and those without time at risk."""

from __future__ import annotations

import pandas as pd
import pytest

from cohort.hand_made import Registry
from epi.errors import CohortError, ParameterError
from epi.survival import follow_cohort


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    r = Registry()
    r.patient("A", birth="2000-01", care="2010-01-01").diagnosis("A", day="2012-01-01").activity("A", "2015-01-01")
    r.patient("B", birth="2000-01", care="2010-01-01", died="2014-01-01").diagnosis("B", day="2012-01-01")
    r.patient("C", birth="2000-01", care="2010-01-01", died="2011-12-31").diagnosis("C", day="2012-01-01")
    ws = r.open(tmp_path_factory.mktemp("registry") / "ws")
    return ws.cohort("x").diagnosed_with(803)


def test_age_is_read_from_birth_and_entry_is_the_first_record(cohort):
    data = follow_cohort(cohort.index_on("birth").followed("birth", "first_record", "2020-12-31"), "age")
    assert data.entry.tolist() == [3639] * 3, "10 years less 14 days: births are the 15th of their month"
    assert data.event.tolist() == [0, 1, 1] and data.causes == ("death",)
    assert data.covariates["patient_id"].tolist() == ["A", "B", "C"] and data.settings["without_time"] == 0


def test_time_before_diagnosis_is_not_at_risk_and_is_counted(cohort):
    followed = cohort.index_on("birth").followed("birth", "first_record", "2020-12-31")
    data = follow_cohort(followed, "since_diagnosis")
    assert data.covariates["patient_id"].tolist() == ["A", "B"] and data.settings["without_time"] == 1
    assert data.entry.tolist() == [0, 0] and data.exit.tolist() == [3287, 731]
    assert (data.birth < data.origin).all()


def test_what_is_missing_is_said(cohort):
    with pytest.raises(CohortError, match="does not say when its members are at risk"):
        follow_cohort(cohort)
    followed = cohort.index_on("birth").followed("birth", "first_record", "2020-12-31")
    with pytest.raises(ParameterError, match="no row for 2 members"):
        follow_cohort(followed, extra=pd.DataFrame({"patient_id": ["A"], "era": ["old"]}))
    with pytest.raises(ParameterError, match="which the members have"):
        follow_cohort(followed, extra=pd.DataFrame({"patient_id": ["A", "B", "C"], "sex": "F"}))
    extra = pd.DataFrame({"patient_id": ["C", "B", "A"], "era": ["new", "old", "old"]})
    assert follow_cohort(followed, extra=extra, strata="era").strata_labels == ("new", "old")

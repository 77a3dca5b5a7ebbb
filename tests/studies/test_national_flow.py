"""The counting flow of the national paper, in form, on the synthetic France."""

from __future__ import annotations

import math

from epi.cohort import national_flow
from epi.cohort.wording import STATUSES
from epi.facade import open_workspace

PUBLISHED = {"patients": 753_660, "with_code": 547_346, "group_or_not_rare": 53_606, "rare_disorder": 493_740}


def test_published_figures_add_up():
    assert PUBLISHED["with_code"] - PUBLISHED["group_or_not_rare"] == PUBLISHED["rare_disorder"]


def test_the_world_loses_the_same_shares_at_the_same_steps(france):
    # The paper does not say which statuses it counts; the world plants its shares over all of them.
    flow = national_flow(open_workspace(france / "workspace", opposition="registry"), status=set(STATUSES))
    steps = flow.table["patients"].tolist()
    everyone, coded, rare = steps[-3:]
    assert everyone > coded > rare > 0
    for part, whole, share in (
        (coded, everyone, PUBLISHED["with_code"] / PUBLISHED["patients"]),
        (rare, coded, PUBLISHED["rare_disorder"] / PUBLISHED["with_code"]),
    ):
        error = math.sqrt(share * (1 - share) / whole)
        # Codes at opposition-prone sites and rejected rows add a little to sampling error.
        assert abs(part / whole - share) < 0.005 + 4 * error


def test_a_patient_counts_once_in_each_disorder_and_once_in_the_total(france):
    flow = national_flow(open_workspace(france / "workspace", opposition="registry"))
    by_disorder = flow.by_disorder["patients"]
    assert by_disorder.sum() >= flow.table["patients"].iloc[-1]
    assert by_disorder.max() < flow.table["patients"].iloc[-1]

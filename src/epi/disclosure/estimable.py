"""Results that may not be estimable: the page says so, and the study goes on.

A cell that hands a function to ``epi.output`` or ``epi.record_estimates`` foresees that there may be too few
persons or events. The refusal of the estimator is then what is published, in place of the result, without the
numbers it names: they may be of few persons.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pandas as pd

from epi.errors import DisclosureError, EpiError, EstimationError
from epi.results import Release

REFUSALS = (EstimationError, DisclosureError)
"""What says that data do not suffice. Other errors are mistakes, and stop the study."""

_NUMBERS = re.compile(r"\d[\d.,]*")


def is_promise(obj: object) -> bool:
    """Tell a function that makes a result from a result.

    Parameters
    ----------
    obj : object
        What was handed over.

    Returns
    -------
    bool
        Whether it is to be called.
    """
    return callable(obj) and not isinstance(obj, type) and not hasattr(obj, "release")


def evaluate(make: Callable[[], Any]) -> Any:
    """Make a result, or say why there is none.

    Parameters
    ----------
    make : callable
        Makes it.

    Returns
    -------
    object
        The result, or the release that says why there is none.

    Examples
    --------
    >>> def few():
    ...     raise EstimationError("at no time has every group 20 persons at risk")
    >>> evaluate(few).table["reason"].tolist()
    ['at no time has every group … persons at risk']
    """
    try:
        return make()
    except REFUSALS as refusal:
        return say_why(refusal)


def say_why(refusal: EpiError) -> Release:
    """Turn a refusal into what is published in place of a result.

    Parameters
    ----------
    refusal : EpiError
        The refusal.

    Returns
    -------
    Release
        One row, the reason without its numbers.
    """
    return Release(
        pd.DataFrame({"reason": [_NUMBERS.sub("…", refusal.arrived)]}),
        title="Not estimable · Non estimable",
        note="The data do not suffice; the rest of the study does not rest on it.",
        labels={"reason": "Reason"},
    )

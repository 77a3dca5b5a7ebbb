"""Arguments as they arrive from a notebook: numbers, lists of numbers, names of columns, mappings.

A text for a number would fail later, in words of Python; here it is told where it arrives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epi.errors import ParameterError


def check_number(
    name: str, value: Any, expected: str, *, above: float = -math.inf, least: float = -math.inf, most: float = math.inf,
    do: str = "",
) -> float:  # fmt: skip
    """Refuse what is not a finite number within bounds.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        What arrived.
    expected : str
        What is expected, in words.
    above, least, most : float, optional
        Bounds: exclusive, inclusive, inclusive.
    do : str, optional
        What to type.

    Returns
    -------
    float
        The number.

    Raises
    ------
    ParameterError
        If it is none, or out of bounds.

    Examples
    --------
    >>> check_number("per", 1000, "person-years above zero", above=0)
    1000.0
    >>> check_number("per", "1000", "person-years above zero", above=0, do="per=1000")
    Traceback (most recent call last):
    ...
    epi.errors.ParameterError: per is '1000'. Expected: person-years above zero. Next: per=1000
    """
    fits = isinstance(value, Real) and not isinstance(value, bool | np.bool_) and math.isfinite(value)
    if not fits or not (value > above and least <= value <= most):
        raise ParameterError(
            f"{name} is {value!r}" if not isinstance(value, Real) else f"{name} is {value}", expected, do
        )
    return float(value)


def check_whole(
    name: str, value: Any, expected: str, *, least: float = -math.inf, most: float = math.inf, do: str = ""
) -> int:
    """Refuse what is not a whole number within bounds.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        What arrived; 3.0 is taken for 3.
    expected : str
        What is expected, in words.
    least, most : float, optional
        Bounds, inclusive.
    do : str, optional
        What to type.

    Returns
    -------
    int
        The number.

    Raises
    ------
    ParameterError
        If it is none, not whole, or out of bounds.

    Examples
    --------
    >>> check_whole("width", 5.0, "1 year or more", least=1)
    5
    """
    if isinstance(value, Real) and not isinstance(value, Integral) and not float(value).is_integer():
        raise ParameterError(f"{name} is {value}", expected, do)
    return int(check_number(name, value, expected, least=least, most=most, do=do))


def check_numbers(name: str, values: Any, expected: str, *, do: str = "") -> NDArray[np.float64]:
    """Refuse what is not a list of finite numbers.

    Parameters
    ----------
    name : str
        Name of the argument.
    values : object
        What arrived.
    expected : str
        What is expected, in words.
    do : str, optional
        What to type.

    Returns
    -------
    numpy.ndarray of float64, shape (values,)
        The numbers.

    Raises
    ------
    ParameterError
        If they are none.

    Examples
    --------
    >>> check_numbers("ages", (0, 15), "two ages").tolist()
    [0.0, 15.0]
    """
    try:
        found = np.asarray(values if isinstance(values, np.ndarray) else list(values))
        numbers = found.astype(np.float64) if found.dtype.kind in "iuf" or found.dtype == object else None
    except (TypeError, ValueError):
        numbers = None
    if numbers is None or numbers.ndim != 1 or not np.isfinite(numbers).all():
        shown = repr(values) if isinstance(values, str | int | float | tuple | list | None) else type(values).__name__
        raise ParameterError(f"{name} is {shown}", expected, do)
    return numbers


def check_names(name: str, value: Any, expected: str, *, do: str = "") -> list[str]:
    """Take one name for a list of one, and refuse what names nothing.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        What arrived: a text, or several.
    expected : str
        What is expected, in words.
    do : str, optional
        What to type.

    Returns
    -------
    list of str
        The names.

    Raises
    ------
    ParameterError
        If it holds anything but texts.

    Examples
    --------
    >>> check_names("by", "sex", "columns"), check_names("by", ("sex", "era"), "columns")
    (['sex'], ['sex', 'era'])
    """
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else None
    if names is None or not all(isinstance(one, str) for one in names):
        raise ParameterError(
            f"{name} is {value!r}" if names is None else f"{name} holds other than texts", expected, do
        )
    return names


def check_mapping(name: str, value: Any, expected: str, *, do: str = "") -> dict[Any, Any]:
    """Refuse what is no mapping; none at all is an empty one.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        What arrived.
    expected : str
        What is expected, in words.
    do : str, optional
        What to type.

    Returns
    -------
    dict
        The mapping.

    Raises
    ------
    ParameterError
        If it is none.

    Examples
    --------
    >>> check_mapping("reference", None, "a category by covariate")
    {}
    """
    if value is not None and not isinstance(value, Mapping):
        raise ParameterError(f"{name} is {value!r}", expected, do)
    return dict(value or {})

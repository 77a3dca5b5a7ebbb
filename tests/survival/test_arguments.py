"""What is of the wrong type gets one sentence, where it arrives, and never a message of Python's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from epi.errors import DataError, EpiError, ParameterError
from epi.survival import (
    build_survival,
    check_lead_time,
    check_quasi_independence,
    compare_survival,
    estimate_ascertainment,
    estimate_net_survival,
    estimate_rates,
    estimate_rmst,
    estimate_smr,
    estimate_survival,
    find_common_window,
    fit_cox,
    fit_excess,
    fit_flexible,
    fit_rates,
    life_table,
    split_at_exposure,
    split_lexis,
    standardise_survival,
)

ROWS = 120
RNG = np.random.default_rng(3)
TABLE = pd.DataFrame({
    "start": pd.Timestamp("1995-01-01") + pd.to_timedelta(RNG.integers(0, 2000, ROWS), unit="D"),
    "born": pd.Timestamp("1950-06-15") + pd.to_timedelta(RNG.integers(-3000, 3000, ROWS), unit="D"),
    "died": RNG.integers(0, 2, ROWS), "sex": RNG.choice(["F", "M"], ROWS), "g": RNG.choice(["a", "b"], ROWS),
    "z": RNG.normal(size=ROWS),
})  # fmt: skip
TABLE["end"] = TABLE["start"] + pd.to_timedelta(1 + RNG.integers(0, 4000, ROWS), unit="D")
BIRTHS = pd.DataFrame({"birth_year": [2001, 2003]})


def build(table: Any = TABLE, **options: Any) -> Any:
    given = {"entry": "start", "exit": "end", "event": "died", "origin": "start", "birth": "born",
             "covariates": ["sex", "g", "z"], **options}  # fmt: skip
    return build_survival(table, **given)


DATA, FRANCE = build(), life_table("France")
CURVE = estimate_survival(DATA)
COX = fit_cox(DATA, ["z"])
FLEXIBLE = fit_flexible(DATA, ["z"], df=2)
PROFILES = pd.DataFrame({"z": [0.0]})

ARGUMENTS: dict[str, Callable[[], Any]] = {
    "a list for a table": lambda: build([1, 2]),
    "nothing for a table": lambda: build(None),
    "a number for the exit": lambda: build(exit=3),
    "a number for covariates": lambda: build(covariates=5),
    "a number for strata": lambda: build(strata=3),
    "another scale": lambda: build(scale=3),
    "a table for data": lambda: estimate_survival(TABLE),  # type: ignore[arg-type]
    "a table for a model's data": lambda: fit_cox(TABLE, ["z"]),  # type: ignore[arg-type]
    "a number for by": lambda: estimate_survival(DATA, by=3),  # type: ignore[arg-type]
    "no name in by": lambda: estimate_survival(DATA, by=[None]),  # type: ignore[list-item]
    "a text for the level": lambda: estimate_survival(DATA, level="0.95"),  # type: ignore[arg-type]
    "no level": lambda: estimate_survival(DATA, level=None),  # type: ignore[arg-type]
    "a level that is no number": lambda: check_quasi_independence(DATA, level=float("nan")),
    "a number for bands": lambda: estimate_rates(DATA, age_bands=5),  # type: ignore[arg-type]
    "texts for bands": lambda: estimate_rates(DATA, age_bands=["a"]),  # type: ignore[list-item]
    "a year for periods": lambda: estimate_rates(DATA, periods=2001),  # type: ignore[arg-type]
    "a text for person-years": lambda: estimate_rates(DATA, per="x"),  # type: ignore[arg-type]
    "one age of a standard": lambda: estimate_rates(DATA, age_bands=[40, 60]).standardise(ages=5),  # type: ignore[arg-type]
    "a number for a standard": lambda: estimate_rates(DATA, age_bands=[40, 60]).standardise(3),  # type: ignore[arg-type]
    "a name for a life table": lambda: estimate_smr(DATA, "France"),  # type: ignore[arg-type]
    "a name for net survival's": lambda: estimate_net_survival(DATA, "France"),  # type: ignore[arg-type]
    "territories a life table has not": lambda: estimate_net_survival(DATA, FRANCE, territory="g"),
    "no horizon": lambda: estimate_rmst(DATA, None),  # type: ignore[arg-type]
    "a text for the horizon": lambda: estimate_rmst(DATA, "5"),  # type: ignore[arg-type]
    "rho that is no number": lambda: compare_survival(DATA, "g", test="fleming-harrington", rho=float("nan")),
    "texts for scores": lambda: compare_survival(DATA, "g", trend=["a", "b"]),  # type: ignore[list-item]
    "a text for a window": lambda: DATA.window(low="a"),
    "half a day for a window": lambda: DATA.window(low=0.5),
    "a text for a time": lambda: CURVE.at("a"),
    "a text for a share": lambda: CURVE.quantiles("a"),
    "one share": lambda: CURVE.quantiles(0.5),  # type: ignore[arg-type]
    "a text for a start": lambda: CURVE.conditional("a"),  # type: ignore[arg-type]
    "a text for persons": lambda: CURVE.conditional(minimal="a"),  # type: ignore[arg-type]
    "a text for years": lambda: CURVE.release(years="a"),  # type: ignore[arg-type]
    "a text for the least": lambda: CURVE.release(min_count="a"),  # type: ignore[arg-type]
    "half a degree of freedom": lambda: fit_flexible(DATA, ["z"], df=2.5),  # type: ignore[arg-type]
    "a list for time_varying": lambda: fit_flexible(DATA, ["z"], time_varying=["z"]),  # type: ignore[arg-type]
    "a text for a prediction's time": lambda: FLEXIBLE.predict_hazard(PROFILES, at_years="a"),
    "a list for profiles": lambda: COX.predict_survival([1]),  # type: ignore[arg-type]
    "a number for profiles": lambda: fit_rates(DATA, ["z"]).predict_rates(3),  # type: ignore[arg-type]
    "a number for names": lambda: COX.release(names=3),  # type: ignore[arg-type]
    "a number for bands of excess": lambda: fit_excess(DATA, FRANCE, ["z"], bands=5),  # type: ignore[arg-type]
    "a number for a model's covariates": lambda: fit_cox(DATA, 5),  # type: ignore[arg-type]
    "a text for reference": lambda: fit_cox(DATA, ["sex"], reference="F"),  # type: ignore[arg-type]
    "a number for a model's strata": lambda: fit_cox(DATA, ["z"], strata=3),  # type: ignore[arg-type]
    "a text for bands of time": lambda: split_lexis(DATA, since="a"),
    "a number for labels": lambda: split_at_exposure(DATA, "z", labels=3),  # type: ignore[arg-type]
    "a text for a length": lambda: check_lead_time(DATA, "g", years="a"),  # type: ignore[arg-type]
    "half a person": lambda: find_common_window(DATA, "g", minimum=0.5),  # type: ignore[arg-type]
    "a text for a step": lambda: find_common_window(DATA, "g", step="a"),  # type: ignore[arg-type]
    "a number for ages": lambda: standardise_survival(DATA, age_bands=5),  # type: ignore[arg-type]
    "half a year": lambda: estimate_ascertainment(BIRTHS, 10.0, width=2.5),  # type: ignore[arg-type]
    "one year": lambda: estimate_ascertainment(BIRTHS, 10.0, years=2001),  # type: ignore[arg-type]
    "a text for an incidence": lambda: estimate_ascertainment(BIRTHS, "x"),  # type: ignore[arg-type]
    "a list for patients": lambda: estimate_ascertainment([1], 10.0),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_of_another_type_are_refused_in_a_sentence(case: str) -> None:
    with pytest.raises(ParameterError) as caught:
        ARGUMENTS[case]()
    assert caught.value.expected


@pytest.mark.parametrize(
    "columns",
    [{"z": TABLE["z"] + 1j}, {"died": TABLE["died"] + 0j}, {"end": "2001-01-01"}, {"died": [[1]] * ROWS},
     {"died": pd.Timestamp("2000-01-01")}, {"start": pd.NaT}],
    ids=["complex covariate", "complex event", "dates as text", "lists", "dates for events", "no date"],
)  # fmt: skip
def test_columns_of_another_type_are_refused_in_a_sentence(columns: dict[str, Any]) -> None:
    with pytest.raises(EpiError):
        fit_cox(build(TABLE.assign(**columns)), ["z"])


@pytest.mark.parametrize("option", ["weight", "cluster", "person", "strata"])
def test_columns_with_a_part_in_the_design_are_checked(option: str) -> None:
    bad = {"weight": [1j] * ROWS, "cluster": [[1]] * ROWS, "person": [[1]] * ROWS, "strata": [1, "1"] * (ROWS // 2)}
    with pytest.raises(DataError):
        build(TABLE.assign(c=bad[option]), **{option: "c"})


def test_years_of_birth_are_whole_numbers() -> None:
    for values in ([2001.9, 2003], ["a", "b"]):
        with pytest.raises(DataError, match="birth_year"):
            estimate_ascertainment(pd.DataFrame({"birth_year": values}), 10.0)
    with pytest.raises(DataError, match="numbers of patients"):
        estimate_ascertainment(BIRTHS.assign(n="a"), 10.0, count="n")

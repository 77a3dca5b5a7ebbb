"""Models of R's coxph, and the same ones fitted here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from epi.survival import CoxModel, SurvivalData, build_survival, fit_cox

FIXTURE = json.loads((Path(__file__).parent / "oracle" / "cox.json").read_text())
SETS = {name: pd.DataFrame(columns) for name, columns in FIXTURE["sets"].items()}
REPEATED = {"cgd"}


def follow(case: dict[str, Any], table: pd.DataFrame | None = None) -> SurvivalData:
    table = SETS[case["set"]] if table is None else table
    table = table.reset_index(drop=True)
    repeated = case["set"] in REPEATED
    return build_survival(
        table, exit="exit", event="event", entry="entry" if case["entry"] else None,
        weight="weight" if case["weight"] else None, cluster="cluster" if case["cluster"] else None,
        person="cluster" if repeated else None, strata=case["strata"], covariates=list(table.columns),
    )  # fmt: skip


def fit(case: dict[str, Any], data: SurvivalData | None = None, **options: Any) -> CoxModel:
    data = follow(case) if data is None else data
    names = [name.removeprefix("factor(").removesuffix(")") for name in case["x"]]
    reference = {
        name: data.covariates[name].min()
        for name, asked in zip(names, case["x"], strict=True)
        if asked.startswith("factor") or not pd.api.types.is_numeric_dtype(data.covariates[name])
    }
    return fit_cox(data, names, reference=reference, ties=case["ties"], **options)


def close(ours: Any, theirs: Any, rtol: float = 1e-8, atol: float = 1e-11) -> None:
    theirs = np.asarray(theirs, dtype=float)
    np.testing.assert_allclose(np.asarray(ours, dtype=float).reshape(theirs.shape), theirs, rtol=rtol, atol=atol)


def named(case: dict[str, Any]) -> str:
    crossed = [key for key in ("entry", "weight", "cluster") if case[key]]
    return "-".join([case["set"], case["ties"], *crossed, *([f"by {case['strata']}"] if case["strata"] else [])])

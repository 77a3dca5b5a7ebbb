"""What rule V06 needs of the nomenclature: which codes exist, and where inactive ones moved to."""

from __future__ import annotations

import pandas as pd

from epi.errors import DataError


def prepare_nomenclature(frame: pd.DataFrame) -> pd.DataFrame:
    """Reduce a nomenclature to what the reader joins.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``orpha_code, status, level, moved_to``, one row for each code.

    Returns
    -------
    pandas.DataFrame
        ``orpha_code``, ``status`` (active, inactive), ``level`` (group, disorder) and ``target``,
        the code that an inactive one moved to when it exists and does not lead back.

    Raises
    ------
    DataError
        If a column is missing or a code is there twice.

    Examples
    --------
    >>> codes = pd.DataFrame({"orpha_code": [1, 2], "status": ["Inactive", "Active"],
    ...                       "level": ["Disorder", "Disorder"], "moved_to": [2, None]})
    >>> prepare_nomenclature(codes)["target"].tolist()
    [2, <NA>]
    """
    missing = [name for name in ("orpha_code", "status", "level", "moved_to") if name not in frame.columns]
    if missing:
        raise DataError(f"the nomenclature has no column {', '.join(missing)}", "orpha_code, status, level, moved_to")
    if frame["orpha_code"].duplicated().any():
        raise DataError("the nomenclature has an ORPHA code twice", "one row for each code")
    codes = frame["orpha_code"].astype("int64")
    active = frame["status"].astype(str).str.lower().str.startswith("active")
    group = frame["level"].astype(str).str.lower().str.startswith("group")
    moved = frame["moved_to"].astype("Int64").set_axis(codes)
    target = pd.Series(moved.to_numpy(dtype="float64", na_value=float("nan")), index=codes)
    onward = target.reindex(target.to_numpy()).to_numpy()
    # A redirection is followed once; one that leads nowhere, or back, is not followed.
    followed = (~active.to_numpy()) & target.isin(codes).to_numpy() & (onward != codes.to_numpy())
    followed &= target.to_numpy() != codes.to_numpy()
    return pd.DataFrame(
        {
            "orpha_code": codes.to_numpy(),
            "status": active.map({True: "active", False: "inactive"}).to_numpy(),
            "level": group.map({True: "group", False: "disorder"}).to_numpy(),
            "target": target.where(followed).astype("Int64").to_numpy(),
        }
    ).astype({"target": "Int64"})

"""Values of areas read from monitors: the nearest one, or several by distance, with the error that this makes.

The error is measured, not assumed: each monitor is left out in turn and predicted from the others, and errors
are summed up by the distance to the nearest monitor left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.errors import DataError, EstimationError, ParameterError
from epi.geography import area_points, check_degrees, nearest
from epi.results import Release

Method = Literal["nearest", "idw"]
BANDS_M = (0.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0, 100_000.0)
_LEAST = 5
_FLOOR_M = 100.0


@dataclass(frozen=True)
class MonitorExposure:
    """Values of areas read from monitors, ready for :func:`epi.exposure.enrich`.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each area: ``insee_code`` (or ``area``), the variable, ``<variable>_distance_m`` (to the nearest
        monitor), ``<variable>_rmse`` (leave-one-out error at that distance; missing where too few monitors tell it).
    accuracy : pandas.DataFrame
        Leave-one-out errors by distance band: ``from_m``, ``to_m``, ``monitors``, ``bias``, ``rmse``, ``correlation``.
    about : mapping
        Metadata of the variable.
    settings : mapping
        Method, greatest distance, monitors.
    """

    table: pd.DataFrame
    accuracy: pd.DataFrame
    about: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self) -> Release:
        """Say what would be published: the errors by distance. Monitors are counted, no person is.

        Returns
        -------
        Release
            One row for each band.
        """
        note = "; ".join(f"{key}: {value}" for key, value in self.settings.items())
        return Release(self.accuracy, title="Errors of prediction, each monitor left out in turn", note=note,
                       not_counts=("monitors",))  # fmt: skip


def read_monitors(
    monitors: pd.DataFrame,
    variable: str,
    *,
    value: str = "value",
    method: Method = "nearest",
    maximum_distance_m: float = 50_000.0,
    level: str = "commune",
    neighbours: int = 5,
    power: float = 2.0,
    bands_m: Sequence[float] = BANDS_M,
    about: Mapping[str, Any] | None = None,
) -> MonitorExposure:
    """Give each area the value of the nearest monitor, or of several weighted by distance.

    Parameters
    ----------
    monitors : pandas.DataFrame
        ``monitor_id``, ``lon``, ``lat`` (degrees) and `value`: one row for each.
    variable : str
        Name of the variable made, with its unit, such as ``pm25_station_ugm3``.
    value : str, optional
        Column of values.
    method : {"nearest", "idw"}, optional
        The nearest monitor, or inverse-distance weighting of up to `neighbours` monitors within reach.
    maximum_distance_m : float, optional
        Beyond it a monitor says nothing: an area without any within reach is missing.
    level : str, optional
        Level of territory; above the commune, its centre of population is looked at.
    neighbours : int, optional
        Monitors that inverse-distance weighting may use.
    power : float, optional
        Weight = 1 / distance to this power, distances under 100 m counting as 100 m.
    bands_m : sequence of float, optional
        Bounds of the distance bands that errors are told for.
    about : mapping, optional
        ``label_en``, ``label_fr``, ``unit``, ``source``, ``producer``, ``vintage``, ``licence``, ``origin``.

    Returns
    -------
    MonitorExposure
        Values, distances, errors.

    Raises
    ------
    DataError
        If monitors are there twice, or have no number as value.
    EstimationError
        If there are fewer than three.
    GeographyError
        If coordinates are not degrees, or are swapped.
    ParameterError
        If columns or options are wrong.

    Examples
    --------
    >>> sites = pd.DataFrame({"monitor_id": list("abc"), "lon": [5.72, 4.85, 2.35], "lat": [45.19, 45.76, 48.86],
    ...     "value": [12.0, 15.0, 14.0]})
    >>> found = read_monitors(sites, "pm25_ugm3", maximum_distance_m=20_000).table.set_index("insee_code")
    >>> found.loc[["38185", "29019"], "pm25_ugm3"].tolist()
    [12.0, nan]
    """
    _check(monitors, value, method, maximum_distance_m, neighbours, power, bands_m)
    sites = monitors[["monitor_id", "lon", "lat", value]].sort_values("monitor_id", ignore_index=True)
    amount = sites[value].to_numpy(dtype=float)
    k = min(neighbours if method == "idw" else 1, len(sites))
    points = area_points(level, weighted="population" if level != "commune" else None)
    site, metres = _around(points, sites, k)
    predicted = _predict(amount, site, metres, maximum_distance_m, power)
    accuracy, errors = _leave_one_out(sites, amount, k, maximum_distance_m, power, bands_m)
    key = "insee_code" if level == "commune" else "area"
    near = metres[:, 0]
    band = np.searchsorted(np.asarray(bands_m), near, side="right") - 1
    told = np.append(accuracy["rmse"].to_numpy(dtype=float), np.nan)
    known = ~np.isnan(predicted) & (band >= 0) & (band < len(accuracy))
    table = pd.DataFrame(
        {
            key: points["area"].to_numpy(),
            variable: predicted,
            f"{variable}_distance_m": np.where(np.isnan(predicted), np.nan, near),
            f"{variable}_rmse": told[np.where(known, band, -1)],
        }
    )
    words = {"nearest": "value of the nearest monitor",
             "idw": f"inverse distance (power {power:g}) of up to {k} monitors"}[method]  # fmt: skip
    reach = f"{words} within {maximum_distance_m / 1000:g} km"
    overall = float(np.sqrt(np.nanmean(errors**2))) if np.isfinite(errors).any() else float("nan")
    settings = {"method": reach, "monitors": len(sites), "areas_without": int(np.isnan(predicted).sum()),
                "rmse": overall, "level": level}  # fmt: skip
    given = dict(about or {})
    stated = {name: str(given.get(name) or "not stated") for name in ("source", "producer", "vintage", "licence")}
    info = {
        "label_en": str(given.get("label_en") or variable), "label_fr": str(given.get("label_fr") or variable),
        "unit": str(given.get("unit") or ""), **stated, "support": level,
        "origin": str(given.get("origin") or "open data"), "theme": str(given.get("theme") or "air"),
        "direction_note": str(given.get("direction_note") or ""), "method": reach,
        "uncertainty": f"leave-one-out RMSE {overall:.3g}; by area in {variable}_rmse",
        "distance_column": f"{variable}_distance_m",
    }  # fmt: skip
    return MonitorExposure(table, accuracy, {variable: info}, settings)


def _check(
    monitors: pd.DataFrame, value: str, method: str, reach: float, neighbours: int, power: float,
    bands_m: Sequence[float],
) -> None:  # fmt: skip
    lacking = [name for name in ("monitor_id", "lon", "lat", value) if name not in monitors.columns]
    wrong = [f"the monitors have no column {name}" for name in lacking]
    if method not in ("nearest", "idw"):
        wrong.append(f"method is {method!r}: nearest or idw")
    if not 1 <= reach <= 500_000:
        wrong.append(f"maximum_distance_m is {reach!r}: metres from 1 to 500,000")
    if isinstance(neighbours, bool) or not isinstance(neighbours, int) or neighbours < 1:
        wrong.append(f"neighbours is {neighbours!r}: a whole number from 1")
    if not power > 0:
        wrong.append(f"power is {power!r}: above zero")
    if len(bands_m) < 2 or (np.diff(np.asarray(bands_m, dtype=float)) <= 0).any():
        wrong.append("bands_m are not two or more rising bounds")
    if wrong:
        raise ParameterError("monitors cannot be read", "options as documented", faults=wrong)
    lon, _ = check_degrees(monitors["lon"], monitors["lat"], what="monitors")
    amount = pd.to_numeric(monitors[value], errors="coerce")
    tests = {
        "have no monitor_id": monitors["monitor_id"].isna(),
        "repeat a monitor": monitors["monitor_id"].duplicated(),
        "have no coordinates": np.isnan(lon),
        f"have no number as {value}": ~np.isfinite(amount.to_numpy(dtype=float)),
    }
    faults = [
        f"{int(np.sum(bad)):,} of {len(monitors):,} monitors {words}" for words, bad in tests.items() if np.any(bad)
    ]
    if faults:
        raise DataError("the monitors cannot be used", "one row for each, with place and value", faults=faults)
    if len(monitors) < 3:
        raise EstimationError(f"there are {len(monitors)} monitor(s)", "three or more")


def _around(points: pd.DataFrame, sites: pd.DataFrame, k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    found = nearest(points.reset_index(drop=True), sites, k=k)
    return (
        found["site"].to_numpy(dtype=np.int64).reshape(len(points), k),
        found["distance_m"].to_numpy(dtype=float).reshape(len(points), k),
    )


def _predict(
    amount: NDArray[np.float64], site: NDArray[np.int64], metres: NDArray[np.float64], reach: float, power: float
) -> NDArray[np.float64]:
    weight = np.where(metres <= reach, np.maximum(metres, _FLOOR_M) ** -power, 0.0)
    total = weight.sum(axis=1)
    # From the nearest one's value: monitors that agree are given back to the last bit.
    base = amount[site[:, 0]]
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = (weight * (amount[site] - base[:, None])).sum(axis=1) / total
    return np.where(total > 0, base + shift, np.nan)


def _leave_one_out(
    sites: pd.DataFrame, amount: NDArray[np.float64], k: int, reach: float, power: float, bands_m: Sequence[float]
) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    count = len(sites)
    wide = min(k + 1, count)
    site, metres = _around(sites, sites, wide)
    own = site == np.arange(count)[:, None]
    # At equal distances a monitor may not be its own first neighbour: it is dropped wherever it stands,
    # and where it does not stand among them the last one is.
    own[~own.any(axis=1), -1] = True
    site, metres = site[~own].reshape(count, wide - 1), metres[~own].reshape(count, wide - 1)
    predicted = _predict(amount, site, metres, reach, power)
    errors = predicted - amount
    near = metres[:, 0]
    rows = []
    for low, high in pairwise(bands_m):
        inside = (near >= low) & (near < high) & ~np.isnan(errors)
        e, p, a = errors[inside], predicted[inside], amount[inside]
        enough = len(e) >= _LEAST
        varies = enough and p.std() > 0 and a.std() > 0
        rows.append(
            {
                "from_m": float(low),
                "to_m": float(high),
                "monitors": len(e),
                "bias": float(e.mean()) if enough else np.nan,
                "rmse": float(np.sqrt((e**2).mean())) if enough else np.nan,
                "correlation": float(np.corrcoef(p, a)[0, 1]) if varies else np.nan,
            }
        )
    return pd.DataFrame(rows), errors

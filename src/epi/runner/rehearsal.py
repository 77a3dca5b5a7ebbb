"""What to expect of a study before access is asked for, read from its runs on synthetic data.

Nothing here makes data: the command line builds the synthetic France and hands over the runs.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, mean, median, stdev
from typing import Any

from epi.disclosure.ledger import GATE_FILE, read_lines
from epi.runner.folder import Run
from epi.runner.values import RATIOS

LEVEL, WISHED_POWER = 0.95, 0.8

NOTES = (
    "not_france",
    "one_disease",
    "years",
    "planted",
    "recording",
    "normal",
    "few",
)
"""What a rehearsal cannot say; the words are those of the site, under ``rehearsal_note_``."""


@dataclass(frozen=True)
class Rehearsal:
    """What replicates of a study on synthetic data tell of the real one.

    Parameters
    ----------
    asked : mapping
        Study, persons, parameters, seeds, effect of interest.
    attrition : tuple of mapping
        One row for each step: mean, range and prediction interval of n over replicates.
    estimates : tuple of mapping
        One row for each recorded result: typical value, width of its interval, power and detectable ratio.
    suppression : tuple of mapping
        One row for each table and figure: share of its cells hidden, in how many replicates.
    failures : tuple of mapping
        Replicates whose run failed, with the cause.
    cost : mapping
        Seconds and peak memory of a replicate.
    """

    asked: Mapping[str, Any]
    attrition: tuple[Mapping[str, Any], ...]
    estimates: tuple[Mapping[str, Any], ...]
    suppression: tuple[Mapping[str, Any], ...]
    failures: tuple[Mapping[str, Any], ...]
    cost: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain values, marked synthetic.

        Returns
        -------
        dict
            For JSON.
        """
        return {
            "synthetic": True,
            "asked": dict(self.asked),
            "attrition": [dict(row) for row in self.attrition],
            "estimates": [dict(row) for row in self.estimates],
            "suppression": [dict(row) for row in self.suppression],
            "failures": [dict(row) for row in self.failures],
            "cost": dict(self.cost),
            "not_represented": list(NOTES),
        }


def read_replicate(run: Run) -> dict[str, Any]:
    """Keep of a finished run what a rehearsal counts; the run may then be thrown away.

    Parameters
    ----------
    run : Run
        A finished run on synthetic data.

    Returns
    -------
    dict
        Attrition, results, outputs of the gate, seconds and peak memory; plain values.
    """
    tables = sorted((run.folder / "tables").glob("attrition*.csv"))
    outputs = []
    for line in read_lines(run.folder / GATE_FILE):
        if line.get("kind") in {"table", "figure"}:
            columns = (line.get("layout") or {}).get("columns") or []
            # Texts are never hidden: they would make the share look smaller.
            numeric = sum(kind != "text" for _, kind in columns)
            outputs.append(
                {
                    "name": line["name"],
                    "cells": int(line.get("rows") or 0) * numeric,
                    "hidden": int(line.get("hidden") or 0),
                    "refused": line.get("verdict") != "released",
                    "merged": any("small_step" in str(rule) for rule in line.get("rules", [])),
                }
            )
    return {
        "attrition": {path.stem: _read_steps(path) for path in tables},
        "results": json.loads((run.folder / "results.json").read_text(encoding="utf-8")),
        "outputs": outputs,
        "seconds": float(run.manifest["seconds"]),
        "peak_memory_mb": float(run.manifest["peak_memory_mb"]),
    }


def _read_steps(path: Path) -> list[tuple[str, float | None]]:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    # A step that the gate merged with those before it is named after them all; what is left is after the last.
    return [(row["label"].rpartition(" + ")[2], _number(row["n"])) for row in rows]


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def summarise(replicates: Sequence[Mapping[str, Any]], asked: Mapping[str, Any]) -> Rehearsal:
    """Summarise the replicates of a rehearsal.

    Parameters
    ----------
    replicates : sequence of mapping
        From :func:`read_replicate`, each with `seed`, and `truth` (exposure to planted log ratio for one unit); or
        `seed` and `failure`.
    asked : mapping
        What was asked; `effect` is the ratio of interest, or None.

    Returns
    -------
    Rehearsal
        The summary, the same whatever the order of the replicates.
    """
    ordered = sorted(replicates, key=lambda one: int(one["seed"]))
    done = [one for one in ordered if "failure" not in one]
    return Rehearsal(
        asked=asked,
        attrition=tuple(_attrition(done)),
        estimates=tuple(_estimates(done, asked.get("effect"))),
        suppression=tuple(_suppression(done)),
        failures=tuple({"seed": one["seed"], "cause": one["failure"]} for one in ordered if "failure" in one),
        cost={
            "replicates": len(done),
            "seconds_each": mean(one["total_seconds"] for one in done) if done else None,
            "peak_memory_mb": max(one["peak_memory_mb"] for one in done) if done else None,
        },
    )


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    """Describe values over seeds: mean, range, and where one more replicate would fall with probability 0.95."""
    from scipy.stats import t

    centre = mean(values)
    half = (
        float(t.ppf(0.5 + LEVEL / 2, len(values) - 1)) * stdev(values) * math.sqrt(1 + 1 / len(values))
        if len(values) > 1
        else None
    )
    return {
        "mean": centre,
        "lowest": min(values),
        "highest": max(values),
        "predicted_low": None if half is None else max(0.0, centre - half),
        "predicted_high": None if half is None else centre + half,
    }


def _attrition(done: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    seen: dict[tuple[str, str], list[float]] = {}
    for one in sorted(done, key=lambda one: -sum(map(len, one["attrition"].values()))):
        for table, steps in one["attrition"].items():
            for label, n in steps:
                seen.setdefault((table, label), []).extend([] if n is None else [n])
    rows = [
        {"table": table, "step": label, "replicates": len(values), **_spread(values)}
        for (table, label), values in seen.items()
        if values
    ]
    return sorted(rows, key=lambda row: (row["table"], -row["mean"]))


def _estimates(done: Sequence[Mapping[str, Any]], effect: float | None) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    for one in done:
        for row in one["results"]:
            stratum = ", ".join(f"{name} = {value}" for name, value in sorted(row["stratum"].items()))
            groups.setdefault((row["name"], stratum), []).append((row, one.get("truth") or {}))
    return [_estimate(name, stratum, group, effect, len(done)) for (name, stratum), group in sorted(groups.items())]


def _estimate(
    name: str,
    stratum: str,
    group: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    effect: float | None,
    of: int,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": name,
        "stratum": stratum,
        "unit": str(group[0][0].get("unit") or ""),
        "replicates": len(group),
        "hidden_in": sum(bool(row.get("suppressed")) for row, _ in group),
    }
    whole = [(row, truth) for row, truth in group if isinstance(row.get("estimate"), int | float)]
    if not whole:
        return found
    found["estimate"] = median(float(row["estimate"]) for row, _ in whole)
    bounded = [(row, truth) for row, truth in whole if _has_interval(row)]
    if not bounded:
        return found
    ratio = found["unit"] in RATIOS and all(row["ci_low"] > 0 for row, _ in bounded)
    if not ratio:
        found["width"] = median(row["ci_high"] - row["ci_low"] for row, _ in bounded)
        return found
    found["width_ratio"] = median(row["ci_high"] / row["ci_low"] for row, _ in bounded)
    normal = NormalDist()
    z = normal.inv_cdf(0.5 + LEVEL / 2)
    errors = [math.log(row["ci_high"] / row["ci_low"]) / (2 * z) for row, _ in bounded]
    found["detectable_ratio"] = math.exp((z + normal.inv_cdf(WISHED_POWER)) * median(errors))
    if effect is not None:
        shift = abs(math.log(effect)) / median(errors)
        found["power_for_effect"] = normal.cdf(shift - z) + normal.cdf(-shift - z)
    return found | _rejections(bounded, of)


def _has_interval(row: Mapping[str, Any]) -> bool:
    ends = (row.get("ci_low"), row.get("ci_high"))
    return all(isinstance(end, int | float) and math.isfinite(end) for end in ends)


def _rejections(bounded: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], of: int) -> dict[str, Any]:
    """Count the replicates whose interval leaves 1 out, with the exact binomial interval of their share.

    A replicate without the estimate has found nothing: it counts below, or power would be that of lucky worlds.
    """
    from epi.stats.intervals import proportion_interval

    rejected = sum(row["ci_low"] > 1 or row["ci_high"] < 1 for row, _ in bounded)
    of = max(of, len(bounded))
    share = proportion_interval(rejected, of, method="exact")
    found: dict[str, Any] = {
        "excludes_1": rejected / of,
        "excludes_1_low": float(share.low),
        "excludes_1_high": float(share.high),
    }
    planted = [
        truth[row["stratum"]["exposure"]] * float(row["settings"]["step"])
        for row, truth in bounded
        if row["stratum"].get("exposure") in truth and "step" in row["settings"]
    ]
    if len(planted) == len(bounded):
        found["planted_ratio"] = math.exp(mean(planted))
        found["reads_as"] = "power" if any(planted) else "false_positives"
    return found


def _suppression(done: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in done:
        for output in one["outputs"]:
            groups.setdefault(output["name"], []).append(output)
    rows = []
    for name, group in groups.items():
        cells = sum(one["cells"] for one in group)
        rows.append(
            {
                "output": name,
                "replicates": len(group),
                "hidden_share": sum(one["hidden"] for one in group) / cells if cells else 0.0,
                "hidden_in": sum(one["hidden"] > 0 for one in group),
                "merged_in": sum(one["merged"] for one in group),
                "refused_in": sum(one["refused"] for one in group),
            }
        )
    return sorted(rows, key=lambda row: (-row["refused_in"], -row["hidden_share"], row["output"]))

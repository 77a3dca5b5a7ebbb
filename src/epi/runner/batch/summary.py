"""A batch at a glance: one line for each job, and each result side by side over jobs.

It compares results that each run released. Runs whose parameters differ by little can be subtracted
from one another, which no run's gate sees: the summary stays with the analysts, and says so.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epi.disclosure.door import quote_formula
from epi.errors import EpiError
from epi.files import dump_json, write_json, write_text
from epi.runner.batch.course import Outcome
from epi.runner.batch.definition import Batch, Job
from epi.runner.folder import open_run
from epi.runner.inspection import plain_value
from epi.runner.site.released import read_results
from epi.runner.values import RATIOS, counts_persons

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOTE = (
    "For the analysts of this study: runs whose parameters differ by little can be subtracted from one another, "
    "which the gate of each run does not see. Numbers of persons are left out."
)
_COLUMNS = ("estimate", "ci_low", "ci_high", "unit", "suppressed")
_MOST_PANELS = 24
_MOST_LABELS = 60


def write_summary(
    batch: Batch, outcomes: Mapping[str, Outcome], runs_dir: str | Path, folder: Path
) -> tuple[Path, Path, Path]:
    """Write the summary of a batch as CSV, JSON and one page.

    Parameters
    ----------
    batch : Batch
        The batch.
    outcomes : mapping
        How its jobs ended.
    runs_dir : path-like
        The folder of runs.
    folder : Path
        Where to write.

    Returns
    -------
    tuple of Path
        ``summary.csv`` (one line for each job and result), ``summary.json`` and ``summary.html``.
    """
    rows = [row for job in batch.jobs for row in _rows(batch, job, outcomes.get(job.key), runs_dir)]
    varied = _varied(batch)
    paths = folder / "summary.csv", folder / "summary.json", folder / "summary.html"
    write_text(paths[0], _csv(rows, varied))
    jobs = [
        {"label": job.label, "key": job.key, "preset": job.preset, "parameters": _given(job), **_ending(outcomes, job)}
        for job in batch.jobs
    ]
    write_json(
        paths[1],
        {"batch": batch.name, "study": batch.study.name, "note": NOTE, "jobs": jobs, "results": rows},
    )
    write_text(paths[2], _page(batch, outcomes, rows))
    return paths


def _given(job: Job) -> dict[str, Any]:
    return {name: plain_value(value) for name, value in job.given.items()}


def _ending(outcomes: Mapping[str, Outcome], job: Job) -> dict[str, Any]:
    found = outcomes.get(job.key)
    return asdict(found) if found else {"status": "not run"}


def _varied(batch: Batch) -> list[str]:
    """Names of the parameters that differ between jobs."""
    values = [_given(job) for job in batch.jobs]
    names = sorted({name for given in values for name in given})
    return [name for name in names if len({dump_json(given.get(name)) for given in values}) > 1]


def _rows(batch: Batch, job: Job, outcome: Outcome | None, runs_dir: str | Path) -> list[dict[str, Any]]:
    if outcome is None or outcome.status != "done":
        return []
    try:
        found = read_results(open_run(runs_dir, batch.study.name, outcome.run_id))
    except EpiError:
        found = None
    return [
        {
            "job": job.label,
            "preset": job.preset or "",
            "parameters": _given(job),
            "run_id": outcome.run_id,
            "name": row["name"],
            "stratum": row["stratum"] or {},
            **{name: row.get(name) for name in _COLUMNS},
        }
        for row in found or []
        if row["name"] in batch.compare
        and row.get("level", "public") == "public"
        and not counts_persons(row["estimate"], row["unit"])
    ]


def _csv(rows: list[dict[str, Any]], varied: list[str]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["job", "preset", *varied, "run_id", "name", "stratum", *_COLUMNS])
    for row in rows:
        cells = [row["job"], row["preset"], *(row["parameters"].get(name) for name in varied)]
        cells += [row["run_id"], row["name"], _stratum(row), *(row[name] for name in _COLUMNS)]
        writer.writerow(
            ["" if cell is None else quote_formula(cell) if isinstance(cell, str) else cell for cell in cells]
        )
    return buffer.getvalue()


def _stratum(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(row["stratum"].items()))


def _panels(rows: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    panels: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if isinstance(row["estimate"], int | float) and not isinstance(row["estimate"], bool):
            panels.setdefault((row["name"], _stratum(row)), []).append(row)
    return panels


def draw_panels(batch: Batch, rows: list[dict[str, Any]]) -> Figure | None:
    """Draw each result over the jobs, in small multiples.

    Parameters
    ----------
    batch : Batch
        The batch.
    rows : list of dict
        Its results.

    Returns
    -------
    matplotlib.figure.Figure or None
        None when no result is a number. At most 24 panels; the tables hold all.
    """
    from epi.plotting import new_figure

    panels = list(_panels(rows).items())[:_MOST_PANELS]
    if not panels:
        return None
    labels = [job.label for job in batch.jobs]
    across = min(3, len(panels))
    down = -(-len(panels) // across)
    longest = max(map(len, labels)) if len(labels) <= _MOST_LABELS else 4
    left = min(4.0, 0.4 + 0.075 * longest)
    height = max(1.2, 0.24 * min(len(labels), _MOST_LABELS) + 0.5)
    figure = new_figure(left + 2.9 * across, down * (height + 0.55))
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.set_visible(False)
            continue
        (name, stratum), found = panels[place]
        for row in found:
            y = labels.index(row["job"])
            if row["ci_low"] is not None and row["ci_high"] is not None:
                axes.plot([row["ci_low"], row["ci_high"]], [y, y], color="#0b6e99", linewidth=1.6)
            axes.plot([row["estimate"]], [y], "o", color="#0b6e99", markersize=4)
        lows = [row["estimate"] if row["ci_low"] is None else row["ci_low"] for row in found]
        if found[0]["unit"] in RATIOS and min(lows) > 0:
            _ratio_axis(axes, found)
        unit = f" ({found[0]['unit']})" if found[0]["unit"] else ""
        axes.set_title(f"{name}{unit}" + (f"\n{stratum}" if stratum else ""), fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(axis="x", alpha=0.3)
    axes = grid[0][0]
    axes.set_ylim(len(labels) - 0.5, -0.5)
    if len(labels) <= _MOST_LABELS:
        axes.set_yticks(range(len(labels)), labels)
    else:
        axes.set_ylabel("jobs, in the order of the table")
    return figure


def _ratio_axis(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """Set halving as far from 1 as doubling."""
    import pandas as pd

    from epi.stats.ratio_axis import axis_limits, log_ticks

    shown = pd.DataFrame(rows)[["estimate", "ci_low", "ci_high"]].astype(float)
    low, high = axis_limits(shown.fillna({"ci_low": shown["estimate"], "ci_high": shown["estimate"]}))
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = log_ticks(low, high)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.axvline(1, color="#888888", linewidth=0.8, zorder=0)


def _page(batch: Batch, outcomes: Mapping[str, Outcome], rows: list[dict[str, Any]]) -> str:
    from epi.plotting import render

    endings = [outcomes.get(job.key) for job in batch.jobs]
    done = sum(ending is not None and ending.status == "done" for ending in endings)
    lines = [
        _job_line(number, job, ending) for number, (job, ending) in enumerate(zip(batch.jobs, endings, strict=True), 1)
    ]
    figure = draw_panels(batch, rows)
    drawn = render(figure, "svg").decode() if figure is not None else "<p>No result is a number.</p>"
    drawn = drawn[drawn.find("<svg") :] if "<svg" in drawn else drawn
    left_out = len(_panels(rows)) - _MOST_PANELS
    more = f"<p>{left_out} more results are in the table below.</p>" if left_out > 0 else ""
    results = [_result_line(row) for row in rows]
    title = escape(f"{batch.study.protocol.title.en} — batch {batch.name}")
    return _FRAME.format(
        title=title,
        note=escape(NOTE),
        said=f"{done} of {len(batch.jobs)} jobs are done.",
        jobs="\n".join(lines),
        figure=drawn + more,
        results="\n".join(results),
    )


def _job_line(number: int, job: Job, ending: Outcome | None) -> str:
    if ending is None:
        cells = ["not run", "", "", ""]
    else:
        how = ending.status + (" (was there)" if ending.reused else "")
        cells = [how, ending.run_id, f"{ending.seconds:.1f}" if ending.status == "done" else "", ending.cause]
    status = "failed" if ending is not None and ending.status == "failed" else ""
    return (
        f'<tr class="{status}"><td>{number}</td><td>{escape(job.label)}</td>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
    )


def _result_line(row: Mapping[str, Any]) -> str:
    value = "[c]" if row["suppressed"] else _number(row["estimate"])
    limits = (
        ""
        if row["ci_low"] is None or row["ci_high"] is None
        else f"{_number(row['ci_low'])} to {_number(row['ci_high'])}"
    )
    cells = [row["job"], row["name"], _stratum(row), value, limits, row["unit"] or "", row["run_id"]]
    return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


_FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733 }}
h1 {{ font-size: 1.5rem }} h2 {{ font-size: 1.15rem; margin-top: 2rem }}
.wide {{ overflow-x: auto }} svg {{ max-width: 100%; height: auto }}
table {{ border-collapse: collapse; width: 100%; font-size: 0.9rem }}
th, td {{ text-align: left; padding: 0.25rem 0.6rem; border-bottom: 1px solid #d8dfe6; vertical-align: top }}
.failed td {{ background: #fdecea }} .note {{ background: #fff6db; padding: 0.5rem 0.8rem }}
</style></head><body>
<h1>{title}</h1>
<p class="note">{note}</p>
<p>{said}</p>
<h2>Jobs</h2>
<div class="wide"><table>
<thead><tr><th></th><th>job</th><th>end</th><th>run</th><th>seconds</th><th>cause</th></tr></thead>
<tbody>
{jobs}
</tbody></table></div>
<h2>Results side by side</h2>
<div class="wide">{figure}</div>
<h2>Results</h2>
<div class="wide"><table>
<thead><tr><th>job</th><th>result</th><th>stratum</th><th>estimate</th><th>interval</th><th>unit</th><th>run</th></tr></thead>
<tbody>
{results}
</tbody></table></div>
</body></html>
"""

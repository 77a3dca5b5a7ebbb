"""A rehearsal as files: one page marked synthetic, CSV for each table, JSON for machines."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import epi
from epi.files import write_json, write_text
from epi.runner.rehearsal import NOTES, Rehearsal
from epi.runner.site.content import View, view
from epi.runner.site.figures import number
from epi.runner.site.words import word

_SITE = Path(__file__).parent / "site"


def write_rehearsal(folder: Path, rehearsal: Rehearsal, lang: str = "en") -> Path:
    """Write a rehearsal.

    Parameters
    ----------
    folder : Path
        Where; files of the same names are replaced.
    rehearsal : Rehearsal
        The summary.
    lang : {"en", "fr"}, optional
        Language of the page.

    Returns
    -------
    Path
        The page, which needs no other file.
    """
    import jinja2

    write_json(folder / "rehearsal.json", rehearsal.as_dict())
    for name in ("attrition", "estimates", "suppression"):
        write_text(folder / f"{name}.csv", _csv(getattr(rehearsal, name)))
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_SITE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    say = partial(word, lang=lang)
    text = templates.get_template("rehearsal.html").render(
        lang=lang,
        style=(_SITE / "assets" / "style.css").read_text(encoding="utf-8"),
        t=lambda key, **values: word(key, lang, **values),
        facts=facts_of(rehearsal, lang),
        tables=[(say(f"rehearsal_{name}"), say(f"rehearsal_{name}_text"), table)
                for name, table in views_of(rehearsal, lang).items()],
        failures=[f"{one['seed']}: {one['cause']}" for one in rehearsal.failures],
        notes=[say(f"rehearsal_note_{name}") for name in NOTES],
        study=str(rehearsal.asked["study"]),
        version=epi.__version__,
    )  # fmt: skip
    write_text(folder / "rehearsal.html", text)
    return folder / "rehearsal.html"


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    lines = csv.DictWriter(out, ["synthetic", *columns], lineterminator="\n")
    lines.writeheader()
    lines.writerows({"synthetic": "true", **row} for row in rows)
    return out.getvalue()


def facts_of(rehearsal: Rehearsal, lang: str) -> list[tuple[str, str]]:
    """Say what was asked, and what it took.

    Parameters
    ----------
    rehearsal : Rehearsal
        The summary.
    lang : {"en", "fr"}
        The language.

    Returns
    -------
    list of tuple of str
        Label and text.
    """
    asked, cost = rehearsal.asked, rehearsal.cost
    given = ", ".join(f"{name} = {value}" for name, value in asked["parameters"].items())
    facts = [
        (word("rehearsal_persons", lang), number(int(asked["persons"]), lang)),
        (word("parameters", lang), given or "–"),
        (word("preset", lang), str(asked["preset"] or "–")),
        (word("rehearsal_seeds", lang), ", ".join(map(str, asked["seeds"]))),
        (word("rehearsal_done", lang), str(cost["replicates"])),
    ]
    if cost["replicates"]:
        facts += [
            (word("duration", lang), f"{number(float(cost['seconds_each']), lang, 1)} s"),
            (word("memory", lang), f"{number(round(cost['peak_memory_mb']), lang)} MB"),
        ]
    return facts


def views_of(rehearsal: Rehearsal, lang: str) -> dict[str, View]:
    """Print the three tables.

    Parameters
    ----------
    rehearsal : Rehearsal
        The summary.
    lang : {"en", "fr"}
        The language.

    Returns
    -------
    dict of str to View
        ``attrition``, ``estimates`` and ``suppression``.
    """
    print_, say, count = partial(_print, lang=lang), partial(word, lang=lang), partial(_count, lang=lang)
    steps = [
        (
            row["step"] if row["table"] == "attrition" else f"{row['table']}: {row['step']}",
            count(row["mean"]),
            f"{print_(row['lowest'])} – {print_(row['highest'])}",
            f"{print_(row['predicted_low'])} – {print_(row['predicted_high'])}" if row["replicates"] > 1 else "",
            str(row["replicates"]),
        )
        for row in rehearsal.attrition
    ]
    asked = rehearsal.asked.get("effect")
    estimates = [
        (
            f"{row['name']} ({row['stratum']})" if row["stratum"] else row["name"],
            f"{row['replicates']} / {rehearsal.cost['replicates']}",
            print_(row.get("estimate")),
            f"× {print_(row['width_ratio'])}" if "width_ratio" in row else print_(row.get("width")),
            print_(row.get("planted_ratio")),
            _share(row, say, lang),
            print_(row.get("detectable_ratio")),
            *([_percent(row.get("power_for_effect"), lang)] if asked else []),
        )
        for row in rehearsal.estimates
    ]
    hidden = [
        (
            row["output"],
            _percent(row["hidden_share"], lang),
            *(f"{row[name]} / {row['replicates']}" for name in ("hidden_in", "merged_in", "refused_in")),
        )
        for row in rehearsal.suppression
    ]
    headings = {
        "attrition": ("step", "mean", "range", "predicted", "replicates"),
        "estimates": (
            "result",
            "estimated",
            "typical",
            "width",
            "planted",
            "excludes",
            "detectable",
            *(["power"] if asked else []),
        ),
        "suppression": ("output", "hidden_share", "hidden_in", "merged_in", "refused_in"),
    }
    rows: dict[str, Sequence[tuple[str, ...]]] = {"attrition": steps, "estimates": estimates, "suppression": hidden}
    return {
        name: view(
            [word(f"rehearsal_h_{column}", lang, effect=print_(asked)) for column in columns],
            rows[name],
            numeric=[False] + [True] * (len(columns) - 1),
        )
        for name, columns in headings.items()
    }


def _share(row: Mapping[str, Any], say: Any, lang: str) -> str:
    if "excludes_1" not in row:
        return ""
    low, high = (_percent(row[f"excludes_1_{end}"], lang) for end in ("low", "high"))
    reads = say(f"rehearsal_{row['reads_as']}") if "reads_as" in row else ""
    return f"{_percent(row['excludes_1'], lang)} ({low} – {high}){f', {reads}' if reads else ''}"


def _percent(value: float | None, lang: str) -> str:
    return "" if value is None else f"{number(100 * value, lang, 1 if 0 < value < 0.1 else 0)} %"


def _print(value: Any, lang: str) -> str:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return ""
    return number(round(value), lang) if abs(value) >= 100 else number(float(value), lang, 2)


def _count(value: float, lang: str) -> str:
    return number(round(value), lang)

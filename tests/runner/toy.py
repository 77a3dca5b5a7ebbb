"""A toy study that needs no workspace: invented persons, two notebooks, canaries that must not leave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

CANARY = "PAT-CANARY-7731"
"""An identifier that the toy persons carry; it must reach no page, message or log."""

PROTOCOL = """
id: toy
version: "1.0"
title: {fr: "Âge et groupe : un jouet", en: "Age and group: a toy"}
question:
  fr: "La part des plus âgés diffère-t-elle entre groupes ?"
  en: Does the share of older persons differ between groups?
population: {fr: "Personnes inventées, deux groupes", en: "Invented persons, two groups"}
design: {fr: "Transversal, intervalle de Wilson", en: "Cross-sectional, Wilson interval"}
limits:
  - {fr: "Ces personnes n'existent pas.", en: "These persons do not exist."}
  - {fr: "Deux groupes ne disent rien des autres.", en: "Two groups say nothing of others."}
legal: {basis: none needed, expires: 2035-12-31}
investigators: [{role: maker of toys, institution: Toy University}]
sources: [open_data]
parameters:
  minimum_age: {type: int, default: 18, min: 0, max: 90, unit: years, meaning: youngest person kept}
  since: {type: date, default: 2015-01-01, meaning: first day}
  words: {type: str, default: plain, meaning: any text}
  groups: {type: "list[str]", default: [a, b], meaning: groups kept}
  share: {type: float, default: 0.5, min: 0, max: 1, meaning: a share}
  drawn: {type: bool, default: true, meaning: whether to draw}
notebooks:
  - {file: 01_counts.ipynb, title: {fr: "Effectifs", en: "Counts"}}
  - {file: 02_figures.ipynb, title: {fr: "Figures", en: "Figures"}}
outputs:
  - {name: attrition, meaning: {fr: "Flux des personnes", en: "Flow of persons"}}
  - {name: groups, meaning: {fr: "Personnes par groupe", en: "Persons by group"}}
  - {name: group_chart, meaning: {fr: "Personnes par groupe, figure", en: "Persons by group, drawn"}}
  - {name: notes, level: internal, meaning: {fr: "Notes internes", en: "Internal notes"}}
  - {name: older_share, meaning: {fr: "Part des 60 ans et plus", en: "Share aged 60 and over"}}
  - {name: n_kept, meaning: {fr: "Personnes retenues", en: "Persons kept"}}
highlights: [n_kept, older_share]
"""

HELPER = f'''
"""Invented persons, the same at each call."""

import pandas as pd

from epi.plotting import Chart, new_figure
from epi.results import Counted, Release


def persons() -> pd.DataFrame:
    """120 persons in two groups, each with an identifier that must not leave."""
    number = range(120)
    return pd.DataFrame(
        {{
            "person": ["{CANARY}-%03d" % n for n in number],
            "group": ["a" if n % 3 else "b" for n in number],
            "age": [5 + n % 70 for n in number],
        }}
    )


def flow(everyone: pd.DataFrame, kept: pd.DataFrame) -> Release:
    """Persons left after each step."""
    table = pd.DataFrame(
        {{
            "step": [1, 2],
            "label": ["known", "old enough"],
            "n": [len(everyone), len(kept)],
        }}
    )
    return Release(table, (Counted("n", nested=True),), title="Flow", not_counts=("step",))


def by_group(kept: pd.DataFrame) -> Release:
    """Persons by group."""
    table = kept.groupby("group").size().rename("n").reset_index()
    return Release(table, (Counted("n"),), title="Persons by group", note="Invented.")


def draw(table: pd.DataFrame):
    """Draw one bar for each group that is not hidden."""
    figure = new_figure(5, 2.4)
    axes = figure.add_subplot()
    seen = table.dropna(subset=["n"])
    axes.barh(list(seen["group"]), [float(n) for n in seen["n"]], color="#0b6e99")
    axes.set_xlabel("persons")
    return figure


def chart(kept: pd.DataFrame) -> Chart:
    """Persons by group, drawn."""
    return Chart(by_group(kept), draw, "Bars of persons by group; a is the longer.")
'''

PARAMETERS = """
minimum_age = 18
since = "2015-01-01"
words = "plain"
groups = ["a", "b"]
share = 0.5
drawn = True
"""

COUNTS: list[tuple[str, str]] = [
    ("markdown", "# Counts\n\nWho is kept, **and who is not**.\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
    ("parameters", PARAMETERS),
    ("code", "import epi\nimport toy_helper\n\neveryone = toy_helper.persons()"),
    ("code", "everyone.head()"),
    ("code", "print(everyone['person'].iloc[0])\neveryone['person'].iloc[1]"),
    (
        "code",
        "kept = everyone[(everyone['age'] >= minimum_age) & everyone['group'].isin(groups)]\n"
        "epi.output(toy_helper.flow(everyone, kept), 'attrition')",
    ),
    ("code", "epi.output(toy_helper.by_group(kept), 'groups')"),
    ("code", "epi.output(toy_helper.by_group(kept), 'notes', level='internal')"),
    ("code", "epi.record('n_kept', len(kept), n=len(kept), unit='persons')"),
]
FIGURES: list[tuple[str, str]] = [
    ("markdown", "# Figures"),
    ("parameters", PARAMETERS),
    ("code", "import epi\nimport toy_helper\n\nkept = toy_helper.persons().query('age >= @minimum_age')"),
    ("code", "epi.output(toy_helper.chart(kept), 'group_chart')"),
    (
        "code",
        "epi.record('older_share', 35.7, ci_low=27.3, ci_high=45.1, unit='%', n=len(kept), settings={'level': 0.95})",
    ),
]


def write_notebook(path: Path, cells: Sequence[tuple[str, str]]) -> None:
    """Write a notebook from (kind, source) pairs; ``parameters`` is a tagged code cell."""
    made = []
    for number, (kind, source) in enumerate(cells):
        cell: dict[str, object] = {
            "id": f"cell-{number}",
            "cell_type": "markdown" if kind == "markdown" else "code",
            "metadata": {"tags": ["parameters"]} if kind == "parameters" else {},
            "source": dedent(source).strip(),
        }
        if kind != "markdown":
            cell |= {"outputs": [], "execution_count": None}
        made.append(cell)
    content = {
        "cells": made,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def write_toy_study(
    root: Path,
    *,
    protocol: str = PROTOCOL,
    counts: Sequence[tuple[str, str]] | None = None,
    figures: Sequence[tuple[str, str]] | None = None,
) -> Path:
    """Write the toy study under a folder of studies and give its folder."""
    folder = root / "toy"
    (folder / "parameters").mkdir(parents=True)
    (folder / "README.md").write_text("# A toy\n", encoding="utf-8")
    (folder / "protocol.yml").write_text(protocol, encoding="utf-8")
    (folder / "toy_helper.py").write_text(HELPER, encoding="utf-8")
    (folder / "parameters" / "older.yml").write_text("minimum_age: 40\n", encoding="utf-8")
    write_notebook(folder / "01_counts.ipynb", COUNTS if counts is None else counts)
    write_notebook(folder / "02_figures.ipynb", FIGURES if figures is None else figures)
    return folder


def one_notebook(root: Path, cells: Sequence[tuple[str, str]]) -> Path:
    """Write a study of one notebook, without parameters or outputs, for what happens in a kernel."""
    folder = root / "small"
    folder.mkdir(parents=True)
    head, tail = PROTOCOL.split("parameters:")[0], "notebooks:\n  - {file: 01_only.ipynb, title: {fr: Un, en: One}}\n"
    (folder / "protocol.yml").write_text(head.replace("id: toy", "id: small") + tail, encoding="utf-8")
    (folder / "README.md").write_text("# Small\n", encoding="utf-8")
    write_notebook(folder / "01_only.ipynb", cells)
    return folder

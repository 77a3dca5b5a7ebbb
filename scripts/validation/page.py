"""The page of figures: sections of titles and rows, written whole or one at a time."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from validation.proof import Row

PACKAGES = ("duckdb", "ibis-framework", "numpy", "pandas", "scipy", "statsmodels")
TABLE_HEAD = ["| what | found | holds |", "| --- | --- | --- |"]


def write_section(rows: Sequence[Row], persons: int, replicates: int) -> str:
    """Write what one proof found, and when, with what, on what it was run."""
    used = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    told = [f"| {what} | {found} | {'yes' if holds else '**no**'} |" for what, found, holds in rows]
    run = (
        f"Run on {dt.date.today()}, Python {platform.python_version()}, {used}; {replicates} replicates, a synthetic "
        f"France of {persons:,} persons asked where one is used."
    )
    return "\n".join([*TABLE_HEAD, *told, "", run])


def write_page(sections: Mapping[str, str]) -> str:
    """Join the sections into the page."""
    head = (
        "# Validation\n\n"
        "Written by `make validate`; each section says when it was last run. Criteria are fixed beforehand: coverage "
        "is held against 95 % by an exact binomial test (p > 0.001; one-sided for exact intervals, which may cover "
        "more), a planted rate is within 4 standard errors of its estimate. CI runs a short form of each.\n"
    )
    return head + "".join(f"\n## {title}\n\n{body}\n" for title, body in sections.items())


def read_page(text: str) -> dict[str, str]:
    """Read the sections of a page back."""
    parts = text.split("\n## ")[1:]
    return {title: body.strip("\n") for title, _, body in (part.partition("\n") for part in parts)}


def renew(text: str, found: Mapping[str, str], order: Sequence[str]) -> str:
    """Put new sections in the place of the old ones; those of proofs that are no more go.

    Parameters
    ----------
    text : str
        The page as it is; empty for none.
    found : mapping of str to str
        New sections by title.
    order : sequence of str
        Titles of all proofs, in the order of the page.

    Returns
    -------
    str
        The page, with the sections that were ever run.
    """
    sections = {**read_page(text), **found}
    return write_page({title: sections[title] for title in order if title in sections})

"""What the gate's record keeps of how an output is set: enough to print its file again elsewhere."""

from __future__ import annotations

from typing import Any, Literal

from epi.disclosure.columns import count_columns, has_word, is_text, is_whole
from epi.disclosure.gate import Decision
from epi.disclosure.pages import hidden_note

Kind = Literal["text", "flag", "count", "whole", "number", "probability"]
"""Words, yes or no, persons, whole numbers that count nobody, measures, p- and q-values."""

_PROBABILITIES = ("p", "q")


def describe_layout(decision: Decision, alt: str = "") -> dict[str, Any]:
    """Say how a checked table is set: what each column is, its heading, the notes.

    Parameters
    ----------
    decision : Decision
        What the gate let through.
    alt : str, optional
        What the picture drawn from it shows.

    Returns
    -------
    dict
        ``columns`` (name and kind of each, in order), ``labels``, ``note``, ``hidden`` (what was hidden, in a
        sentence), ``mark`` (what stands for a hidden cell) and ``alt``. Nothing in it is not
        printed on the page.

    Examples
    --------
    >>> import pandas as pd
    >>> from epi.disclosure.gate import check_release
    >>> from epi.disclosure.policy import read_policy
    >>> from epi.results import Counted, Release
    >>> table = pd.DataFrame({"code": ["01", "02"], "n": [402, 351], "p": [0.2, 0.01]})
    >>> describe_layout(check_release(Release(table, (Counted("n"),)), read_policy()))["columns"]
    [['code', 'text'], ['n', 'count'], ['p', 'probability']]
    """
    release = decision.release
    shown = set(decision.table.columns)
    return {
        "columns": [[column, _kind(decision, column)] for column in decision.table.columns],
        "labels": {column: label for column, label in release.labels.items() if column in shown},
        "note": release.note,
        "hidden": hidden_note(decision),
        "mark": decision.policy.mark,
        "alt": alt,
    }


def _kind(decision: Decision, column: str) -> Kind:
    values = decision.table[column]
    if values.dtype.kind == "b":
        return "flag"
    if is_text(values) or values.dtype.kind in "Mm":
        return "text"
    if column in count_columns(decision.release):
        return "count"
    if is_whole(values):
        return "whole"
    return "probability" if has_word(column, _PROBABILITIES) else "number"

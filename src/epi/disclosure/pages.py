"""How an output looks: a table for reading, a figure with its words, each self-contained HTML."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from html import escape
from itertools import pairwise

import numpy as np
import pandas as pd

from epi.disclosure.columns import count_columns, has_word, is_text, is_whole
from epi.disclosure.gate import Decision

THIN = "\u202f"
MINUS = "\u2212"

# Every rule starts at .epi-output, so that nothing outside it changes; colours hold on light and dark.
_STYLE = """
.epi-output{font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;margin:.7em 0 1.3em;
 max-width:100%;overflow-x:auto;color:inherit}
.epi-output table{border-collapse:collapse;border:0;margin:0;font-variant-numeric:tabular-nums lining-nums;
 border-top:1.5px solid currentColor;border-bottom:1.5px solid currentColor;background:none}
.epi-output caption{caption-side:top;text-align:left;font-weight:600;font-size:15px;padding:0 0 .45em;
 color:inherit}
.epi-output th,.epi-output td{padding:.3em 1.1em .3em .2em;text-align:left;vertical-align:top;border:0;
 background:none;white-space:normal;max-width:34em}
.epi-output thead th{font-weight:600;vertical-align:bottom;border-bottom:1px solid currentColor;font-size:13px}
.epi-output tbody tr+tr td{border-top:1px solid rgba(128,138,148,.22)}
.epi-output tbody tr.epi-new td{border-top:1px solid rgba(128,138,148,.75)}
.epi-output .epi-num{text-align:right;white-space:nowrap;padding-left:1.1em;padding-right:.4em}
.epi-output .epi-no{opacity:.55}
.epi-output figure{margin:0}
.epi-output img{max-width:100%;height:auto;background:#fff}
.epi-output figcaption{font-weight:600;font-size:15px;padding:0 0 .45em}
.epi-output .epi-note{font-size:12.5px;opacity:.8;margin:.5em 0 0;max-width:60em}
@media print{.epi-output{overflow:visible;break-inside:avoid}}
"""


def table_html(decision: Decision, *, remark: str = "") -> str:
    """Write a checked table as HTML.

    Parameters
    ----------
    decision : Decision
        What the gate let through.
    remark : str, optional
        A last line.

    Returns
    -------
    str
        A ``div`` with its own style, escaped, numbers to the right, hidden cells marked.
    """
    release, table = decision.release, decision.table
    rows = min(len(table), decision.policy.page_rows)
    texts = {column: format_column(decision, column)[:rows] for column in table.columns}
    numeric = {column for column in table.columns if not is_text(table[column]) or _is_figures(texts[column])}
    head = "".join(
        f'<th scope="col"{_class(column in numeric)}>{escape(release.labels.get(column, _words(column)))}</th>'
        for column in table.columns
    )
    lead = table.columns[0]
    body = []
    for row in range(rows):
        cells = []
        repeat = row > 0 and lead not in numeric and texts[lead][row] == texts[lead][row - 1]
        for column in table.columns:
            text = "" if repeat and column == lead and len(table.columns) > 2 else texts[column][row]
            quiet = text in (decision.policy.mark, "–")
            shown = f'<span class="epi-no">{escape(text)}</span>' if quiet else escape(text)
            cells.append(f"<td{_class(column in numeric)}>{shown}</td>")
        new = ' class="epi-new"' if row and not repeat and _has_groups(texts[lead]) else ""
        body.append(f"<tr{new}>{''.join(cells)}</tr>")
    caption = f"<caption>{escape(release.title)}</caption>" if release.title else ""
    more = f"{len(table) - rows} more rows are in the table's file." if len(table) > rows else ""
    return (
        f'<div class="epi-output"><style>{_STYLE}</style><table>{caption}<thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>{_notes(decision, more, remark)}</div>"
    )


def figure_html(decision: Decision, png: bytes, alt: str, *, remark: str = "") -> str:
    """Write a figure drawn from a checked table as HTML.

    Parameters
    ----------
    decision : Decision
        What the gate let through.
    png : bytes
        The picture.
    alt : str
        What it shows, in a sentence.
    remark : str, optional
        A last line.

    Returns
    -------
    str
        A ``div`` with its own style and the picture inside.
    """
    title = decision.release.title
    caption = f"<figcaption>{escape(title)}</figcaption>" if title else ""
    picture = base64.b64encode(png).decode()
    return (
        f'<div class="epi-output"><style>{_STYLE}</style><figure>{caption}'
        f'<img alt="{escape(alt)}" src="data:image/png;base64,{picture}"></figure>'
        f"{_notes(decision, remark)}</div>"
    )


def result_html(text: str, label: str, *, remark: str = "") -> str:
    """Write one recorded result as HTML.

    Parameters
    ----------
    text : str
        The estimate, formatted.
    label : str
        Its name and stratum.
    remark : str, optional
        Why it is hidden, or where it was not written.

    Returns
    -------
    str
        A ``div`` with its own style.
    """
    note = f' <span class="epi-no">{escape(remark)}</span>' if remark else ""
    return (
        f'<div class="epi-output"><style>{_STYLE}</style>{escape(label)}: <strong>{escape(text)}</strong>{note}</div>'
    )


def hidden_note(decision: Decision) -> str:
    """Say what was hidden, and under which rule.

    Parameters
    ----------
    decision : Decision
        What the gate let through.

    Returns
    -------
    str
        A sentence, empty when nothing was hidden.
    """
    policy = decision.policy
    merged = any(finding.rule == "small_step" for finding in decision.findings)
    words = []
    if decision.n_hidden:
        words.append(
            f"{policy.mark}: {decision.n_hidden} {'cell' if decision.n_hidden == 1 else 'cells'} hidden "
            f"(fewer than {policy.min_count} persons, or a figure from which such a number could be found)."
        )
    if merged:
        words.append(f"Steps that remove fewer than {policy.min_count} persons are reported with their neighbours.")
    return " ".join(words)


def format_column(decision: Decision, column: str) -> list[str]:
    """Write a column's cells for reading.

    Parameters
    ----------
    decision : Decision
        What the gate let through.
    column : str
        A column of its table.

    Returns
    -------
    list of str
        One text for each row: the policy's mark where hidden, a dash where missing.
    """
    values, hidden = decision.table[column], decision.hidden[column].to_numpy()
    write = _writer(decision, column)
    return [
        decision.policy.mark if hide else ("–" if pd.isna(value) else write(value))
        for value, hide in zip(values, hidden, strict=True)
    ]


def _writer(decision: Decision, column: str) -> Callable[[object], str]:
    values = decision.table[column]
    if values.dtype.kind == "b":
        return lambda value: "yes" if value else "no"
    if is_text(values):
        return lambda value: f"{value:,.10g}".replace(",", THIN) if isinstance(value, float) else str(value)
    if column in decision.release.not_counts and is_whole(values):
        return lambda value: str(int(float(value)))  # type: ignore[arg-type]
    if column in count_columns(decision.release) or is_whole(values):
        return lambda value: format_number(float(value), 0)  # type: ignore[arg-type]
    decimals = choose_decimals(values.to_numpy(float, na_value=np.nan))
    if has_word(column, ("p", "q")):
        decimals = max(3, min(decimals, 4))
    return lambda value: format_number(float(value), decimals)  # type: ignore[arg-type]


def choose_decimals(values: np.ndarray) -> int:
    """Choose how many decimals a set of figures needs: two below ten, fewer above, more below 0.05.

    Parameters
    ----------
    values : numpy.ndarray
        Figures, possibly missing.

    Returns
    -------
    int
        Number of decimals, the same for all so that they line up.

    Examples
    --------
    >>> import numpy as np
    >>> [choose_decimals(np.array([typical])) for typical in (850.0, 22.5, 1.853, 0.74, 0.004)]
    [0, 1, 2, 2, 4]
    """
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    if not len(sizes):
        return 0
    typical = float(np.median(sizes))
    if typical >= 0.05:
        return 0 if typical >= 100 else (1 if typical >= 10 else 2)
    return min(6, 1 - math.floor(math.log10(typical)))


def format_number(value: float, decimals: int) -> str:
    """Write a number with thin spaces between thousands.

    Parameters
    ----------
    value : float
        The number.
    decimals : int
        Decimals kept.

    Returns
    -------
    str
        Its text.

    Examples
    --------
    >>> format_number(26767, 0) == "26\u202f767", format_number(-1.25, 1), format_number(0.0001, 3)
    (True, '−1.2', '<0.001')
    """
    if 0 < value < 0.5 * 10**-decimals and decimals:
        return f"<{10**-decimals:.{decimals}f}"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    return f"{value:,.{decimals}f}".replace(",", THIN).replace("-", MINUS)


def _is_figures(texts: list[str]) -> bool:
    present = [text for text in texts if text not in ("–", "")]
    begins, ends = "0123456789<>≤≥[" + MINUS, "0123456789%)]"
    return bool(present) and all(text[0] in begins and text[-1] in ends for text in present)


def _has_groups(texts: list[str]) -> bool:
    return any(first == second for first, second in pairwise(texts))


def _class(numeric: bool) -> str:
    return ' class="epi-num"' if numeric else ""


def _words(column: str) -> str:
    return column.replace("_", " ")


def _notes(decision: Decision, *extra: str) -> str:
    lines = [decision.release.note, *extra[:-1], hidden_note(decision), extra[-1]]
    return "".join(f'<p class="epi-note">{escape(line)}</p>' for line in lines if line)

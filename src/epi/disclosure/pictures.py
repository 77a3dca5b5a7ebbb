"""What a drawn figure shows beyond its table: points of persons, texts with identifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epi.disclosure.gate import Decision
from epi.disclosure.identifiers import find_identifiers
from epi.errors import DisclosureError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

BACKGROUND = "background"
"""Mark, by ``artist.set_gid("background")``, points that are no statistics: towns, measuring stations."""


def check_picture(figure: Figure, decision: Decision, name: str) -> None:
    """Check that a figure shows the statistics of its table, not persons.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure drawn from the checked table.
    decision : Decision
        What the gate let through.
    name : str
        The output's name, for the message.

    Raises
    ------
    DisclosureError
        If more points are scattered than the table has rows, or a text, an id or a link of an
        element holds an identifier.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    rows, faults = len(decision.table), []
    for artist in figure.findobj(lambda one: isinstance(one, PathCollection | Line2D)):
        if artist.get_gid() == BACKGROUND or not artist.get_visible():
            continue
        points = 0
        if isinstance(artist, PathCollection):
            points = int(np.isfinite(np.ma.filled(artist.get_offsets(), np.nan)).all(axis=1).sum())
        elif isinstance(artist, Line2D) and _is_scattered(artist):
            points = int(np.size(artist.get_xdata()))
        if points > rows and not _is_tick(artist):
            faults.append(f"{points} points are drawn together from a table of {rows} row(s)")
    texts = [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]
    kinds = sorted({kind for text in texts for kind in find_identifiers(text, decision.policy, periods=True)})
    if kinds:
        faults.append(f"a text of the picture is shaped like: {', '.join(kinds)}")
    hidden = _unseen_texts(figure)
    kinds = sorted({kind for text in hidden for kind in find_identifiers(text, decision.policy, periods=True)})
    if kinds:
        faults.append(f"an element's id or link, kept inside the file, is shaped like: {', '.join(kinds)}")
    if faults:
        raise DisclosureError(
            f"output '{name}' draws more than its table says",
            "one point for each row of the table: persons are never drawn one by one",
            "put what is drawn in the Release's table, or mark points that are no statistics with "
            "artist.set_gid('background')",
            faults=sorted(set(faults)),
        )


def _unseen_texts(figure: Figure) -> list[str]:
    """List the words that SVG and PDF files keep of a figure beside what is seen: ids and links."""
    found: list[str] = []
    for artist in figure.findobj():
        urls = getattr(artist, "get_urls", lambda: None)() or [artist.get_url()]
        found += [str(text) for text in (artist.get_gid(), *urls) if text]
    return found


def _is_scattered(line: Line2D) -> bool:
    """Say whether a line shows markers alone."""
    nothing = {"None", "none", "", " "}
    return line.get_linestyle() in nothing and str(line.get_marker()) not in nothing


def _is_tick(artist: object) -> bool:
    return getattr(artist, "axes", None) is None

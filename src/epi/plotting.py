"""Charts: a figure is always drawn from the table it shows.

So the disclosure gate can hide cells of the table, then have the same chart drawn from what is
left: nothing that was hidden can stay in a picture.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from matplotlib.figure import Figure

from epi.results import Release

INK = "#1f2933"
MUTED = "#7b8794"
GRID = "#e4e7eb"
ACCENT = "#0b6e99"
WARM = "#c2410c"
HIDDEN = "#d9dde2"
PALETTE = (ACCENT, WARM, "#5b8c3a", "#8b5fbf", "#b8860b", "#4a5568")

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "svg.hashsalt": "epi",
    # Letters of an SVG are outlines, those of a PDF embedded TrueType: both look the same on any machine.
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "pdf.use14corefonts": False,
    "legend.frameon": False,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw with the workbench's style, leaving the caller's own settings alone.

    Yields
    ------
    None
        Control, while the style holds.
    """
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        yield


def new_figure(width: float = 7.0, height: float = 4.0) -> Figure:
    """Make a figure that no global state knows of.

    Parameters
    ----------
    width, height : float, optional
        Size in inches.

    Returns
    -------
    matplotlib.figure.Figure
        An empty figure with constrained layout.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


@dataclass(frozen=True)
class Chart:
    """A figure and the table it is drawn from.

    Parameters
    ----------
    data : Release
        The table shown, and which of its columns count persons.
    draw : callable
        Draws a matplotlib figure from a table with the same columns. Cells hidden by the gate
        are missing there, and `draw` must show them as hidden or leave them out.
    alt : str
        What the picture shows, in a sentence, for those who do not see it.
    """

    data: Release
    draw: Callable[[pd.DataFrame], Figure]
    alt: str

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            The table behind the figure.
        """
        return self.data

    def figure(self, table: pd.DataFrame | None = None) -> Figure:
        """Draw the chart.

        Parameters
        ----------
        table : pandas.DataFrame, optional
            The table to draw from; the chart's own by default.

        Returns
        -------
        matplotlib.figure.Figure
            The figure.
        """
        with style():
            return self.draw(self.data.table if table is None else table)

    def _repr_png_(self) -> bytes:
        return render(self.figure(), "png")


def render(figure: Figure, form: str = "png", dpi: int | None = None) -> bytes:
    """Write a figure as bytes that depend on the figure alone.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    form : {"png", "svg", "pdf"}, optional
        File format.
    dpi : int, optional
        Dots per inch of a PNG, and of what is rasterised inside a PDF; 150 by default.

    Returns
    -------
    bytes
        The file's content, without date or version of the writer. Letters of an SVG are outlines;
        fonts of a PDF are embedded, as TrueType.
    """
    buffer = io.BytesIO()
    metadata = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }[form]
    with style():
        figure.savefig(buffer, format=form, metadata=metadata, bbox_inches="tight", facecolor="white", dpi=dpi)
    return buffer.getvalue()

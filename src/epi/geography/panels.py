"""Drawing: polygons to paths, windows, legend, scale bar and locator."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from epi import plotting
from epi.geography.classes import Classes, write_number
from epi.geography.contours import mosaic
from epi.geography.layout import Box, Layout, Panel, fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

LAND = "#d6d9dd"
PAPER = "#ffffff"
HATCH = "#a3abb6"
BORDER = "#3e4c59"
_HATCHING = "//////"
_POINTS_KEPT = 0.45


def path_of(shapes: pd.Series | np.ndarray) -> Path | None:
    """Turn polygons into one path, holes included.

    Parameters
    ----------
    shapes : sequence of shapely geometries
        Polygons and multipolygons.

    Returns
    -------
    matplotlib.path.Path or None
        A compound path; None when there is no polygon.
    """
    from matplotlib.path import Path

    parts = shapely.get_parts(np.asarray(shapes, dtype=object))
    if not len(parts):
        return None
    # Holes must turn the other way for the renderer to leave them empty.
    rings = shapely.get_rings(shapely.orient_polygons(parts))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    codes = np.full(len(points), Path.LINETO, dtype=Path.code_type)
    first = np.diff(ring, prepend=-1) > 0
    codes[first] = Path.MOVETO
    codes[np.append(first[1:], True)] = Path.CLOSEPOLY
    return Path(points, codes)


def _add(axes: Axes, shapes: pd.Series | np.ndarray, **look: Any) -> None:
    from matplotlib.patches import PathPatch

    path = path_of(shapes)
    if path is not None:
        # As an artist, not a patch: the axes would else measure every vertex to find limits we know.
        axes.add_artist(PathPatch(path, joinstyle="round", **look))


def _seen(shapes: pd.Series, ground: Box) -> pd.Series:
    """Keep the shapes that touch the ground of a window."""
    if shapes.empty:
        return shapes
    west, south, east, north = shapely.bounds(shapes.to_numpy(dtype=object)).T
    return shapes[(west < ground[2]) & (east > ground[0]) & (south < ground[3]) & (north > ground[1])]


def _window(figure: Figure, layout: Layout, place: Box, ground: Box) -> Axes:
    left, bottom, width, height = place
    axes = figure.add_axes((left / layout.width, bottom / layout.height, width / layout.width, height / layout.height))
    axes.set_xlim(ground[0], ground[2])
    axes.set_ylim(ground[1], ground[3])
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def draw_panel(figure: Figure, layout: Layout, panel: Panel, level: str, classes: Classes, place: pd.Series) -> Axes:
    """Draw one window.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The page.
    layout : Layout
        Its plan.
    panel : Panel
        The window.
    level : str
        The level mapped.
    classes : Classes
        Colours.
    place : pandas.Series
        Class of each area in the table, by code; -1 where it has no value.

    Returns
    -------
    matplotlib.axes.Axes
        The window drawn.
    """
    axes = _window(figure, layout, panel.place, panel.ground)
    scale = panel.metres_per_point
    pieces = mosaic(level, panel.territory, _tolerance(scale))
    areas = _seen(pieces["areas"], panel.ground)
    # Lines between areas give way when areas are too small to bear them.
    side = np.sqrt(np.median(shapely.area(areas.to_numpy(dtype=object)))) / scale
    line = float(np.clip(side / 45, 0, 0.5))
    given = place.reindex(areas.index)
    _add(axes, areas[given.isna()], facecolor=LAND, edgecolor=PAPER if line > 0.2 else LAND, linewidth=line)
    _add(axes, _seen(pieces["none"], panel.ground), facecolor=LAND, edgecolor=LAND, linewidth=0.1)
    hidden = areas[given == -1]
    _add(axes, hidden, facecolor=PAPER, edgecolor=HATCH, linewidth=0.0, hatch=_HATCHING)
    _add(axes, hidden, facecolor="none", edgecolor=HATCH, linewidth=max(line, 0.15))
    for number, colour in enumerate(classes.colours):
        white = classes.zero and number == 0
        edge = PAPER if line > 0.2 and not white else ("#c3c9d1" if white else colour)
        _add(axes, areas[given == number], facecolor=colour, edgecolor=edge, linewidth=max(line, 0.12))
    borders = pieces["areas" if level == "region" else "departements"]
    _add(axes, _seen(borders, panel.ground), facecolor="none", edgecolor=BORDER, linewidth=0.4, alpha=0.75)
    if panel.framed:
        for spine in axes.spines.values():
            spine.set(visible=True, color=plotting.MUTED, linewidth=0.5)
    if panel.caption:
        axes.set_title(panel.caption, loc="left", fontsize=7.5, fontweight="normal", color=plotting.INK, pad=2.5)
    return axes


def _tolerance(metres_per_point: float) -> float:
    """Give a tolerance below what the eye sees, on a coarse ladder so that mosaics are made once."""
    wanted = metres_per_point * _POINTS_KEPT
    ladder = (0.0, 150.0, 300.0, 600.0, 1200.0)
    return max(step for step in ladder if step <= max(wanted, 0.0))


def draw_page(
    layout: Layout,
    *,
    level: str,
    classes: Classes,
    place: pd.Series,
    title: list[str],
    label: str,
    foot: list[str],
    words: dict[str, str],
    lang: str,
) -> Figure:
    """Draw a whole map.

    Parameters
    ----------
    layout : Layout
        The plan of the page.
    level : str
        The level mapped.
    classes : Classes
        Colours and labels.
    place : pandas.Series
        Class of each area in the table, by code; -1 where it has no value.
    title : list of str
        Lines of the heading.
    label : str
        Heading of the legend.
    foot : list of str
        Lines of the source.
    words : dict
        Words of the legend, in the map's language.
    lang : {"en", "fr"}
        That language, for numbers.

    Returns
    -------
    matplotlib.figure.Figure
        The map.
    """
    import matplotlib as mpl

    figure = plotting.new_figure(layout.width, layout.height)
    figure.set_layout_engine("none")
    with mpl.rc_context({"hatch.linewidth": 0.45}):
        main = layout.panels[0]
        drawn = [draw_panel(figure, layout, panel, level, classes, place) for panel in layout.panels]
        _mark(drawn[0], main, layout.panels[1:])
        if layout.scale_bar is not None:
            _scale_bar(figure, layout, main, layout.scale_bar)
        if layout.locator is not None:
            _locator(figure, layout, main, layout.locator)
        _legend(figure, layout, level, classes, place, label, words, lang)
    figure.text(
        0.1 / layout.width,
        1 - 0.08 / layout.height,
        "\n".join(title),
        fontsize=11.5,
        fontweight="bold",
        va="top",
        linespacing=1.25,
    )
    figure.text(
        0.1 / layout.width, 0.06 / layout.height, "\n".join(foot), fontsize=6.8, color=plotting.MUTED, va="bottom"
    )
    return figure


def _mark(axes: Axes, main: Panel, insets: tuple[Panel, ...]) -> None:
    """Show on the main window what an inset of the same territory enlarges."""
    from matplotlib.patches import Rectangle

    for panel in insets:
        if panel.territory == main.territory:
            west, south, east, north = panel.ground
            axes.add_patch(
                Rectangle(
                    (west, south), east - west, north - south, fill=False, edgecolor=plotting.MUTED, linewidth=0.5
                )
            )


def _scale_bar(figure: Figure, layout: Layout, main: Panel, at: tuple[float, float]) -> None:
    from matplotlib.lines import Line2D

    across = (main.ground[2] - main.ground[0]) / 1000
    steps = [step * 10**power for power in range(4) for step in (1, 2, 5)]
    length = max(step for step in steps if step <= across / 4 or step == 1)
    x, y = at[0] / layout.width, at[1] / layout.height
    end = x + length / across * main.place[2] / layout.width
    figure.add_artist(Line2D([x, end], [y, y], color=plotting.MUTED, linewidth=1.1, solid_capstyle="butt"))
    figure.text(end + 0.06 / layout.width, y, f"{length} km", fontsize=6.8, color=plotting.MUTED, va="center")


def _locator(figure: Figure, layout: Layout, main: Panel, at: Box) -> None:
    from matplotlib.patches import Rectangle

    pieces = mosaic("region", "metropolitan", 1200.0)["areas"]
    ends = shapely.total_bounds(pieces.to_numpy(dtype=object))
    ground = (*np.minimum(ends[:2], main.ground[:2]), *np.maximum(ends[2:], main.ground[2:]))
    across, tall = fit((ground[0], ground[1], ground[2], ground[3]), at[2], at[3])
    axes = _window(figure, layout, (at[0], at[1], across, tall), ground)
    _add(axes, pieces, facecolor=LAND, edgecolor=PAPER, linewidth=0.3)
    left, bottom, right, top = main.ground
    axes.add_patch(
        Rectangle(
            (left, bottom),
            right - left,
            top - bottom,
            fill=False,
            edgecolor=plotting.WARM,
            linewidth=1.2,
            clip_on=False,
        )
    )


def _legend(
    figure: Figure,
    layout: Layout,
    level: str,
    classes: Classes,
    place: pd.Series,
    label: str,
    words: dict[str, str],
    lang: str,
) -> None:
    from matplotlib.patches import Patch

    number = place.to_numpy()
    boxes = [
        (classes.labels[index], classes.colours[index], "", int((number == index).sum()))
        for index in reversed(range(len(classes.colours)))
    ]
    if (number == -1).any():
        boxes.append((words["hidden"], PAPER, _HATCHING, int((number == -1).sum())))
    handles = [
        Patch(
            facecolor=colour,
            edgecolor=HATCH,
            hatch=hatch,
            linewidth=0.5,
            label=f"{text}  ({write_number(areas, lang, 0)})",
        )
        for text, colour, hatch, areas in boxes
    ]
    if _has_context(layout, level, place):
        handles.append(Patch(facecolor=LAND, edgecolor=HATCH, linewidth=0.5, label=words["outside"]))
    note = "\n".join(textwrap.wrap(words["areas"], 30))
    handles.append(Patch(facecolor="none", edgecolor="none", label=note))
    x, y = layout.legend
    legend = figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(x / layout.width, y / layout.height),
        borderaxespad=0,
        borderpad=0,
        title="\n".join(textwrap.wrap(label, 28)),
        title_fontproperties={"size": 8.5, "weight": "bold"},
        alignment="left",
        fontsize=8,
        handlelength=1.7,
        handleheight=1.15,
        labelspacing=0.35,
    )
    legend.get_texts()[-1].set(fontsize=6.8, color=plotting.MUTED)


def _has_context(layout: Layout, level: str, place: pd.Series) -> bool:
    """Tell whether some land on the page is not in the table."""
    for panel in layout.panels:
        pieces = mosaic(level, panel.territory, _tolerance(panel.metres_per_point))
        if (
            len(_seen(pieces["none"], panel.ground))
            or not _seen(pieces["areas"], panel.ground).index.isin(place.index).all()
        ):
            return True
    return False

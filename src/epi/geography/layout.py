"""Where each part of a map stands on the page, in inches, and which ground it shows, in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

from epi.geography.contours import TERRITORIES, commune_cells

Box = tuple[float, float, float, float]

WIDTH = 7.6
SIDE = 2.05
_MAIN_WIDTH, _MAIN_HEIGHT = WIDTH - SIDE - 0.15, 5.6
_ROW_HEIGHT = 1.05
_CAPTION = 0.2
_WHOLE = 0.62

TERRITORY_NAMES = {
    "guadeloupe": "Guadeloupe",
    "martinique": "Martinique",
    "guyane": "Guyane",
    "la_reunion": "La Réunion",
    "mayotte": "Mayotte",
    "metropolitan": "",
}


@dataclass(frozen=True)
class Panel:
    """One window on the ground.

    Parameters
    ----------
    territory : str
        The territory whose projection it uses.
    ground : tuple of float
        West, south, east, north, in metres.
    place : tuple of float
        Left, bottom, width, height on the page, in inches.
    caption : str
        Written above the window; empty for the main one.
    framed : bool
        Whether a thin frame goes around it.
    """

    territory: str
    ground: Box
    place: Box
    caption: str = ""
    framed: bool = False

    @property
    def metres_per_point(self) -> float:
        """Size on the ground of a typographic point."""
        return (self.ground[2] - self.ground[0]) / (self.place[2] * 72)


@dataclass(frozen=True)
class Layout:
    """A whole map page.

    Parameters
    ----------
    width, height : float
        Size of the page in inches.
    panels : tuple of Panel
        The windows, the main one first.
    legend : tuple of float
        Left and top of the legend, in inches.
    locator : tuple of float or None
        Place of the small France that shows where the main window lies.
    scale_bar : tuple of float or None
        Left and height of the scale bar of the main window; None where windows differ too much.
    """

    width: float
    height: float
    panels: tuple[Panel, ...]
    legend: tuple[float, float]
    locator: Box | None
    scale_bar: tuple[float, float] | None


def ground_of(rows: pd.DataFrame, margin: float = 0.02) -> Box:
    """Give the box around some communes, with a margin.

    Parameters
    ----------
    rows : pandas.DataFrame
        Rows of :func:`~epi.geography.contours.commune_cells`, of one territory.
    margin : float, optional
        Share of the longer side added all around.

    Returns
    -------
    tuple of float
        West, south, east, north, in metres.
    """
    west, south, east, north = shapely.total_bounds(rows["shape"].to_numpy(dtype=object))
    more = margin * max(east - west, north - south)
    return (west - more, south - more, east + more, north + more)


def fit(ground: Box, width: float, height: float) -> tuple[float, float]:
    """Give the largest size within a window that has the ground's proportions.

    Parameters
    ----------
    ground : tuple of float
        West, south, east, north, in metres.
    width, height : float
        Size of the window in inches.

    Returns
    -------
    tuple of float
        Width and height in inches.

    Examples
    --------
    >>> fit((0, 0, 200, 100), 3.0, 3.0)
    (3.0, 1.5)
    """
    ratio = (ground[3] - ground[1]) / (ground[2] - ground[0])
    return (width, width * ratio) if width * ratio <= height else (height / ratio, height)


def _widen(ground: Box, width: float, height: float) -> Box:
    """Widen the ground about its centre, to the proportions of a window."""
    west, south, east, north = ground
    scale = max((east - west) / width, (north - south) / height)
    x, y = (west + east) / 2, (south + north) / 2
    return (x - scale * width / 2, y - scale * height / 2, x + scale * width / 2, y + scale * height / 2)


def plan_layout(present: np.ndarray, level: str, head: float, foot: float) -> Layout:
    """Plan the page from the communes that have a row in the map's table.

    Parameters
    ----------
    present : numpy.ndarray
        For each row of :func:`~epi.geography.contours.commune_cells`, whether its area has a row.
    level : str
        The level mapped.
    head, foot : float
        Heights kept for the title and the source line, in inches.

    Returns
    -------
    Layout
        All of metropolitan France with insets, a part of it with a locator, or overseas windows alone.
    """
    cells = commune_cells()
    territory = cells["territory"].to_numpy(dtype=object)
    overseas = [name for name in TERRITORIES if (present & (territory == name)).any()]
    metropolitan = territory == "metropolitan"
    legend_left = WIDTH - SIDE + 0.05
    if not (present & metropolitan).any():
        return _overseas_alone(overseas, head, foot, legend_left)
    whole = ground_of(cells[metropolitan])
    part = ground_of(cells[present & metropolitan], 0.06)
    reach = max((part[2] - part[0]) / (whole[2] - whole[0]), (part[3] - part[1]) / (whole[3] - whole[1]))
    full = reach > _WHOLE
    ground = whole if full else part
    width, height = fit(ground, _MAIN_WIDTH, _MAIN_HEIGHT)
    if not full:
        # A slender region would leave an empty page: show some of its neighbours instead.
        width, height = max(width, 3.2), max(height, 3.2)
        ground = _widen(ground, width, height)
    row = _ROW_HEIGHT + _CAPTION if overseas else 0.0
    bar = 0.0 if full else _CAPTION  # the sea has room for the scale bar, a zoomed window has none
    bottom = foot + row + (0.1 if overseas else 0.0) + bar
    # The side column holds the legend and a window below it.
    height_page = bottom + max(height, 3.7) + head
    left = 0.1 + (_MAIN_WIDTH - width) / 2
    main = Panel("metropolitan", ground, (left, height_page - head - height, width, height))
    panels = [main, *_row(overseas, foot)]
    locator = None
    capital = (cells["region"] == "11").to_numpy()
    if full and level != "region" and (present & capital).any():
        near = cells["departement"].isin(["75", "92", "93", "94"]) if level == "departement" else capital
        caption = "Paris" if level == "departement" else "Île-de-France"
        inner = ground_of(cells[near], 0.03)
        across, tall = fit(inner, SIDE - 0.2, 1.7)
        place = (legend_left, bottom + 0.05, across, tall)
        panels.append(Panel("metropolitan", inner, place, caption, framed=True))
    elif not full:
        across, tall = fit(whole, 1.15, 1.15)
        locator = (legend_left, bottom + 0.05, across, tall)
    scale = (left + 0.02, main.place[1] + (0.08 if full else -0.12))
    return Layout(WIDTH, height_page, tuple(panels), (legend_left, height_page - head), locator, scale)


def _row(overseas: list[str], foot: float) -> list[Panel]:
    """Set overseas windows in a row at the foot of the page, each as large as its height allows."""
    cells = commune_cells()
    step = (WIDTH - 0.2) / 5
    panels = []
    for number, name in enumerate(overseas):
        ground = ground_of(cells[cells["territory"] == name], 0.05)
        width, height = step - 0.12, _ROW_HEIGHT
        place = (0.1 + number * step, foot, width, height)
        panels.append(Panel(name, _widen(ground, width, height), place, TERRITORY_NAMES[name], framed=True))
    return panels


def _overseas_alone(overseas: list[str], head: float, foot: float, legend_left: float) -> Layout:
    cells = commune_cells()
    columns = 1 if len(overseas) == 1 else 2
    lines = -(-len(overseas) // columns)
    side = {1: (_MAIN_WIDTH, 4.8), 2: (_MAIN_WIDTH / 2 - 0.1, 2.5)}[columns]
    height_page = foot + _CAPTION + head + lines * (side[1] + _CAPTION + 0.1) + 0.05
    panels = []
    for number, name in enumerate(overseas):
        line, column = divmod(number, columns)
        left = 0.1 + column * (side[0] + 0.15)
        bottom = height_page - head - (line + 1) * (side[1] + _CAPTION + 0.1) + 0.1
        ground = _widen(ground_of(cells[cells["territory"] == name], 0.05), *side)
        caption = TERRITORY_NAMES[name] if columns > 1 else ""
        panels.append(Panel(name, ground, (left, bottom, *side), caption, framed=columns > 1))
    scale = (panels[0].place[0] + 0.02, panels[0].place[1] - 0.08) if columns == 1 else None
    return Layout(WIDTH, height_page, tuple(panels), (legend_left, height_page - head), None, scale)

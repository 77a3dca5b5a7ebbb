"""Choropleth maps: areas coloured by class, drawn from their table."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.errors import GeographyError, ParameterError
from epi.geography import store
from epi.geography.classes import Classes, build_classes
from epi.geography.communes import check_level, names_of
from epi.geography.contours import commune_cells
from epi.geography.layout import plan_layout
from epi.geography.panels import draw_page
from epi.plotting import Chart
from epi.results import Counted, Release

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "hidden": "no value, or hidden",
        "outside": "not in the study",
        "none": "no such area",
        "areas": "in brackets: number of areas",
        "source": "Source: ",
        "insets": "Insets at their own scales.",
        "map": "Map",
    },
    "fr": {
        "hidden": "sans valeur ou masquée",
        "outside": "hors de l’étude",
        "none": "pas de zone de ce niveau",
        "areas": "entre parenthèses : nombre de zones",
        "source": "Source\u00a0: ",
        "insets": "Cartons à leurs propres échelles.",
        "map": "Carte",
    },
}
LEVEL_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "commune": "communes",
        "bassin_de_vie": "bassins de vie",
        "arrondissement": "arrondissements",
        "departement": "départements",
        "region": "regions",
        "epci": "inter-municipalities",
        "urban_unit": "urban units",
        "catchment_area": "catchment areas",
    },
    "fr": {
        "commune": "communes",
        "bassin_de_vie": "bassins de vie",
        "arrondissement": "arrondissements",
        "departement": "départements",
        "region": "régions",
        "epci": "intercommunalités",
        "urban_unit": "unités urbaines",
        "catchment_area": "aires d’attraction des villes",
    },
}


@dataclass(frozen=True)
class MapSettings:
    """How a map is drawn, the same whatever cells are hidden.

    Parameters
    ----------
    level : str
        The level mapped.
    value : str
        The column shown.
    title, label, source : str
        Texts of the head, the legend and the foot.
    classes : dict
        Options of :func:`~epi.geography.build_classes`.
    lang : {"en", "fr"}
        Language of the words around the map.
    categories : mapping, optional
        For a column of texts, the label and colour of each.
    """

    level: str
    value: str
    title: str
    label: str
    source: str
    classes: dict[str, Any] = field(default_factory=dict)
    lang: str = "en"
    categories: Mapping[str, tuple[str, str]] | None = None


def choropleth(
    values: pd.DataFrame,
    level: str,
    *,
    value: str = "value",
    count: str | None = None,
    area: str = "area",
    title: str = "",
    label: str = "",
    source: str = "",
    note: str = "",
    scale: str = "sequential",
    bins: Sequence[float] | None = None,
    k: int = 5,
    scheme: str = "quantiles",
    center: float | None = None,
    counts: tuple[Counted, ...] = (),
    not_counts: tuple[str, ...] = (),
    categories: Mapping[str, tuple[str, str]] | None = None,
    lang: str = "en",
) -> Chart:
    """Map a value by area, on the whole of France or on the part of it that has rows.

    Grey land is not in the table; hatched areas are in it without a value, or with a value that the
    disclosure gate hid; a zero of a sequential scale is white and has its own line in the legend.
    Départements are drawn lightly over. Overseas départements that have rows are shown in insets,
    with Île-de-France enlarged when all of metropolitan France is shown.

    Parameters
    ----------
    values : pandas.DataFrame
        One row for each area of the study, at least columns `area` and `value`.
    level : str
        One of :data:`~epi.geography.LEVELS`.
    value : str, optional
        The column to show; missing values are hatched.
    count : str, optional
        The column that counts the persons behind each value: the value falls when the count is hidden.
    area : str, optional
        The column of area codes.
    title, label, source, note : str, optional
        Heading; heading of the legend, with the unit; source of the values; denominators and method.
    scale : {"sequential", "ratio", "difference"}, optional
        From little to much; around 1, such as an SIR; around 0.
    bins : sequence of float, optional
        The breaks; chosen from the values shown by default.
    k, scheme, center : optional
        See :func:`~epi.geography.build_classes`.
    counts : tuple of Counted, optional
        More columns that count persons, when `count` does not say enough.
    not_counts : tuple of str, optional
        Integer columns that count no persons.
    categories : mapping of str to (str, str), optional
        For a column of texts: for each of them, in the order of the legend, its label and its colour. The options
        of classes play no part then.
    lang : {"en", "fr"}, optional
        Language of the words around the map.

    Returns
    -------
    Chart
        The map, drawn from its table: the columns given, the codes as `area` (`insee_code` for communes,
        with their `population`, so that the disclosure gate sees how small they are), `name`.

    Raises
    ------
    GeographyError
        If area codes are missing, given twice, or not areas of this level; numbers of rows are given.
    ParameterError
        If a column or an option is wrong.

    Examples
    --------
    >>> table = pd.DataFrame({"area": ["38", "73"], "value": [1.3, 0.8]})
    >>> chart = choropleth(table, "departement", scale="ratio", title="SIR", label="Ratio")
    >>> chart.data.table["name"].tolist()
    ['Isère', 'Savoie']
    """
    check_level(level)
    if lang not in WORDS:
        raise ParameterError(f"lang is {lang!r}", "'en' or 'fr'")
    table = _prepare(values, level, area, value, count, categories)
    options: dict[str, Any] = {"scale": scale, "k": k, "scheme": scheme, "center": center, "lang": lang}
    options["bins"] = None if bins is None else tuple(float(cut) for cut in bins)
    if categories is None:
        build_classes(_numbers(table[value]), **options)  # a wrong option is refused now, not when drawn
    settings = MapSettings(level, value, title, label or value, source, options, lang, categories)
    if count is not None and not any(counted.column == count for counted in counts):
        derived = () if count == value else (value,)
        counts = (*counts, Counted(count, derived=derived))
    words = LEVEL_WORDS[lang][level]
    alt = f"{WORDS[lang]['map']}: {title or label or value}; {len(table):,} {words}"
    foot = f"{WORDS[lang]['source']}{'; '.join(part for part in (source, store.ATTRIBUTION) if part)}."
    release = Release(
        table,
        counts=counts,
        title=title,
        note=" ".join(part for part in (note, foot) if part),
        not_counts=not_counts if level != "commune" else (*not_counts, "population"),
        labels={key_of(level): level, "name": "name", value: label or value},
    )
    return Chart(release, lambda shown: _draw(shown, settings), alt)


def _prepare(
    values: pd.DataFrame,
    level: str,
    area: str,
    value: str,
    count: str | None,
    categories: Mapping[str, tuple[str, str]] | None,
) -> pd.DataFrame:
    wanted = [column for column in (area, value, count) if column is not None]
    lacking = [column for column in wanted if column not in values.columns]
    if lacking:
        raise ParameterError(
            f"the table has no column {', '.join(lacking)}", f"columns {', '.join(wanted)}", "name them"
        )
    key = key_of(level)
    if area != key and key in values.columns:
        raise ParameterError(f"the table has both {area} and {key}", f"one column of area codes, named {area}")
    table = values.rename(columns={area: key}).reset_index(drop=True)
    names = names_of(level)
    drawn = set(commune_cells()["insee_code" if level == "commune" else level].dropna())
    codes = table[key].astype(object)
    faults = {
        "have no area code": codes.isna(),
        "repeat an area already given": codes.duplicated() & codes.notna(),
        f"hold a code that is no {level}": ~codes.isin(drawn) & codes.notna(),
    }
    lines = [f"{int(rows.sum()):,} of {len(table):,} rows {fault}" for fault, rows in faults.items() if rows.any()]
    if lines or table.empty:
        raise GeographyError(
            "the table cannot be mapped" if lines else "the table to map has no rows",
            f"one row for each area, with current codes of level {level}",
            "geography.area_of(insee_codes, level) gives them; city_of takes arrondissements to their city",
            faults=lines,
        )
    if categories is not None:
        strange = int((table[value].notna() & ~table[value].isin(list(categories))).sum())
        if strange:
            raise ParameterError(
                f"{strange} of {len(table)} rows of {value} hold none of the categories", ", ".join(categories)
            )
    shown = _numbers(table[value]) if categories is None else pd.Series(0.0, index=table.index)
    if np.isinf(shown).any() or (categories is None and (shown.isna() & table[value].notna()).any()):
        raise ParameterError(f"column {value} holds what is no number", "finite numbers or missing values")
    table[key] = codes
    if "name" not in table.columns:
        table.insert(list(table.columns).index(key) + 1, "name", codes.map(names))
    if level == "commune" and "population" not in table.columns:
        table["population"] = codes.map(commune_cells()["population"]).astype("int64")
    return table.sort_values(key, ignore_index=True)


def key_of(level: str) -> str:
    """Give the name of the column of codes in a map's table.

    A column of commune codes keeps the name by which the disclosure gate knows small areas.

    Parameters
    ----------
    level : str
        The level mapped.

    Returns
    -------
    str
        "insee_code" for communes, "area" for any other level.
    """
    return "insee_code" if level == "commune" else "area"


def _numbers(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce").astype("float64")


def _draw(table: pd.DataFrame, settings: MapSettings) -> Figure:
    words = WORDS[settings.lang]
    codes = table[key_of(settings.level)].astype(str)
    if settings.categories is None:
        shown = pd.Series(_numbers(table[settings.value]).to_numpy(), index=codes)
        classes = build_classes(shown, **settings.classes)
    else:
        places = {name: float(place) for place, name in enumerate(settings.categories)}
        shown = pd.Series(table[settings.value].map(places).to_numpy(dtype=float), index=codes)
        labels, colours = zip(*settings.categories.values(), strict=True)
        classes = Classes(tuple(place + 0.5 for place in range(len(places) - 1)), colours, labels)
    cells = commune_cells()
    column = "insee_code" if settings.level == "commune" else settings.level
    present = cells[column].isin(shown.index).to_numpy()
    title = textwrap.wrap(settings.title, 82)
    head = 0.25 + 0.22 * len(title)
    layout = plan_layout(present, settings.level, head, 0.42)
    origin = "; ".join(part for part in (settings.source, store.ATTRIBUTION) if part)
    foot = f"{words['source']}{origin}."
    if len(layout.panels) > 1:
        foot = f"{foot} {words['insets']}"
    return draw_page(
        layout,
        level=settings.level,
        classes=classes,
        place=pd.Series(classes.assign(shown.to_numpy()), index=shown.index),
        title=title,
        label=settings.label,
        foot=textwrap.wrap(foot, 135),
        words=words,
        lang=settings.lang,
    )

"""The missing map: where persons live who have no value, and where a register is silent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import pandas as pd

from epi.errors import ParameterError
from epi.geography import area_of, choropleth, read_communes
from epi.results import Counted

if TYPE_CHECKING:
    from epi.plotting import Chart

Lang = Literal["fr", "en"]
_BINS = (0.1, 1.0, 5.0, 20.0, 50.0)


def chart_missing(
    by_commune: pd.DataFrame | None, variable: str, labels: Mapping[str, str], level: str, lang: Lang
) -> Chart:
    """Map the share of persons without value, by area of residence.

    Parameters
    ----------
    by_commune : pandas.DataFrame or None
        ``variable``, ``insee_code``, ``persons``, ``missing``.
    variable : str
        The variable.
    labels : mapping
        Its label in both languages.
    level : str
        Level of territory.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    Chart
        The map. Persons whose commune is not known are on no map.

    Raises
    ------
    ParameterError
        If nobody has a commune.
    """
    rows = by_commune[by_commune["variable"] == variable] if by_commune is not None else pd.DataFrame()
    if rows.empty:
        raise ParameterError("no person has a commune to be mapped at", "members with a residence")
    areas = area_of(rows["insee_code"], level)
    table = rows.groupby(areas)[["persons", "missing"]].sum().rename_axis("area").reset_index()
    table["share_missing_pct"] = 100.0 * table["missing"] / table["persons"]
    words = {
        "en": (f"{labels['en']}: persons without a value", "% of persons",
               "Persons whose commune of residence is not known are not on the map."),
        "fr": (f"{labels['fr']} : personnes sans valeur", "% des personnes",
               "Les personnes dont la commune de résidence est inconnue ne sont pas sur la carte."),
    }[lang]  # fmt: skip
    # The coverage publishes how many persons have no value: areas add up to a known total.
    counts = (
        Counted("missing", of="persons", adds_up_within=(), derived=("share_missing_pct",)),
        Counted("persons", adds_up_within=()),
    )
    return choropleth(
        table, level, value="share_missing_pct", bins=_BINS, title=words[0], label=words[1], note=words[2], lang=lang,
        counts=counts,
    )  # fmt: skip


def chart_silence(
    reference: pd.DataFrame, variable: str, *, label: str = "", level: str = "departement", lang: Lang = "en"
) -> Chart:
    """Map the share of communes for which a register has no value: no person is counted.

    Parameters
    ----------
    reference : pandas.DataFrame
        ``insee_code`` (communes of today) and `variable`. A commune that is not there has no value.
    variable : str
        The variable.
    label : str, optional
        What to call it; its name by default.
    level : str, optional
        Level of territory.
    lang : {"fr", "en"}, optional
        Language.

    Returns
    -------
    Chart
        A map of the whole of France.

    Raises
    ------
    ParameterError
        If the column is not there.
    """
    lacking = [name for name in ("insee_code", variable) if name not in reference.columns]
    if lacking:
        raise ParameterError(f"the register has no {', '.join(lacking)}", f"insee_code and {variable}")
    communes = read_communes()
    known = communes["insee_code"].isin(reference.loc[reference[variable].notna(), "insee_code"])
    frame = pd.DataFrame({"area": area_of(communes["insee_code"], level), "communes": 1, "silent": ~known})
    table = frame.groupby("area")[["communes", "silent"]].sum().reset_index()
    table["share_missing_pct"] = 100.0 * table["silent"] / table["communes"]
    title = {"en": "communes without a value", "fr": "communes sans valeur"}[lang]
    return choropleth(
        table, level, value="share_missing_pct", bins=_BINS, lang=lang, not_counts=("communes", "silent"),
        title=f"{label or variable}{' :' if lang == 'fr' else ':'} {title}",
        label={"en": "% of communes", "fr": "% des communes"}[lang],
    )  # fmt: skip

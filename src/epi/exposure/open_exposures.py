"""From the readers of open files to exposures: emitters, monitors, and values of areas at their communes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from epi.errors import DataError, ParameterError
from epi.exposure.emitters import Emitters, build_emitters
from epi.geography import LEVELS, area_of, read_communes

if TYPE_CHECKING:
    from epi.sources.open_data import OpenTable

_MEDIA = {"Air": "air", "Eau (direct)": "water (direct)", "Eau (indirect)": "water (indirect)", "Sol": "soil"}


@dataclass(frozen=True)
class OpenExposures:
    """Values by commune of today, ready for :func:`epi.exposure.enrich` as ``reference=`` and ``about=``.

    Parameters
    ----------
    reference : pandas.DataFrame
        ``insee_code`` and one column for each variable.
    about : mapping
        Metadata of each variable.
    """

    reference: pd.DataFrame
    about: Mapping[str, Mapping[str, Any]]


def _told(source: OpenTable) -> dict[str, str]:
    return {
        "source": f"{source.layout.title_en} ({source.file})",
        "producer": source.layout.producer,
        "vintage": source.vintage,
        "licence": source.layout.licence,
        "origin": "open data",
        "missing_areas": source.layout.absent,
    }


def use_open_table(
    source: OpenTable,
    columns: Sequence[str] | None = None,
    *,
    labels: Mapping[str, tuple[str, str]] | None = None,
    weights: str | None = None,
) -> OpenExposures:
    """Bring the columns of an open file to the communes of today, with their metadata.

    A file by commune is carried from the geography of its codes to today's; the communes of a larger area (bassin de
    vie, arrondissement...) all take its value, and the support says so.

    Parameters
    ----------
    source : OpenTable
        What a reader of :mod:`epi.sources.open_data` gave, one row for each area.
    columns : sequence of str, optional
        Columns wanted; all means and numbers by default.
    labels : mapping, optional
        English and French label by column; the column's name by default.
    weights : str, optional
        Column by which means of communes that merged are weighted; see :meth:`OpenTable.to_current`.

    Returns
    -------
    OpenExposures
        Reference table and metadata.

    Raises
    ------
    DataError
        If the file is not by area, or has several rows for an area.
    ParameterError
        If columns are not there.
    """
    support = source.support
    if not source.area or support not in LEVELS:
        raise DataError(
            f"{source.layout.id} is a file by {support}", f"a file by one of {', '.join(LEVELS)}",
            "measure_emitters and read_monitors bring sites and stations to areas",
        )  # fmt: skip
    wanted = list(columns) if columns is not None else source.columns_of("mean", "number", "count")
    lacking = [name for name in wanted if name not in source.table.columns]
    if lacking:
        raise ParameterError(f"{source.layout.id} has no {', '.join(lacking)}", ", ".join(source.table.columns[:12]))
    held = source.to_current(weights=weights) if support == "commune" else source
    table = held.table[[held.area, *wanted]]
    twice = int(table[held.area].duplicated().sum())
    if twice:
        raise DataError(f"{twice} row(s) repeat an area", "one row for each", "filter the table first")
    if support == "commune":
        reference = table.rename(columns={held.area: "insee_code"})
    else:
        communes = read_communes()[["insee_code"]]
        area = area_of(communes["insee_code"], support)
        by_area = table.set_index(held.area).reindex(area.to_numpy()).reset_index(drop=True)
        reference = pd.concat([communes.reset_index(drop=True), by_area], axis=1)
        # A commune whose area the file does not have is not in the file.
        reference = reference[area.isin(table[held.area]).to_numpy()]
    units = {column.name: column.unit for column in held.columns}
    about = {}
    for name in wanted:
        label_en, label_fr = (labels or {}).get(name, (name, name))
        about[name] = {**_told(source), "label_en": label_en, "label_fr": label_fr, "unit": units.get(name, ""),
                       "support": support, "direction_note": source.layout.caveat}  # fmt: skip
    return OpenExposures(reference.sort_values("insee_code", ignore_index=True), about)


def use_irep(located: OpenTable, emissions: OpenTable | None = None, *, farms: bool = False) -> Emitters:
    """Make emitters of the register of polluting emissions (IREP).

    Parameters
    ----------
    located : OpenTable
        Establishments with a place: the located copy (:func:`read_irep_located`), of which only those whose commune
        agrees with their postal code are kept, or the official file after :func:`locate_irep`, of which only those
        whose point is in their commune are kept.
    emissions : OpenTable, optional
        The official emissions (:func:`read_irep_emissions`). Those of establishments without a place are left out and
        counted in ``about``.
    farms : bool, optional
        Keep what looks like a farm, where the file says so.

    Returns
    -------
    Emitters
        Sites and emissions.

    Raises
    ------
    DataError
        If the file says nothing of how good places are, or quantities are not in kg a year.
    """
    table = located.table
    key = "irep_id" if "irep_id" in table.columns else "identifiant"
    if "commune_matches_postal" in table.columns:
        keep = table["commune_matches_postal"] == 1
    elif "location_check" in table.columns:
        keep = table["location_check"] == "in_commune"
    else:
        raise DataError("nothing says whether establishments are where they are said to be", "a checked place",
                        "locate_irep(read_irep_establishments(path))")  # fmt: skip
    if not farms and "looks_like_farm" in table.columns:
        keep &= table["looks_like_farm"] == 0
    kept = table[keep.fillna(False).astype(bool)].drop_duplicates(key)
    sites = pd.DataFrame({"site_id": kept[key].astype(str), "lon": kept["lon"], "lat": kept["lat"]})
    about = {name: text for name, text in _told(located).items() if name != "missing_areas"}
    if emissions is None:
        return build_emitters(sites, about=about)
    given = emissions.table
    unit = given["unite"].dropna().astype(str).str.strip().str.lower()
    other = int((~unit.isin(["kg/an", "kg/year"])).sum())
    if other:
        raise DataError(f"{other} emission(s) are not in kg a year", "kg/an", "set aside what is in another unit")
    frame = pd.DataFrame(
        {
            "site_id": given["identifiant"].astype(str),
            "year": pd.to_numeric(given["annee_emission"], errors="coerce").astype("Int64"),
            "medium": given["milieu"].map(_MEDIA).fillna(given["milieu"]),
            "pollutant": given["polluant"],
            "kg": given["quantite"],
        }
    )
    known = frame["site_id"].isin(sites["site_id"]) & frame["kg"].notna()
    summed = frame[known].groupby(["site_id", "year", "medium", "pollutant"])["kg"].sum().reset_index()
    about |= {"source": f"{about['source']}; {emissions.file}", "vintage": emissions.vintage,
              "emissions_without_place": str(int((~known).sum()))}  # fmt: skip
    return build_emitters(sites, summed, about=about)


def use_air_stations(
    stations: OpenTable, pollutant: str, *, influence: str | None = "Fond", minimum_coverage: float = 0.75
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Choose the monitors of a pollutant.

    Parameters
    ----------
    stations : OpenTable
        What :func:`read_air_stations` gave.
    pollutant : str
        ``PM2.5``, ``PM10``, ``O3``, ``NO2`` or ``SO2``.
    influence : str, optional
        Kind of station (``Fond``, background); None for all.
    minimum_coverage : float, optional
        Least share of the year's days that was measured.

    Returns
    -------
    tuple of pandas.DataFrame and dict
        ``monitor_id``, ``lon``, ``lat``, ``value``; and the metadata for :func:`read_monitors`.

    Raises
    ------
    ParameterError
        If the pollutant was not measured.
    """
    table = stations.table
    share = next(name for name in table.columns if name.startswith("coverage"))
    if pollutant not in set(table["pollutant"]):
        raise ParameterError(f"{pollutant!r} was not measured", ", ".join(sorted(set(table["pollutant"]))))
    keep = (table["pollutant"] == pollutant) & (table[share] >= minimum_coverage) & table["mean"].notna()
    if influence is not None:
        keep &= table["influence"] == influence
    kept = table[keep]
    frame = pd.DataFrame(
        {"monitor_id": kept["station_code"], "lon": kept["lon"], "lat": kept["lat"], "value": kept["mean"]}
    )
    about = {
        **_told(stations),
        "label_en": f"{pollutant}, mean at stations",
        "label_fr": f"{pollutant}, moyenne aux stations",
        "unit": "µg/m³",
        "direction_note": stations.layout.caveat,
        "theme": "air",
    }
    return frame.reset_index(drop=True), about

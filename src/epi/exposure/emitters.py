"""Sites that emit: how near the closest is, how many there are around, and how much they release."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from epi.errors import DataError, ParameterError
from epi.geography import area_points, belongs_to, check_degrees, nearest, pairs_within
from epi.results import Release

Kernel = Literal["flat", "inverse_distance"]
_SLUG = r"[a-z][a-z0-9_]{0,30}"


@dataclass(frozen=True)
class Emitters:
    """Places of sites, and what they release.

    Parameters
    ----------
    sites : pandas.DataFrame
        Sorted: ``site_id``, ``lon``, ``lat`` (degrees WGS84), ``opened`` and ``closed`` (first and last year of
        activity, missing where not known).
    emissions : pandas.DataFrame or None
        Sorted: ``site_id``, ``year``, ``medium``, ``pollutant``, ``kg`` (kilograms in the year).
    about : mapping
        ``source``, ``producer``, ``vintage``, ``licence``, ``origin``.
    """

    sites: pd.DataFrame
    emissions: pd.DataFrame | None
    about: Mapping[str, str]

    def active_in(self, first: int, last: int) -> pd.DataFrame:
        """Keep the sites active in some year of a span; a year that is not known excludes nothing.

        Parameters
        ----------
        first, last : int
            Years.

        Returns
        -------
        pandas.DataFrame
            Rows of `sites`.
        """
        opened, closed = self.sites["opened"], self.sites["closed"]
        keep = (opened.isna() | (opened <= last)) & (closed.isna() | (closed >= first))
        return self.sites[keep.astype(bool)].reset_index(drop=True)


def build_emitters(
    sites: pd.DataFrame, emissions: pd.DataFrame | None = None, *, about: Mapping[str, str] | None = None
) -> Emitters:
    """Check sites and emissions, all faults at once.

    Parameters
    ----------
    sites : pandas.DataFrame
        ``site_id``, ``lon``, ``lat`` in degrees, and ``opened`` and ``closed`` where they are known.
    emissions : pandas.DataFrame, optional
        ``site_id``, ``year``, ``medium`` (air, water, soil...), ``pollutant``, ``kg``.
    about : mapping, optional
        ``source``, ``producer``, ``vintage``, ``licence``, ``origin`` ("open data" or "synthetic").

    Returns
    -------
    Emitters
        Sorted by site.

    Raises
    ------
    DataError
        If sites are there twice or without place, emissions are of sites that are not there, negative or repeated.
    GeographyError
        If coordinates are swapped, in metres or out of bounds.
    ParameterError
        If columns are missing.

    Examples
    --------
    >>> sites = pd.DataFrame({"site_id": ["a"], "lon": [5.7], "lat": [45.2]})
    >>> build_emitters(sites).sites[["site_id", "opened"]].values.tolist()
    [['a', <NA>]]
    """
    for frame, needed, what in (
        (sites, ("site_id", "lon", "lat"), "the sites"),
        (emissions, ("site_id", "year", "medium", "pollutant", "kg"), "the emissions"),
    ):
        lacking = [name for name in needed if frame is not None and name not in frame.columns]
        if lacking:
            raise ParameterError(f"{what} have no {', '.join(lacking)}", ", ".join(needed))
    lon, _ = check_degrees(sites["lon"], sites["lat"], what="sites")
    table = sites[["site_id", "lon", "lat"]].copy()
    for name in ("opened", "closed"):
        given = sites[name] if name in sites.columns else pd.Series(pd.NA, index=sites.index)
        table[name] = pd.to_numeric(given, errors="coerce").astype("Float64").round().astype("Int64")
    tests = {
        "have no site_id": table["site_id"].isna(),
        "repeat a site": table["site_id"].duplicated() & table["site_id"].notna(),
        "have no coordinates: drop or place them first": pd.Series(np.isnan(lon), index=table.index),
        "close before they open": (table["closed"] < table["opened"]).fillna(False).astype(bool),
    }
    faults = [f"{int(bad.sum()):,} of {len(table):,} sites {words}" for words, bad in tests.items() if bad.any()]
    if emissions is not None:
        kg = pd.to_numeric(emissions["kg"], errors="coerce")
        keys = ["site_id", "year", "medium", "pollutant"]
        checks = {
            "are of a site that is not there": ~emissions["site_id"].isin(table["site_id"]),
            "have no quantity in kg": kg.isna(),
            "are negative": kg < 0,
            "repeat a site, year, medium and pollutant": emissions.duplicated(keys),
            "have no year": emissions["year"].isna(),
        }
        faults += [f"{int(bad.sum()):,} of {len(kg):,} emissions {words}" for words, bad in checks.items() if bad.any()]
    if faults:
        raise DataError("the emitters cannot be used", "sites with a place; quantities of these sites", faults=faults)
    kept = None
    if emissions is not None:
        kept = emissions[[*keys, "kg"]].assign(kg=kg.astype(float)).sort_values(keys, ignore_index=True)
    words = {"source": "not stated", "producer": "not stated", "vintage": "not stated", "licence": "not stated"}
    described = {**words, "origin": "open data", **(about or {})}
    return Emitters(table.sort_values("site_id", ignore_index=True), kept, described)


@dataclass(frozen=True)
class EmitterExposure:
    """Exposure of areas to emitters, ready for :func:`epi.exposure.enrich`.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each area (``insee_code`` for communes, else ``area``), and for each year when asked by year.
    about : mapping
        Metadata of each variable.
    settings : mapping
        Points, radii, kernel, sites used, sites whose years are not known.
    """

    table: pd.DataFrame
    about: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self) -> Release:
        """Say what would be published: sites are counted, no person is.

        Returns
        -------
        Release
            One row for each area.
        """
        counts = [str(name) for name in self.table.columns if self.table[name].dtype.kind in "iu"]
        labels = {name: str(words["label_en"]) for name, words in self.about.items()}
        note = "; ".join(f"{key}: {value}" for key, value in self.settings.items())
        return Release(self.table, title="Exposure to emitters", note=note, not_counts=tuple(counts), labels=labels)


def measure_emitters(
    emitters: Emitters,
    name: str,
    *,
    radii_m: Sequence[float] = (1_000, 2_000, 5_000),
    level: str = "commune",
    weighted: Literal["population"] | None = "population",
    pollutant: str | None = None,
    medium: str | None = None,
    kernel: Kernel = "flat",
    floor_m: float = 500.0,
    years: tuple[int, int] | None = None,
    by_year: bool = False,
    scope: str = "France",
    label_en: str = "",
    label_fr: str = "",
) -> EmitterExposure:
    """Measure, at each area's point, the nearest emitter, the emitters around, and what they release.

    Parameters
    ----------
    emitters : Emitters
        Sites, and emissions where quantities are wanted.
    name : str
        Short name that columns begin with, such as ``irep``.
    radii_m : sequence of float, optional
        Radii in metres.
    level : str, optional
        Level of territory; an area above the commune is seen from one point.
    weighted : {"population", None}, optional
        Whether that point is the centre of the population or of the land.
    pollutant, medium : str, optional
        Which emissions count; without either, sites are counted whatever they release and no quantity is given.
    kernel : {"flat", "inverse_distance"}, optional
        A kilogram counts 1 anywhere within the radius (kg/year), or 1 / distance in km (kg/year/km).
    floor_m : float, optional
        With inverse distance, a site nearer than this counts as if it were this far: an area's point is not the
        place where its inhabitants live.
    years : tuple of int, optional
        First and last year: only sites active, and emissions reported, in them. Emissions are means over these
        years, a year without report counting nothing. Every site and year by default.
    by_year : bool, optional
        One row for each area and year of `years`: the panel of yearly values that windows are taken over.
    scope : str, optional
        Place that the register covers; see :func:`epi.geography.belongs_to`. Areas outside are missing, not zero.
    label_en, label_fr : str, optional
        What the sites are called.

    Returns
    -------
    EmitterExposure
        ``<name>_nearest_m``, ``<name>_n_<radius>m`` and ``<name>_kg_<radius>m`` by area.

    Raises
    ------
    GeographyError
        If radii are not metres, or coordinates not degrees.
    ParameterError
        If options are wrong, or nothing was emitted as asked.

    Examples
    --------
    >>> sites = pd.DataFrame({"site_id": ["a", "b"], "lon": [5.73, 5.80], "lat": [45.19, 45.20]})
    >>> kg = pd.DataFrame({"site_id": ["a", "b"], "year": 2021, "medium": "air", "pollutant": "NOx", "kg": [10.0, 4]})
    >>> found = measure_emitters(build_emitters(sites, kg), "nox", radii_m=[5_000, 20_000], pollutant="NOx")
    >>> found.table.set_index("insee_code").loc["38185", ["nox_n_5000m", "nox_kg_20000m"]].tolist()
    [1.0, 14.0]
    """
    _check(name, radii_m, kernel, floor_m, years, by_year, emitters, pollutant, medium)
    points = area_points(level, weighted=weighted if level != "commune" else None)
    key = "insee_code" if level == "commune" else "area"
    points = points.rename(columns={"area": key})
    covered = _inside(points[key], level, scope)
    chosen = _choose(emitters, pollutant, medium)
    spans = [(year, year) for year in range(years[0], years[1] + 1)] if by_year and years else [years]
    parts = [_measure(points, chosen, name, radii_m, kernel, floor_m, span) for span in spans]
    for part, span in zip(parts, spans, strict=True):
        part.insert(0, key, points[key].to_numpy())
        for column in part.columns[1:]:
            part[column] = part[column].where(covered)
        if by_year and span:
            part.insert(1, "year", span[0])
    table = pd.concat(parts, ignore_index=True)
    if by_year:
        table = table.sort_values([key, "year"], ignore_index=True)
    seen = chosen.sites["opened"].isna() | chosen.sites["closed"].isna()
    settings = {
        "points": f"{level}, {'centre of land' if level == 'commune' or weighted is None else 'centre of population'}",
        "sites": len(chosen.sites), "sites_with_a_year_unknown": int(seen.sum()), "years": years, "kernel": kernel,
        "floor_m": floor_m if kernel == "inverse_distance" else None, "pollutant": pollutant, "medium": medium,
        "scope": scope, "distance": "geodesic metres",
    }  # fmt: skip
    about = {
        str(column): _describe(str(column), name, emitters, settings, level, label_en or name, label_fr or name)
        for column in table.columns
        if column not in (key, "year")
    }
    return EmitterExposure(table, about, settings)


def _check(
    name: str, radii_m: Sequence[float], kernel: str, floor_m: float, years: tuple[int, int] | None, by_year: bool,
    emitters: Emitters, pollutant: str | None, medium: str | None,
) -> None:  # fmt: skip
    faults = []
    if not re.fullmatch(_SLUG, name):
        faults.append(f"name is {name!r}: lower-case letters, digits and _")
    if not len(radii_m) or any(not 1 <= radius <= 500_000 for radius in radii_m):
        faults.append("radii are not metres from 1 to 500,000: a radius of 5 km is 5000")
    if kernel not in ("flat", "inverse_distance"):
        faults.append(f"kernel is {kernel!r}: flat or inverse_distance")
    if not floor_m > 0:
        faults.append(f"floor_m is {floor_m!r}: metres above zero")
    if years is not None and (len(years) != 2 or years[0] > years[1]):
        faults.append(f"years are {years!r}: a first and a last one")
    if by_year and years is None:
        faults.append("by_year needs years")
    if (pollutant is not None or medium is not None) and emitters.emissions is None:
        faults.append("a pollutant or a medium is asked for, and there are no emissions")
    if faults:
        raise ParameterError("emitters cannot be measured", "options as documented", faults=faults)


def _inside(codes: pd.Series, level: str, scope: str) -> pd.Series:
    if scope == "France":
        return pd.Series(True, index=codes.index)
    from epi.geography import area_of, read_communes

    communes = read_communes()
    inside = belongs_to(communes["insee_code"], scope).astype(bool)
    covered = set(area_of(communes["insee_code"], level)[inside].dropna())
    return codes.isin(covered)


def _choose(emitters: Emitters, pollutant: str | None, medium: str | None) -> Emitters:
    if pollutant is None and medium is None:
        return Emitters(emitters.sites, None, emitters.about)
    table = emitters.emissions
    assert table is not None  # noqa: S101  (checked before)
    faults = []
    for column, wanted in (("pollutant", pollutant), ("medium", medium)):
        if wanted is not None and not (table[column] == wanted).any():
            known = ", ".join(sorted(map(str, table[column].dropna().unique()))[:12])
            faults.append(f"{column} {wanted!r} is not emitted; there are {known}")
    keep = pd.Series(True, index=table.index)
    for column, wanted in (("pollutant", pollutant), ("medium", medium)):
        keep &= True if wanted is None else table[column] == wanted
    if not faults and not keep.any():
        faults.append(f"{pollutant!r} is not emitted to {medium!r}")
    if faults:
        raise ParameterError("nothing was emitted as asked", "a pollutant and a medium of the register", faults=faults)
    kept = table[keep].groupby(["site_id", "year"], sort=True)["kg"].sum().reset_index()
    sites = emitters.sites[emitters.sites["site_id"].isin(kept["site_id"])].reset_index(drop=True)
    return Emitters(sites, kept, emitters.about)


def _measure(
    points: pd.DataFrame, chosen: Emitters, name: str, radii_m: Sequence[float], kernel: str, floor_m: float,
    span: tuple[int, int] | None,
) -> pd.DataFrame:  # fmt: skip
    sites = chosen.sites if span is None else chosen.active_in(*span)
    mass = None
    if chosen.emissions is not None:
        table = chosen.emissions
        if span is not None:
            table = table[table["year"].between(*span)]
            sites = sites[sites["site_id"].isin(table["site_id"])].reset_index(drop=True)
        count = table["year"].nunique() if span is None else span[1] - span[0] + 1
        mass = table.groupby("site_id")["kg"].sum().reindex(sites["site_id"]).to_numpy() / max(count, 1)
    out: dict[str, Any] = {f"{name}_nearest_m": np.full(len(points), np.nan)}
    if len(sites):
        out[f"{name}_nearest_m"] = nearest(points, sites)["distance_m"].round(3).to_numpy()
    pairs = pairs_within(points, sites, float(max(radii_m)))
    point, site, metres = (pairs[column].to_numpy() for column in ("point", "site", "distance_m"))
    for radius in radii_m:
        # A micrometre of grace, as in pairs_within: a site on the circle is inside.
        rows = metres <= radius + 1e-6
        near = np.bincount(point[rows], minlength=len(points))
        out[f"{name}_n_{radius:g}m"] = pd.array(near, dtype="Int64")
        if mass is not None:
            weight = 1.0 if kernel == "flat" else 1000.0 / np.maximum(metres[rows], floor_m)
            total = np.bincount(point[rows], weights=mass[site[rows]] * weight, minlength=len(points))
            out[f"{name}_kg_{radius:g}m"] = total
    return pd.DataFrame(out)


def _describe(
    column: str, name: str, emitters: Emitters, settings: Mapping[str, Any], level: str, label_en: str, label_fr: str
) -> dict[str, Any]:
    rest = column.removeprefix(f"{name}_")
    radius = rest.rsplit("_", 1)[-1]
    plain = settings["kernel"] == "flat"
    unit = {"nearest_m": "m"}.get(rest, "sites" if rest.startswith("n_") else "kg/year" if plain else "kg/year/km")
    if rest == "nearest_m":
        words = (f"Distance to the nearest: {label_en}", f"Distance au plus proche : {label_fr}", "higher = farther")
    elif rest.startswith("n_"):
        words = (f"{label_en} within {radius}", f"{label_fr} à moins de {radius}", "higher = more sites")
    else:
        words = (f"{label_en}: emissions within {radius}", f"{label_fr} : émissions à moins de {radius}",
                 "higher = more emitted")  # fmt: skip
    kernel = "" if rest == "nearest_m" or rest.startswith("n_") else f", {settings['kernel']} kernel"
    if kernel and not plain:
        kernel += f" (1 / distance in km, at least {settings['floor_m']:g} m)"
    vintage = str(emitters.about["vintage"])
    if settings["years"]:
        vintage = f"{settings['years'][0]}-{settings['years'][1]}"
    return {
        "label_en": words[0], "label_fr": words[1], "unit": unit, "direction_note": words[2],
        **{field: str(emitters.about[field]) for field in ("source", "producer", "licence", "origin")},
        "vintage": vintage, "support": level, "theme": "industry",
        "method": f"geodesic metres from the {settings['points']}{kernel}",
        "uncertainty": "the area's point stands for its inhabitants"
        + ("; declared quantities only: what lies under the thresholds is not declared" if kernel else ""),
    }  # fmt: skip

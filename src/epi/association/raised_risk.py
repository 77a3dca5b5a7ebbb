"""Is risk raised near a source that was named beforehand: a plant, a dump, a mast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.association.smoothing import informed_areas
from epi.errors import EstimationError, ParameterError
from epi.geography.distances import distance_m
from epi.results import Counted, Release
from epi.stats.intervals import ratio_interval
from epi.stats.notation import format_number
from epi.stats.ratio_axis import decimals
from epi.stats.spatial.focused import focused_score_test, stone_test
from epi.stats.spatial.point_source import fit_point_source_counts

if TYPE_CHECKING:
    from epi.association.sir import Lang, Sir
    from epi.plotting import Chart

BANDS_KM = (5.0, 10.0, 20.0, 50.0)


@dataclass(frozen=True)
class RaisedRisk:
    """Ratios by distance from a source, and tests of a risk that falls with it.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a band of distance that holds an area, the nearest first: `from_km`, `to_km` (missing for the last,
        open one), `areas`, `observed`, `expected`, `sir`, `ci_low`, `ci_high`, and `fitted`: what the fitted fall
        with distance gives for the band.
    areas : pandas.DataFrame
        `area`, `name`, `distance_km` from the nearest source, `source` (its name).
    tests : mapping
        `stone_p` given the total; `stone_level_p` with the level of an external reference, None with an internal
        one; `score_z` and `score_p`; `decay_p`; and the fall itself, `alpha` (excess at the source), `beta_km`,
        `level` (ratio far away) and `at_edge`.
    settings : mapping
        What determined them.
    """

    table: pd.DataFrame
    areas: pd.DataFrame
    tests: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def title(self, lang: Lang = "en") -> str:
        """Name the result.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            A short name.
        """
        many = self.settings["sources"] > 1
        if lang == "fr":
            return "Risque selon la distance " + ("aux sources" if many else "à la source")
        return "Risk by distance from the " + ("sources" if many else "source")

    def note(self, lang: Lang = "en") -> str:
        """Say what was done, what came out and what it rests on.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            A few sentences.
        """
        s, t = self.settings, self.tests
        p = {name: format_number(t[name], 3, lang=lang) for name in ("stone_p", "score_p", "decay_p")}
        level = format_number(100 * s["level"], 0, lang=lang)
        floor = format_number(s["min_km"], decimals([s["min_km"]]), lang=lang)
        reach = "" if s["within_km"] is None else format_number(s["within_km"], 0, lang=lang)
        beside = "" if t["stone_level_p"] is None else format_number(t["stone_level_p"], 3, lang=lang)
        if lang == "fr":
            return (
                f"Distance de {s['areas']} territoires" + (f" à moins de {reach} km" if reach else "")
                + f" à la plus proche de {s['sources']} source(s). Limites de Poisson exactes à {level} %. "
                f"Test de Stone, total donné : p {p['stone_p']}"
                + (f" (niveau de la référence : p {beside})" if beside else "")
                + f". Score de Lawson et Waller, inverse de la distance (au moins {floor} km) : p {p['score_p']}. "
                f"Décroissance de Diggle : p {p['decay_p']}. {s['replicates']} tirages. Ces valeurs p ne valent que "
                "si les sources ont été choisies avant de regarder les cas ; elles prennent les cas pour indépendants "
                "et, si le risque varie entre territoires pour d'autres raisons, sont trop petites."
            )  # fmt: skip
        return (
            f"Distance of {s['areas']:,} areas" + (f" within {reach} km" if reach else "")
            + f" from the nearest of {s['sources']} source(s). Exact Poisson limits at {level}%. "
            f"Stone's test given the total: p {p['stone_p']}"
            + (f" (with the level of the reference: p {beside})" if beside else "")
            + f". Score test of Lawson and Waller, inverse distance (at least {floor} km): p {p['score_p']}. "
            f"Diggle's fall with distance: p {p['decay_p']}. {s['replicates']:,} draws. These p-values hold only if "
            "the sources were chosen before looking at the cases; they take cases as independent, and are too "
            "small if risk differs between areas for other reasons."
        )  # fmt: skip

    def release(self, lang: Lang = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of headings.

        Returns
        -------
        Release
            The bands; their counts are protected, with all that is computed from them. The estimates of the fall
            are left out: with them a hidden count could be guessed.
        """
        table = self.table.copy()
        for column in ("expected", "sir", "ci_low", "ci_high"):
            table[column] = [float(f"{value:.4g}") for value in table[column]]
        # Fitted ratios of the bands that are shown would otherwise tell those of the hidden ones.
        table["fitted"] = table["fitted"].round(2)
        headings = {
            "en": ("From, km", "To, km", "Areas", "Observed", "Expected", "SIR", "Low", "High", "Fitted"),
            "fr": ("De, km", "À, km", "Territoires", "Observés", "Attendus", "Rapport", "Bas", "Haut", "Ajusté"),
        }[lang]
        return Release(
            table,
            counts=(Counted("observed", adds_up_within=(), derived=("sir", "ci_low", "ci_high", "fitted")),),
            title=self.title(lang),
            note=self.note(lang),
            not_counts=("areas", "expected", "from_km", "to_km"),
            labels=dict(zip(table.columns, headings, strict=True)),
        )

    def chart_distance(self, *, lang: Lang = "en") -> Chart:
        """Draw the ratio of each band with its limits, and the fitted fall.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            The figure; a band whose count is hidden is shown as such.

        Raises
        ------
        ParameterError
            If the language is unknown.
        """
        from epi.association.raised_risk_chart import draw_distance

        return draw_distance(self, lang)

    def __str__(self) -> str:
        t, first = self.tests, self.table.iloc[0]
        reach = "anywhere" if pd.isna(first["to_km"]) else f"within {first['to_km']:g} km"
        return (
            f"{reach}: SIR {first['sir']:.2f} ({first['ci_low']:.2f}-{first['ci_high']:.2f}); "
            f"Stone p {t['stone_p']:.3g}, score p {t['score_p']:.3g}, decay p {t['decay_p']:.3g}"
        )

    def _repr_html_(self) -> str:
        import html

        body = self.table.to_html(index=False, float_format="{:,.2f}".format, na_rep="–")
        return f"<p>{html.escape(str(self))}</p>{body}"


def check_raised_risk(
    sir: Sir,
    points: pd.DataFrame,
    sources: pd.DataFrame | Sequence[str],
    *,
    bands_km: Sequence[float] = BANDS_KM,
    within_km: float | None = None,
    min_km: float = 1.0,
    replicates: int = 999,
    seed: int = 0,
) -> RaisedRisk:
    """Test whether risk is raised near sources that were chosen before looking at the cases.

    Parameters
    ----------
    sir : Sir
        Observed and expected cases by area; areas without a ratio take no part.
    points : pandas.DataFrame
        Where areas are: `area` (or a column named as the level of `sir`), `lon` and `lat` in degrees, as
        :func:`epi.geography.area_points` gives them.
    sources : pandas.DataFrame or sequence of str
        Places, with `lon` and `lat` in degrees and perhaps `name`; or codes of areas, which stand for their points.
    bands_km : sequence of float, optional
        Upper limits of the bands of distance, rising; the last band is open. They do not change the tests.
    within_km : float, optional
        Farthest distance of an area that takes part.
    min_km : float, optional
        Shortest distance in the inverse distance of the score test.
    replicates : int, optional
        Maps drawn under a constant risk.
    seed : int, optional
        Seed of the draws.

    Returns
    -------
    RaisedRisk
        Ratios by band with exact limits, Stone's test (Stat Med 1988;7:649), the score test of Lawson and Waller
        (Environmetrics 1992;3:281) and Diggle's fall with distance (J R Stat Soc A 1990;153:349).

    Raises
    ------
    EstimationError
        If an area or a source has no point, counts cannot be tested, or fewer than three areas take part.
    ParameterError
        If a column is missing, a source is no area of `points`, or an option is out of range.
    GeographyError
        If coordinates are not degrees, or are swapped.

    Examples
    --------
    >>> from epi.association import estimate_sir
    >>> areas = [f"{place:02}" for place in range(30)]
    >>> cases = pd.DataFrame({"area": areas, "observed": [14, 13, 11] + [5] * 27})
    >>> people = pd.DataFrame({"area": areas, "person_years": [5.0] * 30})
    >>> sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    >>> points = pd.DataFrame({"area": areas, "lon": 2 + 0.04 * np.arange(30), "lat": 47.0})
    >>> plant = pd.DataFrame({"name": ["plant"], "lon": [1.99], "lat": [47.01]})
    >>> print(check_raised_risk(sir, points, plant, bands_km=[10, 30]))
    within 10 km: SIR 2.15 (1.56-2.90); Stone p 0.001, score p 0.001, decay p 0.001
    """
    known = informed_areas(sir)
    limits = _check_bands(bands_km, within_km, min_km)
    by = str(sir.settings["by"])
    where = _points(known, points, by)
    places = _sources(sources, points, by)
    apart = np.array([distance_m(row["lon"], row["lat"], where["lon"], where["lat"]) for row in places])
    nearest = np.argmin(apart, axis=0)
    known = known.assign(
        distance_km=apart.min(axis=0) / 1000, source=np.array([row["name"] for row in places], dtype=object)[nearest]
    )
    if within_km is not None:
        known = known[known["distance_km"] <= within_km]
    if len(known) < 3:
        raise EstimationError(f"{len(known)} areas take part", "three areas or more", "a larger within_km")
    observed, expected = known["observed"].to_numpy(float), known["expected"].to_numpy(float)
    away = 1000 * known["distance_km"].to_numpy(float)
    options: dict[str, Any] = {"replicates": replicates, "seed": seed}
    stone = stone_test(observed, expected, away, **options)
    external = sir.settings["reference"] != "internal"
    free = stone_test(observed, expected, away, conditional=False, **options) if external else None
    score = focused_score_test(observed, expected, 1000 / np.maximum(away, 1000 * min_km), **options)
    fall = fit_point_source_counts(observed, expected, away, **options)
    tests = {
        "stone_p": stone.p, "stone_level_p": None if free is None else free.p, "score_z": score.z, "score_p": score.p,
        "decay_p": fall.p, "alpha": fall.alpha, "beta_km": fall.beta_m / 1000, "level": fall.level,
        "at_edge": fall.at_edge,
    }  # fmt: skip
    edges = [limit for limit in limits if within_km is None or limit < within_km]
    band = np.searchsorted(edges, known["distance_km"].to_numpy(), side="left")
    table = (
        known.assign(fitted=expected * fall.level * fall.relative_risk(away), band=band)
        .sort_values(["band", "area"])
        .groupby("band", sort=True)
        .agg(
            areas=("area", "size"), observed=("observed", "sum"), expected=("expected", "sum"), fitted=("fitted", "sum")
        )
    )
    ratio = ratio_interval(table["observed"], table["expected"], level=float(sir.settings["level"]))
    table = table.assign(
        from_km=np.array([0.0, *edges])[table.index], to_km=np.array([*edges, within_km or np.nan])[table.index],
        observed=table["observed"].astype("int64"), sir=ratio.estimate, ci_low=ratio.low, ci_high=ratio.high,
        fitted=table["fitted"] / table["expected"],
    )  # fmt: skip
    columns = ["from_km", "to_km", "areas", "observed", "expected", "sir", "ci_low", "ci_high", "fitted"]
    settings = {
        "by": by, "areas": len(known), "sources": len(places), "bands_km": list(limits), "within_km": within_km,
        "min_km": min_km, "replicates": replicates, "seed": seed, "level": float(sir.settings["level"]),
        "synthetic": bool(sir.settings.get("synthetic")),
    }  # fmt: skip
    areas = known[["area", "name", "distance_km", "source"]].reset_index(drop=True)
    return RaisedRisk(table.reset_index(drop=True)[columns], areas, tests, settings)


def _check_bands(bands_km: Sequence[float], within_km: float | None, min_km: float) -> list[float]:
    limits = [float(limit) for limit in bands_km]
    if not limits or limits[0] <= 0 or not np.isfinite(limits).all() or (np.diff(limits) <= 0).any():
        raise ParameterError(f"bands_km is {limits}", "kilometres above zero, rising, such as (5, 10, 20)")
    if not min_km > 0 or (within_km is not None and not within_km > 0):
        raise ParameterError(f"within_km is {within_km} and min_km {min_km}", "kilometres above zero")
    return limits


def _key(points: pd.DataFrame, by: str) -> str:
    return by if by in points.columns and "area" not in points.columns else "area"


def _points(known: pd.DataFrame, points: pd.DataFrame, by: str) -> pd.DataFrame:
    key = _key(points, by)
    lacking = [name for name in (key, "lon", "lat") if name not in points.columns]
    if lacking:
        raise ParameterError(
            f"points have no column {', '.join(lacking)}",
            "area, lon and lat",
            "epi.geography.area_points(level) gives them",
        )
    if points[key].duplicated().any():
        raise EstimationError(f"{int(points[key].duplicated().sum())} areas have two points", "one point an area")
    where = points.set_index(key)[["lon", "lat"]].reindex(known["area"])
    without = int(where.isna().any(axis=1).sum())
    if without:
        raise EstimationError(f"{without} of {len(known)} areas have no point", "a point for every area with a ratio")
    return where


def _sources(sources: pd.DataFrame | Sequence[str], points: pd.DataFrame, by: str) -> list[dict[str, Any]]:
    if not isinstance(sources, pd.DataFrame):
        codes = [sources] if isinstance(sources, str) else list(sources)
        at = points.set_index(_key(points, by))
        unknown = [code for code in codes if code not in at.index]
        if unknown:
            raise ParameterError(f"{len(unknown)} sources are no area of points", "codes of areas, or lon and lat")
        sources = at.loc[codes, ["lon", "lat"]].assign(name=codes)
    lacking = [name for name in ("lon", "lat") if name not in sources.columns]
    if lacking:
        raise ParameterError(f"sources have no column {', '.join(lacking)}", "lon and lat in degrees")
    if not len(sources):
        raise ParameterError("there is no source", "one or more, chosen before looking at the cases")
    without = int(sources[["lon", "lat"]].isna().any(axis=1).sum())
    if without:
        raise EstimationError(f"{without} of {len(sources)} sources have no place", "lon and lat for each")
    names = sources["name"] if "name" in sources.columns else [str(number) for number in range(1, len(sources) + 1)]
    rows = zip(names, sources["lon"], sources["lat"], strict=True)
    # In a stated order, so that the nearest of two at one distance does not depend on the order of rows.
    return sorted(
        ({"name": str(name), "lon": float(lon), "lat": float(lat)} for name, lon, lat in rows),
        key=lambda row: (row["lon"], row["lat"], row["name"]),
    )

"""Circular scan for clusters of areas: where, how large, how unlikely."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.association.published_clusters import published_clusters
from epi.association.smoothing import informed_areas
from epi.association.withholding import active_policy, find_hidden
from epi.errors import EstimationError, ParameterError
from epi.geography import communes as places
from epi.results import Counted, Release
from epi.stats.notation import format_number
from epi.stats.spatial.scan import scan_poisson

if TYPE_CHECKING:
    from epi.association.sir import Lang, Sir
    from epi.plotting import Chart

NONE = "none"
COLOURS = ("#b2182b", "#e08214", "#8b5fbf", "#5b8c3a", "#b8860b", "#0b6e99")
"""Of the clusters on the map, the most likely first; blue comes last, which on maps of ratios is low."""
APART_M = 1e8
"""Territories in different projections are laid this far apart, and no circle reaches from one into another."""
NAMED = 6
_SYNTHETIC = {"en": " (SYNTHETIC DATA)", "fr": " (DONNÉES SYNTHÉTIQUES)"}


@dataclass(frozen=True)
class ClusterScan:
    """Clusters found by a circular scan.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a cluster, the most likely first: `cluster` (its rank), `centre`, `areas` (number), `names` (of the
        first ones), `radius_km`, `observed`, `expected`, `relative_risk` (inside against outside),
        `log_likelihood_ratio`, `p`.
    areas : pandas.DataFrame
        `area`, `name`, `cluster` (the rank of the cluster it lies in, missing for the others), `observed`, and
        `hidden`: whether a table of all areas would hide its count.
    settings : mapping
        What determined them.
    """

    table: pd.DataFrame
    areas: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    def within(self, alpha: float = 0.05) -> pd.DataFrame:
        """Keep the clusters that chance would hardly make.

        Parameters
        ----------
        alpha : float, optional
            Largest p-value.

        Returns
        -------
        pandas.DataFrame
            Rows of `table`.
        """
        return self.table[self.table["p"] <= alpha]

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
        words = {
            "high": {"en": "Clusters of raised risk", "fr": "Agrégats de risque relevé"},
            "low": {"en": "Clusters of lowered risk", "fr": "Agrégats de risque abaissé"},
            "both": {"en": "Clusters of unusual risk", "fr": "Agrégats de risque inhabituel"},
        }
        return words[str(self.settings["risk"])][lang]

    def note(self, lang: Lang = "en") -> str:
        """Say what was done.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            Two sentences.
        """
        s = self.settings
        share = format_number(100 * s["max_share"], 0, lang=lang) if s["max_share"] else ""
        if lang == "fr":
            whole = {key: format_number(s[key], 0, lang=lang) for key in ("windows", "areas", "replicates", "total")}
            limit = f"jusqu'à {share} % de la population" if share else f"jusqu'à {s['max_radius_km']:g} km"
            return (
                f"Balayage circulaire de Kulldorff, modèle de Poisson, {whole['windows']} cercles {limit} autour de "
                f"{whole['areas']} territoires, {whole['replicates']} tirages de {whole['total']} cas. La valeur p "
                "tient compte de tous les cercles ; après le premier agrégat elle est prudente. LRV : logarithme du "
                "rapport de vraisemblance."
            )
        limit = f"of up to {share} % of the population" if share else f"of up to {s['max_radius_km']:g} km"
        return (
            f"Kulldorff's circular scan, Poisson model, {s['windows']:,} circles {limit} around {s['areas']:,} areas, "
            f"{s['replicates']:,} draws of {s['total']:,} cases. The p-value accounts for all circles; after the first "
            "cluster it is conservative. LLR: log likelihood ratio. A cluster whose count is hidden is listed, at the "
            "end, only if p ≤ 0.05."
        )

    def release(self, lang: Lang = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of headings.

        Returns
        -------
        Release
            Cases of a cluster are protected, with all that is computed from them, and with its place in the list.

        Raises
        ------
        EstimationError
            If there is no cluster that may be listed.
        """
        table = published_clusters(self)
        if table.empty:
            raise EstimationError(
                "no cluster may be listed: each has few cases inside or outside of it, and chance makes such ones",
                "larger areas or more cases",
            )
        for column in ("relative_risk", "log_likelihood_ratio", "expected", "radius_km"):
            table[column] = [float(f"{value:.4g}") for value in table[column]]
        order = ["cluster", "centre", "areas", "radius_km", "observed", "expected", "relative_risk", "p",
                 "log_likelihood_ratio", "names"]  # fmt: skip
        table = table[order]
        headings = {
            "en": ("Cluster", "Centre", "Areas", "Radius, km", "Observed", "Expected", "RR", "p", "LLR", "Names"),
            "fr": ("Agrégat", "Centre", "Territoires", "Rayon, km", "Observés", "Attendus", "RR", "p", "LRV", "Noms"),
        }[lang]
        return Release(
            table,
            counts=(Counted("observed", derived=("relative_risk", "log_likelihood_ratio", "p")),),
            title=self.title(lang),
            note=self.note(lang),
            not_counts=("cluster", "areas", "expected", "radius_km"),
            labels=dict(zip(table.columns, headings, strict=True)),
        )

    def chart_map(self, level: str | None = None, *, alpha: float = 0.05, lang: Lang = "en") -> Chart:
        """Draw the clusters that chance would hardly make.

        Parameters
        ----------
        level : str, optional
            Level of territory of the areas; that of the ratios by default.
        alpha : float, optional
            Largest p-value of a cluster that is drawn.
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            The map; a cluster whose count is hidden is hatched.

        Raises
        ------
        ParameterError
            If the areas are no level of territory, or the language is unknown.
        """
        from epi.geography.maps import choropleth

        chosen = level or str(self.settings["by"])
        if chosen not in places.LEVELS:
            raise ParameterError(f"areas are {chosen!r}, which is no level of territory", ", ".join(places.LEVELS))
        if lang not in ("fr", "en"):
            raise ParameterError(f"lang is {lang!r}", "fr or en")
        shown = published_clusters(self)
        shown = shown[shown["p"] <= alpha].head(len(COLOURS))
        # An area of a cluster whose count is hidden is hatched, as its count is. Such clusters are not taken off the
        # cases outside: the difference with the total would be their count.
        printed = shown[(shown["observed"] == 0) | (shown["observed"] >= active_policy().min_count)]
        outside = self.settings["total"] - int(printed["observed"].sum())
        by_rank = self.areas["cluster"]
        number = by_rank.map(printed.set_index("rank")["cluster"])
        table = self.areas[["area", "name"]].assign(
            kind=number.map(lambda known: NONE if pd.isna(known) else str(int(known))),
            cases=by_rank.map(shown.set_index("rank")["observed"]).fillna(outside).astype("int64"),
        )
        word = {"en": "risk", "fr": "risque"}[lang]
        kinds = {NONE: ({"en": "in none of them", "fr": "dans aucun"}[lang], "#f2f2f0")}
        colours = dict(zip(shown["cluster"], COLOURS, strict=False))
        for row in printed.iloc[::-1].to_dict("records"):
            p = format_number(row["p"], 3, lang=lang)
            told = f"{row['cluster']} : {word} × {format_number(row['relative_risk'], 2, lang=lang)}, p {p}"
            kinds[str(row["cluster"])] = (told if lang == "fr" else told.replace(" :", ":"), colours[row["cluster"]])
        return choropleth(
            table,
            chosen,
            value="kind",
            categories=kinds,
            title=self.title(lang) + (_SYNTHETIC[lang] if self.settings["synthetic"] else ""),
            label={"en": f"Cluster (p ≤ {alpha:g})", "fr": f"Agrégat (p ≤ {format_number(alpha, 2, lang=lang)})"}[lang],
            note=self.note(lang),
            # One figure for each cluster, repeated on its areas.
            counts=(Counted("cases", derived=("kind",)),),
            lang=lang,
        )

    def __str__(self) -> str:
        told = [
            f"{row['cluster']}: {row['centre']}, {row['areas']} areas, relative risk {row['relative_risk']:.2f}, "
            f"p {row['p']:.3g}"
            for row in self.table.head(3).to_dict("records")
        ]
        return "; ".join(told) or "no circle holds more cases than expected"

    def _repr_html_(self) -> str:
        written = dict.fromkeys(("radius_km", "expected", "log_likelihood_ratio"), "{:,.1f}".format)
        written |= {"relative_risk": "{:.2f}".format, "p": "{:.3g}".format}
        return str(self.table.to_html(index=False, formatters=written))


def scan_clusters(
    sir: Sir,
    points: pd.DataFrame,
    *,
    max_share: float | None = 0.5,
    max_radius_km: float | None = None,
    risk: Literal["high", "low", "both"] = "high",
    clusters: int = 10,
    replicates: int = 999,
    seed: int = 0,
) -> ClusterScan:
    """Scan the map with circles for clusters of cases.

    Parameters
    ----------
    sir : Sir
        Observed and expected cases by area; areas without a ratio take no part.
    points : pandas.DataFrame
        Where areas are: `area` (or a column named as the level of `sir`), `x_m`, `y_m` in metres, and `epsg` where
        there are several projections, as :func:`epi.geography.area_points` gives them.
    max_share : float or None, optional
        Most of the person-years that a circle may hold.
    max_radius_km : float or None, optional
        Largest radius.
    risk : {"high", "low", "both"}, optional
        Which clusters to look for.
    clusters : int, optional
        Most clusters to give; none shares an area with those before it.
    replicates : int, optional
        Maps drawn under a constant relative risk, their total given.
    seed : int, optional
        Seed of the draws.

    Returns
    -------
    ClusterScan
        The clusters (Kulldorff, Commun Stat Theory Methods 1997;26:1481), with their p-values.

    Raises
    ------
    EstimationError
        If an area has no point, or counts cannot be scanned.
    ParameterError
        If a column is missing, coordinates look like degrees, or an option is out of range.

    Examples
    --------
    >>> from epi.association import estimate_sir
    >>> areas = list("abcdefghij")
    >>> cases = pd.DataFrame({"area": areas, "observed": [1, 2, 1, 9, 8, 1, 2, 0, 1, 2]})
    >>> people = pd.DataFrame({"area": areas, "person_years": [2.7] * 10})
    >>> sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    >>> points = pd.DataFrame({"area": areas, "x_m": np.geomspace(1, 1000, 10) * 1000, "y_m": 0.0})
    >>> print(scan_clusters(sir, points))
    1: e, 2 areas, relative risk 6.80, p 0.001
    """
    known = informed_areas(sir)
    by = str(sir.settings["by"])
    key = by if by in points.columns and "area" not in points.columns else "area"
    lacking = [name for name in (key, "x_m", "y_m") if name not in points.columns]
    if lacking:
        raise ParameterError(
            f"points have no column {', '.join(lacking)}",
            "area, x_m and y_m",
            "epi.geography.area_points(level) gives them",
        )
    if points[key].duplicated().any():
        raise EstimationError(f"{int(points[key].duplicated().sum())} areas have two points", "one point an area")
    where = points.set_index(key).reindex(known["area"])
    without = int(where[["x_m", "y_m"]].isna().any(axis=1).sum())
    if without:
        raise EstimationError(
            f"{without} of {len(known)} areas have no point", "a point for every area that has a ratio"
        )
    x, y = where["x_m"].to_numpy(float), where["y_m"].to_numpy(float)
    reach_m = np.inf if max_radius_km is None else 1000 * max_radius_km
    if "epsg" in where.columns:
        _, territory = np.unique(where["epsg"].to_numpy(), return_inverse=True)
        x = x + APART_M * territory
        if territory.any():
            # A small territory is used up long before half of the population is: its circles end at its shores.
            reach_m = min(reach_m, APART_M / 2)
    found = scan_poisson(
        known["area"], known["observed"], known["expected"], x, y, population=known["person_years"],
        max_share=max_share, max_radius_m=None if np.isinf(reach_m) else reach_m, risk=risk,
        clusters=clusters, replicates=replicates, seed=seed,
    )  # fmt: skip
    names = dict(zip(known["area"], known["name"], strict=True))
    rank = {area: number for number, cluster in enumerate(found.clusters, 1) for area in cluster.areas}
    rows = [
        {
            "cluster": number, "centre": names[cluster.centre], "areas": len(cluster.areas),
            "names": _first(names[area] for area in cluster.areas),
            "radius_km": cluster.radius_m / 1000, "observed": int(cluster.observed), "expected": cluster.expected,
            "relative_risk": cluster.relative_risk, "log_likelihood_ratio": cluster.log_likelihood_ratio,
            "p": cluster.p,
        }
        for number, cluster in enumerate(found.clusters, 1)
    ]  # fmt: skip
    columns = ["cluster", "centre", "areas", "names", "radius_km", "observed", "expected", "relative_risk",
               "log_likelihood_ratio", "p"]  # fmt: skip
    settings = {
        "by": by, "max_share": max_share, "max_radius_km": max_radius_km, "risk": risk, "replicates": replicates,
        "seed": seed, "windows": found.windows, "total": found.total, "areas": len(known),
        "synthetic": bool(sir.settings.get("synthetic")),
    }  # fmt: skip
    hidden = pd.Series(find_hidden(sir), index=sir.table["area"])
    areas = known[["area", "name", "observed"]].assign(
        cluster=known["area"].map(rank), hidden=known["area"].map(hidden).astype(bool)
    )
    areas = areas.reset_index(drop=True)
    return ClusterScan(pd.DataFrame(rows, columns=columns), areas, settings)


def _first(names: Iterable[str]) -> str:
    told = list(names)
    return ", ".join(told[:NAMED]) + ("…" if len(told) > NAMED else "")

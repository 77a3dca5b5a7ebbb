"""Which areas, with their neighbours, stand out: local Moran's I with a false discovery rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.association.smoothing import informed_areas
from epi.association.withholding import class_of_p
from epi.errors import ParameterError
from epi.geography import communes as places
from epi.results import Counted, Release
from epi.stats.multiplicity import adjust_p
from epi.stats.spatial.local_moran import QUADRANTS, local_moran_test
from epi.stats.spatial.moran_rates import standardise_rates

if TYPE_CHECKING:
    from epi.association.sir import Lang, Sir
    from epi.plotting import Chart
    from epi.stats.spatial.weights import SpatialWeights

NONE = "none"
WORDS: dict[str, tuple[str, str, str]] = {
    "High-High": ("high among high", "élevé parmi élevés", "#b2182b"),
    "Low-Low": ("low among low", "bas parmi bas", "#2166ac"),
    "High-Low": ("high among low", "élevé parmi bas", "#f4a582"),
    "Low-High": ("low among high", "bas parmi élevés", "#92c5de"),
    NONE: ("does not stand out", "ne se distingue pas", "#f2f2f0"),
}
"""The area, then its neighbours, against the mean: English, French, colour."""
_SYNTHETIC = {"en": " (SYNTHETIC DATA)", "fr": " (DONNÉES SYNTHÉTIQUES)"}


@dataclass(frozen=True)
class LocalClusters:
    """Local Moran's I of each area.

    Parameters
    ----------
    table : pandas.DataFrame
        Sorted by area: `area`, `name`, `observed`, `expected`, `sir`, `local_i`, `p`, `q`, `cluster` (one of
        high and low among high and low, where q is within the rate; else ``none``; empty for an area without a
        neighbour, or without a ratio).
    settings : mapping
        What determined them.
    """

    table: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Number of areas of each kind of cluster."""
        found = self.table["cluster"].value_counts()
        return {name: int(found.get(name, 0)) for name in (*QUADRANTS, NONE)}

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
        return {
            "en": "Areas that stand out with their neighbours",
            "fr": "Territoires qui se distinguent avec leurs voisins",
        }[lang]

    def note(self, lang: Lang = "en") -> str:
        """Say what was done.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            One sentence.
        """
        tested = int(self.table["p"].notna().sum())
        rate, method = f"{100 * self.settings['q']:g}", self.settings["method"]
        if lang == "fr":
            return (
                f"Moran local des taux standardisés selon leur variance, {self.settings['permutations']} permutations "
                f"conditionnelles, {tested} tests, taux de fausses découvertes de {rate} % ({method})."
            )
        return (
            f"Local Moran of rates standardised for their variance, {self.settings['permutations']:,} conditional "
            f"permutations, {tested} tests, false discovery rate {rate} % ({method})."
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
            Observed counts are protected, with all that is computed from them. Local I and p stay behind, and
            q is given by class: those of a published area would give the count of a hidden neighbour back.
        """
        table = self.table.drop(columns=["local_i", "p"])
        table["q"] = [class_of_p(value) for value in table["q"]]
        headings = {
            "en": ("Area", "Name", "Observed", "Expected", "SIR", "q", "Stands out as"),
            "fr": ("Code", "Nom", "Observés", "Attendus", "Rapport", "q", "Se distingue"),
        }[lang]
        return Release(
            table,
            counts=(Counted("observed", adds_up_within=(), derived=("sir", "q", "cluster")),),
            title=self.title(lang),
            note=self.note(lang),
            not_counts=("expected",),
            labels=dict(zip(table.columns, headings, strict=True)),
        )

    def chart_map(self, level: str | None = None, *, lang: Lang = "en") -> Chart:
        """Draw where the areas that stand out lie.

        Parameters
        ----------
        level : str, optional
            Level of territory of the areas; that of the ratios by default.
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            The map; hidden counts and areas without a test are hatched.

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
        release = self.release(lang)
        side = 1 if lang == "fr" else 0
        return choropleth(
            release.table,
            chosen,
            value="cluster",
            # The legend reads from the last to the first.
            categories={name: (word[side], word[2]) for name, word in reversed(WORDS.items())},
            title=self.title(lang) + (_SYNTHETIC[lang] if self.settings["synthetic"] else ""),
            label={"en": "Area, among neighbours", "fr": "Territoire, parmi ses voisins"}[lang],
            note=self.note(lang),
            counts=release.counts,
            not_counts=release.not_counts,
            lang=lang,
        )

    def __str__(self) -> str:
        return "; ".join(f"{number} {WORDS[name][0]}" for name, number in self.counts.items() if number)

    def _repr_html_(self) -> str:
        import html

        standing = self.table[~self.table["cluster"].isin([NONE, ""])]
        return f"<p>{html.escape(str(self))}</p>" + standing.to_html(index=False, float_format="{:,.2g}".format)


def find_local_clusters(
    sir: Sir,
    weights: SpatialWeights,
    *,
    q: float = 0.05,
    method: Literal["BH", "BY"] = "BH",
    permutations: int = 9_999,
    seed: int = 0,
) -> LocalClusters:
    """Find the areas that stand out with, or against, their neighbours.

    Parameters
    ----------
    sir : Sir
        Ratios by area; areas without one take no part.
    weights : SpatialWeights
        Who is whose neighbour; areas of `sir` must be among its labels.
    q : float, optional
        False discovery rate over all areas tested.
    method : {"BH", "BY"}, optional
        Benjamini-Hochberg, or Benjamini-Yekutieli, which holds under any dependence between areas.
    permutations : int, optional
        Conditional permutations of each area. No two-sided p is below 2 / (permutations + 1): few of them
        and many areas leave nothing to find.
    seed : int, optional
        Seed of the permutations.

    Returns
    -------
    LocalClusters
        Local Moran's I (Anselin, 1995) of the rates standardised for their variance (Assunção and Reis, 1999),
        so that a ratio of few cases does not stand out for being unsure.

    Raises
    ------
    EstimationError
        If too few areas take part.
    ParameterError
        If `q` is no rate, or an area has no weights.

    Examples
    --------
    >>> from epi.association import estimate_sir
    >>> from epi.stats.spatial import weights_from_pairs
    >>> areas = [f"{place:02}" for place in range(60)]
    >>> counts = [20] * 20 + [60] * 6 + [20] * 34
    >>> cases = pd.DataFrame({"area": areas, "observed": counts})
    >>> people = pd.DataFrame({"area": areas, "person_years": [25.0] * 60})
    >>> sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    >>> near = weights_from_pairs(areas, areas[:-1] + areas[:-2], areas[1:] + areas[2:])
    >>> find_local_clusters(sir, near).table.query("cluster == 'High-High'")["area"].tolist()
    ['21', '22', '23', '24']
    """
    if not 0 < q < 1:
        raise ParameterError(f"q is {q}", "a rate between 0 and 1, such as 0.05")
    known = informed_areas(sir)
    values = standardise_rates(known["observed"].to_numpy(float), known["expected"].to_numpy(float))
    found = local_moran_test(values, weights.select(known["area"]), permutations=permutations, seed=seed)
    adjusted = adjust_p(found.p_permutation, method=method)
    cluster = np.where(adjusted <= q, found.quadrant, NONE).astype(object)
    # A cell on the mean is of no quadrant; an island has no test.
    cluster[(cluster == "") & ~np.isnan(adjusted)] = NONE
    cluster[np.isnan(adjusted)] = None
    table = known[["area", "name", "observed", "expected", "sir"]].assign(
        local_i=found.value, p=found.p_permutation, q=adjusted, cluster=cluster
    )
    settings = {
        "by": sir.settings["by"], "q": q, "method": method, "permutations": permutations, "seed": seed,
        "islands": found.islands, "synthetic": bool(sir.settings.get("synthetic")),
    }  # fmt: skip
    return LocalClusters(table.reset_index(drop=True), settings)

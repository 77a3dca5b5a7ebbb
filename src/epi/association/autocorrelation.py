"""Whether the ratios of neighbouring areas resemble each other more than chance would have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from epi.association.smoothing import informed_areas
from epi.association.withholding import count_small, must_withhold, round_statistic, show_p, withheld_note
from epi.errors import ParameterError
from epi.results import Estimate, Release
from epi.stats.spatial.moran import geary_test, moran_test
from epi.stats.spatial.moran_rates import moran_test_rates
from epi.stats.spatial.moran_residuals import moran_test_counts

if TYPE_CHECKING:
    from epi.association.sir import Lang, Sir
    from epi.stats.spatial.moran import Autocorrelation as Test
    from epi.stats.spatial.weights import SpatialWeights

OF = {
    "ratios": {"en": "ratios", "fr": "rapports"},
    "rates": {"en": "rates standardised for their variance", "fr": "taux standardisés selon leur variance"},
    "residuals": {"en": "residuals of the Poisson model", "fr": "résidus du modèle de Poisson"},
}
"""What a test is of. Ratios of few cases vary more than others: the second and the third take that into account."""


@dataclass(frozen=True)
class SpatialAutocorrelation:
    """Tests of likeness between neighbours.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a test: `statistic`, `of` (ratios, rates or residuals), `value`, `null_mean` and
        `null_sd` without autocorrelation, `z`, `p_analytic` (missing where only
        draws tell), `p_permutation`, `areas`, `links`, `islands`.
    settings : mapping
        What determined them, with the number of ``small`` areas, whose count must be hidden.
    """

    table: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    def estimates(self, name: str = "morans_i") -> list[Estimate]:
        """Give the values of Moran's I as results to record.

        Parameters
        ----------
        name : str, optional
            Name of the result.

        Returns
        -------
        list of Estimate
            One for each row of Moran's I, by what it is of, as it may leave; none where it may not.
        """
        small = self.settings["small"]
        if must_withhold(small):
            return []
        rows = self.table[self.table["statistic"] == "Moran's I"]
        told = {name: value for name, value in self.settings.items() if name != "small"}
        return [
            Estimate(
                name,
                round_statistic(row["value"], small),
                stratum={"of": str(row["of"])},
                settings={"p": show_p(row["p_permutation"], small), "areas": int(row["areas"]), **told},
            )
            for _, row in rows.iterrows()
        ]

    def release(self, lang: Lang = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of headings.

        Returns
        -------
        Release
            Statistics bear on all counts together: where some are hidden they are given to two figures and p by
            class, or withheld (:mod:`epi.association.withholding`).
        """
        table, small = self.table.copy(), self.settings["small"]
        table["of"] = [OF[name][lang] for name in table["of"]]
        for column in ("value", "null_mean", "null_sd", "z"):
            table[column] = [round_statistic(value, small) for value in table[column]]
        for column in ("p_analytic", "p_permutation"):
            table[column] = [show_p(value, small) for value in table[column]]
        headings = {
            "en": ("Statistic", "Of", "Value", "Expected", "SD", "z", "p", "p by draws", "Areas", "Links", "Islands"),
            "fr": ("Statistique", "De", "Valeur", "Attendue", "Écart-type", "z", "p", "p par tirages", "Territoires",
                   "Liens", "Îles"),
        }[lang]  # fmt: skip
        title = {"en": "Do neighbours resemble each other?", "fr": "Les voisins se ressemblent-ils ?"}[lang]
        draws, islands = self.settings["permutations"], self.settings["islands"]
        note = {
            "en": f"{self.settings['alternative']} p, {draws:,} draws; areas without a neighbour: {islands}.",
            "fr": f"p {self.settings['alternative']}, {draws} tirages ; territoires sans voisin : {islands}.",
        }[lang]
        return Release(
            table,
            title=title,
            note=note + withheld_note(small, lang),
            not_counts=("areas", "links", "islands", "value", "null_mean", "null_sd", "p_analytic", "p_permutation"),
            labels=dict(zip(table.columns, headings, strict=True)),
        )

    def __str__(self) -> str:
        return "; ".join(
            f"{row['statistic']} of {row['of']} {row['value']:.3f}, p {row['p_permutation']:.3g}"
            for _, row in self.table.iterrows()
        )

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format="{:,.4g}".format, na_rep="–"))


def check_autocorrelation(
    sir: Sir,
    weights: SpatialWeights,
    *,
    values: pd.DataFrame | None = None,
    adjust: Sequence[str] = (),
    permutations: int = 999,
    alternative: str = "two-sided",
    islands: str = "drop",
    seed: int = 0,
) -> SpatialAutocorrelation:
    """Test whether the ratios of neighbours resemble each other, before and after adjustment.

    Parameters
    ----------
    sir : Sir
        Ratios by area; those without one take no part.
    weights : SpatialWeights
        Who is whose neighbour; areas of `sir` must be among its labels.
    values : pandas.DataFrame, optional
        One row an area (a column named as the level of `sir`, or ``area``) with the columns of `adjust`.
    adjust : sequence of str, optional
        Numeric columns of `values`: the residuals are those of a Poisson regression on them.
    permutations : int, optional
        Permutations of the areas, and simulations of the counts.
    alternative : {"two-sided", "greater", "less"}, optional
        ``greater``: neighbours are alike.
    islands : {"drop", "keep"}, optional
        What becomes of areas without a neighbour.
    seed : int, optional
        Seed of the draws.

    Returns
    -------
    SpatialAutocorrelation
        Moran's I and Geary's C of the ratios (Cliff and Ord, 1981), Moran's I of rates standardised for
        their variance (Assunção and Reis, Stat Med 1999;18:2147), and of the residuals of the Poisson
        model against counts drawn from it.

    Raises
    ------
    EstimationError
        If too few areas take part, or ratios are all alike.
    ParameterError
        If a column is missing, or an area has no weights.

    Examples
    --------
    >>> from epi.association import estimate_sir
    >>> from epi.stats.spatial import weights_from_pairs
    >>> areas = list("abcdefgh")
    >>> cases = pd.DataFrame({"area": areas, "observed": [19, 18, 15, 12, 9, 6, 5, 4]})
    >>> people = pd.DataFrame({"area": areas, "person_years": [10.0] * 8})
    >>> sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [1.0]}))
    >>> line = weights_from_pairs(areas, areas[:-1], areas[1:])
    >>> check_autocorrelation(sir, line).table["value"].round(2).tolist()
    [0.89, 0.07, 0.89, 0.89]
    """
    known = informed_areas(sir)
    chosen = weights.select(known["area"])
    design = None
    if adjust:
        design = _covariates(known["area"], values, list(adjust), str(sir.settings["by"]))
    observed, expected = known["observed"].to_numpy(float), known["expected"].to_numpy(float)
    how: dict[str, Any] = {"alternative": alternative, "islands": islands, "seed": seed}
    drawn = {**how, "permutations": permutations}
    tests: list[tuple[str, Test]] = [
        ("ratios", moran_test(known["sir"].to_numpy(float), chosen, **drawn)),
        ("ratios", geary_test(known["sir"].to_numpy(float), chosen, **drawn)),
        ("rates", moran_test_rates(observed, expected, chosen, **drawn)),
        ("residuals", moran_test_counts(observed, expected, chosen, design, simulations=permutations, **how)),
    ]
    rows = [
        {
            "statistic": test.statistic.partition(" of ")[0], "of": of, "value": test.value,
            "null_mean": test.expectation, "null_sd": test.sd,
            "z": test.z, "p_analytic": test.p_analytic, "p_permutation": test.p_permutation, "areas": test.n,
            "links": test.links, "islands": test.islands,
        }
        for of, test in tests
    ]  # fmt: skip
    settings = {
        "by": sir.settings["by"], "permutations": permutations, "alternative": alternative, "islands": islands,
        "seed": seed, "adjust": list(adjust), "small": count_small(known["observed"]),
    }  # fmt: skip
    return SpatialAutocorrelation(pd.DataFrame(rows), settings)


def _covariates(areas: pd.Series, values: pd.DataFrame | None, adjust: list[str], by: str) -> pd.DataFrame:
    """Bring covariates in the order of the areas; missing ones are refused, not filled."""
    if values is None:
        raise ParameterError("adjust names columns and no values are given", "values=, one row an area")
    key = by if by in values.columns else "area"
    lacking = [name for name in (key, *adjust) if name not in values.columns]
    if lacking:
        raise ParameterError(f"values have no column {', '.join(lacking)}", f"{key} and the columns of adjust")
    if values[key].duplicated().any():
        raise ParameterError(f"{int(values[key].duplicated().sum())} areas are given twice", "one row an area")
    table = values.set_index(key)[adjust].reindex(areas).astype(float)
    without = int(table.isna().any(axis=1).sum())
    if without:
        raise ParameterError(
            f"{without} of {len(table)} areas lack a value of {', '.join(adjust)}",
            "values of every area that has a ratio",
            "leave these areas out of the ratios, or the column out of adjust",
        )
    return table

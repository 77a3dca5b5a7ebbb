"""Smoothed relative risks of areas, from their incidence ratios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.association.withholding import LEAST_HIDDEN, count_small, must_withhold, replace_hidden
from epi.errors import EstimationError, ParameterError
from epi.geography import communes as places
from epi.results import Counted, Release
from epi.stats.intervals import check_level
from epi.stats.spatial.bym2 import fit_bym2
from epi.stats.spatial.empirical_bayes import log_normal, poisson_gamma
from epi.stats.spatial.marshall import marshall

if TYPE_CHECKING:
    from epi.association.sir import Lang, Sir
    from epi.plotting import Chart
    from epi.stats.spatial.posterior import Posterior
    from epi.stats.spatial.weights import SpatialWeights

Method = Literal["poisson-gamma", "clayton-kaldor", "marshall", "bym2"]
METHODS: dict[str, tuple[str, str]] = {
    "poisson-gamma": ("empirical Bayes, Poisson-gamma", "bayésien empirique, Poisson-gamma"),
    "clayton-kaldor": ("empirical Bayes, log-normal (Clayton and Kaldor)",
                       "bayésien empirique, log-normal (Clayton et Kaldor)"),
    "marshall": ("empirical Bayes by moments (Marshall)", "bayésien empirique par moments (Marshall)"),
    "bym2": ("BYM2 model", "modèle BYM2"),
}  # fmt: skip
DECIMALS = 2
"""Of smoothed figures that leave: each bears on every count, and more digits would tell hidden ones."""
SURE = (0.01, 0.99)
"""A published probability is neither 0 nor 1."""
DERIVED = ("sir", "rr", "rr_low", "rr_high", "exceedance")
FLAT = "no variation beyond chance"
FOUND = ["rr", "rr_low", "rr_high", "exceedance", "status"]
FROM_PRINTED = (
    f" Some counts must be hidden, but of fewer than {LEAST_HIDDEN} areas: they were replaced by their mean given that "
    "they are small, so that these figures do not give them back."
)


@dataclass(frozen=True)
class SmoothedRatios:
    """Relative risks of areas, drawn towards each other.

    Parameters
    ----------
    table : pandas.DataFrame
        Sorted by area: `area`, `name`, `observed`, `expected`, `sir`, `rr` (smoothed), `rr_low`,
        `rr_high`, `exceedance` (probability that the risk is above `settings["threshold"]`) and
        `status`, empty when there is a smoothed ratio with its limits, else why not.
    posterior : Posterior
        Laws of the risks of the areas that have a smoothed ratio, in the order of the table.
    parameters : mapping
        What the counts say of all areas together, by the method's own names.
    settings : mapping
        What determined the estimates.
    from_printed : SmoothedRatios, optional
        The same from counts that do not tell hidden ones, where those of the table would: what is published.
    """

    table: pd.DataFrame
    posterior: Posterior
    parameters: Mapping[str, float]
    settings: Mapping[str, Any] = field(default_factory=dict)
    from_printed: SmoothedRatios | None = None

    def title(self, lang: Lang = "en") -> str:
        """Name the estimate.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            A short name.
        """
        words = METHODS[self.settings["method"]][lang == "fr"]
        return f"Risque relatif lissé, {words}" if lang == "fr" else f"Smoothed relative risk, {words}"

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            The table. Smoothed figures give the observed number back to who knows the law, so they
            fall with it. The others are rounded, since each bears on all counts; where they would still give a
            hidden one back, they are those of the counts that are printed (:mod:`epi.association.withholding`).
        """
        table = self.table.copy()
        if self.from_printed is not None:
            table = table.drop(columns=FOUND).join(self.from_printed.table[FOUND])[list(table.columns)]
        table[FOUND[:-1]] = table[FOUND[:-1]].round(DECIMALS)
        table["exceedance"] = table["exceedance"].clip(*SURE)
        threshold = f"{self.settings['threshold']:g}"
        return Release(
            table=table,
            counts=(Counted("observed", adds_up_within=(), derived=DERIVED),),
            title=f"{self.title('en')} by {self.settings['by']}",
            note=f"Posterior limits at {self.settings['level']:.0%}"
            + ("" if self.settings["method"] == "bym2" else ", the common law of the risks being taken as known")
            + f"; exceedance: posterior probability of a relative risk above {threshold}, "
            f"given between 0.01 and 0.99.{self.settings['note']}"
            + (FROM_PRINTED if self.from_printed is not None else ""),
            not_counts=("expected",),
            labels={
                "area": "Area", "name": "Name", "observed": "Observed", "expected": "Expected", "sir": "SIR",
                "rr": "Smoothed RR", "rr_low": "Low", "rr_high": "High", "exceedance": f"P(RR > {threshold})",
                "status": "Status",
            },
        )  # fmt: skip

    def with_threshold(self, threshold: float) -> SmoothedRatios:
        """Give the same ratios, with the probability of exceeding another risk.

        Parameters
        ----------
        threshold : float
            Relative risk above zero.

        Returns
        -------
        SmoothedRatios
            The same but for `exceedance`.

        Raises
        ------
        ParameterError
            If the threshold is not above zero.
        """
        table = self.table.copy()
        table.loc[table["rr"].notna(), "exceedance"] = self.posterior.exceedance(threshold)
        settings = {**self.settings, "threshold": float(threshold)}
        printed = self.from_printed.with_threshold(threshold) if self.from_printed else None
        return SmoothedRatios(table, self.posterior, self.parameters, settings, printed)

    def chart_map(self, level: str | None = None, *, lang: Lang = "en", **options: Any) -> Chart:
        """Draw the map of the smoothed ratios.

        Parameters
        ----------
        level : str, optional
            Level of territory the areas are codes of; the one asked for by default.
        lang : {"fr", "en"}, optional
            Language of the picture.
        **options : object
            Passed to :func:`epi.geography.maps.choropleth`.

        Returns
        -------
        Chart
            The map.

        Raises
        ------
        ParameterError
            If the areas are no level of territory.
        """
        from epi.association.smoothing_charts import draw_smoothed_map

        return draw_smoothed_map(self, self._level(level), lang, **options)

    def chart_exceedance_map(
        self, threshold: float | None = None, level: str | None = None, *, lang: Lang = "en", **options: Any
    ) -> Chart:
        """Draw the map of the probability that the risk is above a threshold.

        Parameters
        ----------
        threshold : float, optional
            Relative risk; that of the table by default.
        level : str, optional
            Level of territory the areas are codes of; the one asked for by default.
        lang : {"fr", "en"}, optional
            Language of the picture.
        **options : object
            Passed to :func:`epi.geography.maps.choropleth`.

        Returns
        -------
        Chart
            The map.

        Raises
        ------
        ParameterError
            If the areas are no level of territory, or the threshold is not above zero.
        """
        from epi.association.smoothing_charts import draw_exceedance_map

        chosen = self if threshold is None else self.with_threshold(threshold)
        return draw_exceedance_map(chosen, self._level(level), lang, **options)

    def chart_shrinkage(self, *, lang: Lang = "en") -> Chart:
        """Draw the smoothed ratios against the raw ones.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            One point an area; the further from the diagonal, the more it was drawn in.
        """
        from epi.association.smoothing_charts import draw_shrinkage

        return draw_shrinkage(self, lang)

    def _level(self, level: str | None) -> str:
        chosen = level or str(self.settings["by"])
        if chosen not in places.LEVELS:
            raise ParameterError(
                f"areas are {chosen!r}, which is no level of territory", ", ".join(places.LEVELS), "chart_map(level=…)"
            )
        return chosen

    def __str__(self) -> str:
        known = self.table["rr"].dropna()
        words = [
            f"{self.title('en')}: {len(known)} areas by {self.settings['by']}, {known.min():.2f} to {known.max():.2f}"
        ]
        others = self.table.loc[self.table["status"] != "", "status"].value_counts().sort_index()
        return "; ".join(words + [f"{count} areas: {why}" for why, count in others.items()])

    def _repr_html_(self) -> str:
        import html

        body = self.table.to_html(index=False, max_rows=20, float_format="{:,.2f}".format, na_rep="–")
        return f"<p>{html.escape(str(self))}</p>{body}"


def informed_areas(sir: Sir) -> pd.DataFrame:
    """Give the areas that have a ratio.

    Parameters
    ----------
    sir : Sir
        Incidence ratios.

    Returns
    -------
    pandas.DataFrame
        Their rows, sorted by area.

    Raises
    ------
    EstimationError
        If there are fewer than two.
    """
    table = sir.table[sir.table["sir"].notna()].sort_values("area", ignore_index=True)
    if len(table) < 2:
        raise EstimationError(f"{len(table)} area has an incidence ratio", "two areas or more")
    return table


def smooth_ratios(
    sir: Sir,
    method: Method = "poisson-gamma",
    *,
    weights: SpatialWeights | None = None,
    threshold: float = 1.0,
    level: float = 0.95,
) -> SmoothedRatios:
    """Smooth incidence ratios, so that ratios of few expected cases stop standing out by chance.

    Parameters
    ----------
    sir : Sir
        Incidence ratios by area.
    method : {"poisson-gamma", "clayton-kaldor", "marshall", "bym2"}, optional
        Common law of the risks: gamma by maximum likelihood, log-normal as Clayton and Kaldor (1987),
        or moments only as Marshall (1991); or neighbours and all areas together, by
        :func:`epi.stats.spatial.bym2.fit_bym2`.
    weights : SpatialWeights, optional
        Who is whose neighbour, for ``bym2``; areas of `sir` must be among its labels.
    threshold : float, optional
        Relative risk whose exceedance is asked for.
    level : float, optional
        Probability inside the limits.

    Returns
    -------
    SmoothedRatios
        Relative risks against the reference of `sir`, one an area.

    Raises
    ------
    EstimationError
        If fewer than two areas have a ratio, or there is no case.
    ParameterError
        If the method or an option is unknown, or weights are lacking, not called for, or lack areas.

    Notes
    -----
    ``bym2`` gives posterior medians, and carries the uncertainty of its own parameters. The common law
    of the others is estimated from the counts and then taken as known: limits are a little narrow
    when areas are few. When the counts vary no more than chance the law has no width: all areas are
    given the overall ratio, without limits.

    Examples
    --------
    >>> from epi.association import estimate_sir
    >>> cases = pd.DataFrame({"area": list("abcd"), "observed": [9, 39, 11, 2]})
    >>> people = pd.DataFrame({"area": list("abcd"), "person_years": [1_400.0, 8_700.0, 6_000.0, 5_500.0]})
    >>> sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [0.001]}))
    >>> smooth_ratios(sir).table[["area", "sir", "rr"]].round(2).values.tolist()
    [['a', 6.43, 5.59], ['b', 4.48, 4.41], ['c', 1.83, 1.93], ['d', 0.36, 0.58]]
    """
    check_level(level)
    if method not in METHODS:
        raise ParameterError(f"method is {method!r}", " or ".join(map(repr, METHODS)))
    if (method == "bym2") != (weights is not None):
        raise ParameterError(
            f"method {method!r} {'needs' if method == 'bym2' else 'takes no'} spatial weights",
            "weights with bym2, and with it alone",
            "epi.geography.neighbours(level) gives them",
        )
    smoothed = _smooth(sir, method, weights, threshold, level)
    if must_withhold(count_small(sir.table["observed"])):
        stand_in = replace(sir, table=sir.table.assign(observed=replace_hidden(sir)))
        smoothed = replace(smoothed, from_printed=_smooth(stand_in, method, weights, threshold, level))
    return smoothed


def _smooth(sir: Sir, method: str, weights: SpatialWeights | None, threshold: float, level: float) -> SmoothedRatios:
    known = informed_areas(sir)
    observed, expected = known["observed"].to_numpy(dtype=float), known["expected"].to_numpy(dtype=float)
    if weights is not None:
        model = fit_bym2(observed, expected, weights.select(known["area"]))
        learned = {
            f"{name}{end}": getattr(law, part)
            for name, law in (("sigma", model.sigma), ("phi", model.phi))
            for end, part in (("", "median"), ("_low", "low"), ("_high", "high"))
        }
        return _present(sir, model, learned, method, threshold, level)
    fits = {"poisson-gamma": poisson_gamma, "clayton-kaldor": log_normal, "marshall": marshall}
    fit = fits[method](observed, expected)
    return _present(sir, fit, fit.parameters, method, threshold, level)


def _present(
    sir: Sir, posterior: Posterior, parameters: Mapping[str, float], method: str, threshold: float, level: float
) -> SmoothedRatios:
    columns = ["area", "name", "observed", "expected", "sir", "status"]
    table = sir.table.sort_values("area", ignore_index=True)[columns]
    status = table.pop("status")
    known = table["sir"].notna().to_numpy()
    tail = (1 - level) / 2
    values = {
        "rr": posterior.estimate,
        "rr_low": posterior.quantile(tail),
        "rr_high": posterior.quantile(1 - tail),
        "exceedance": posterior.exceedance(threshold),
    }
    for name, found in values.items():
        table[name] = np.nan
        table.loc[known, name] = found
    table["status"] = status.mask(table["rr"].notna() & table["rr_low"].isna(), FLAT)
    kept = ("by", "strata", "reference", "years", "note", "synthetic")
    settings = {
        "method": method,
        "threshold": float(threshold),
        "level": level,
        **{name: sir.settings[name] for name in kept if name in sir.settings},
    }
    return SmoothedRatios(table, posterior, dict(parameters), settings)

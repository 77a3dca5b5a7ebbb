"""Referral to the expert network: how the observed share of cases falls with the distance to a centre.

A registry of expert centres sees the patients who came. Where the ratio of observed to expected cases
falls with distance, and nothing makes the disease itself fall with it, the fall measures referral; a
map of ratios then shows the network before it shows the disease. The model is a Poisson regression of
counts on distance, log expected as offset; the expected numbers can be corrected by it.

The fall cannot be told from a true effect of what varies with distance (density, deprivation): adjust
for those that are thought to act, and read corrected ratios as a sensitivity analysis.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.association.preparation import prepare_areas
from epi.association.sir import Sir, summarise
from epi.association.terms import build_terms, read_adjustment
from epi.errors import EstimationError, ParameterError
from epi.results import Counted, Estimate, Release
from epi.stats.intervals import check_level, wald_interval
from epi.stats.models import fit_glm
from epi.stats.uncertain_expected import uncertain_ratio_interval

if TYPE_CHECKING:
    from epi.association.sir import Lang
    from epi.plotting import Chart

BANDS_KM = (0.0, 15.0, 30.0, 50.0, 75.0, 100.0)
"""Lower ends of the bands of distance in which the straight line is checked; the last is open."""

PER_KM = 100.0
"""Kilometres of the step in which the slope is told."""


@dataclass(frozen=True)
class Referral:
    """The share of cases seen, by distance to the nearest centre, relative to living beside one.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each band of distance that holds areas: `band` (km), `distance_km` (mean over
        expected cases), `areas`, `observed`, `expected`, `ratio` to the nearest band, `ci_low`,
        `ci_high` (from a model of bands), `fitted`, `fitted_low`, `fitted_high` (from the straight
        line, relative to 0 km).
    slope : mapping
        Rate ratio for 100 km more: ratio, ci_low, ci_high, p, df, log_slope_per_km, standard_error.
    areas : pandas.DataFrame
        `area`, `distance_km` and `relative_capture` (1 beside a centre).
    settings : mapping
        What determined the estimates.
    """

    table: pd.DataFrame
    slope: Mapping[str, float]
    areas: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    def correct(self, sir: Sir) -> Sir:
        """Compare each area with what would be expected at its own share of cases seen.

        Parameters
        ----------
        sir : Sir
            Ratios of the areas of this model.

        Returns
        -------
        Sir
            Expected numbers times the relative capture, then scaled so that all areas together keep their
            expected number. Areas without a distance have no ratio. Limits carry the error of the slope
            (:func:`epi.stats.uncertain_expected.uncertain_ratio_interval`), and hold for true that the fall is a
            straight line on the log scale, and is referral.

        Raises
        ------
        EstimationError
            If no area has both a ratio and a distance.
        """
        capture = sir.table["area"].map(self.areas.set_index("area")["relative_capture"])
        known = sir.table["sir"].notna() & capture.notna()
        if not known.any():
            raise EstimationError("no area has both a ratio and a distance", "the areas that the model was fitted on")
        expected = (sir.table["expected"] * capture).where(known)
        expected *= sir.table.loc[known, "expected"].sum() / expected.sum()
        # All areas together keep their expected number: an area's own moves with its distance from their mean.
        away = self.areas.set_index("area")["distance_km"].reindex(sir.table["area"]).to_numpy(float)
        away = away - float((away * expected)[known].sum() / expected.sum())
        limits = uncertain_ratio_interval(
            sir.table["observed"].where(known), expected, np.abs(away) * self.slope["standard_error"],
            degrees=self.slope["df"], level=sir.settings["level"],
        )  # fmt: skip
        table = sir.table.assign(
            expected=expected, sir=limits.estimate, ci_low=limits.low, ci_high=limits.high,
            status=sir.table["status"].where(known | (sir.table["status"] != ""), "no distance"),
        )  # fmt: skip
        note = f"{sir.settings['note']} Expected numbers corrected for referral: {self}"
        overall = {**sir.overall, **summarise(table, sir.settings["level"])}
        return replace(
            sir, table=table, overall=overall, settings={**sir.settings, "note": note, "corrected": "referral"}
        )

    def estimate(self, name: str = "referral_per_100_km") -> Estimate:
        """Give the slope as a result to record.

        Parameters
        ----------
        name : str, optional
            Name of the result.

        Returns
        -------
        Estimate
            Rate ratio for 100 km more.
        """
        return Estimate(
            name, self.slope["ratio"], self.slope["ci_low"], self.slope["ci_high"], unit="RR",
            n=int(self.table["observed"].sum()),
            settings={**self.settings, "p": self.slope["p"], "df": self.slope["df"]},
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
            One row a band; observed counts are protected, with the ratios computed from them.
        """
        title = {"en": "Cases seen, by distance to the nearest centre", "fr": "Cas vus selon la distance au centre"}
        labels = {
            "en": ["Band, km", "Mean distance, km", "Areas", "Observed", "Expected", "Ratio to the nearest band",
                   "Low", "High", "Line", "Line, low", "Line, high"],
            "fr": ["Classe, km", "Distance moyenne, km", "Territoires", "Observés", "Attendus",
                   "Rapport à la classe la plus proche", "Bas", "Haut", "Droite", "Droite, bas", "Droite, haut"],
        }  # fmt: skip
        return Release(
            self.table.copy(),
            counts=(Counted("observed", adds_up_within=(), derived=("ratio", "ci_low", "ci_high")),),
            title=title[lang],
            note=self.words(lang),
            not_counts=("areas",),
            labels=dict(zip(self.table.columns, labels[lang], strict=True)),
        )

    def words(self, lang: Lang = "en") -> str:
        """Tell the slope in a sentence.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            Rate ratio, limits, adjustment.
        """
        from epi.stats.notation import format_ratio

        ratio = format_ratio(self.slope["ratio"], self.slope["ci_low"], self.slope["ci_high"], lang=lang)
        adjusted = ", ".join(self.settings["adjust"])
        if lang == "fr":
            told = f"rapport de taux {ratio} pour 100 km de plus jusqu'au centre le plus proche"
            return told + (f", ajusté sur {adjusted}." if adjusted else ", sans ajustement.")
        told = f"rate ratio {ratio} for 100 km more to the nearest centre"
        return told + (f", adjusted for {adjusted}." if adjusted else ", unadjusted.")

    def chart(self, *, lang: Lang = "en") -> Chart:
        """Draw the share of cases seen against distance.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            Bands with their intervals, and the fitted line.
        """
        from epi.association.referral_chart import draw_referral

        return draw_referral(self, lang)

    def __str__(self) -> str:
        return self.words("en")

    def _repr_html_(self) -> str:
        import html

        body = self.table.to_html(index=False, float_format="{:,.2f}".format, na_rep="–")
        return f"<p>{html.escape(str(self))}</p>{body}"


def estimate_referral(
    sir: Sir,
    areas: pd.DataFrame,
    *,
    distance: str = "centre_distance_km",
    adjust: Sequence[str] = (),
    cluster: str | None = "default",
    bands_km: Sequence[float] = BANDS_KM,
    level: float = 0.95,
) -> Referral:
    """Measure how the observed share of expected cases changes with the distance to the nearest centre.

    Parameters
    ----------
    sir : Sir
        Observed and expected cases by area; small areas (communes, *bassins de vie*) say more.
    areas : pandas.DataFrame
        One row for each area: its code, the distance in kilometres, the adjusters.
    distance : str, optional
        Column of the distance, which must end in ``_km``.
    adjust : sequence of str, optional
        Terms, as in :func:`epi.association.screen_exposures`.
    cluster : str, optional
        Territory within which counts may depend on each other; *département* by default.
    bands_km : sequence of float, optional
        Lower ends of the bands in which the straight line is checked, from 0 upwards.
    level : float, optional
        Confidence level.

    Returns
    -------
    Referral
        Bands, slope and relative capture of each area.

    Raises
    ------
    EstimationError
        If the model cannot be fitted, or fewer than two bands hold cases.
    ParameterError
        If a column is missing, or bands do not rise from zero.

    Examples
    --------
    >>> import pandas as pd
    >>> from epi.association import estimate_sir
    >>> codes = ["near", "beside", "middle", "far"]
    >>> cases = pd.DataFrame({"area": codes, "observed": [105, 95, 80, 64]})
    >>> people = pd.DataFrame({"area": codes, "person_years": [1e6, 1e6, 1e6, 1e6]})
    >>> sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [1e-4]}))
    >>> places = pd.DataFrame({"area": codes, "centre_distance_km": [0.0, 0.0, 50.0, 100.0]})
    >>> print(estimate_referral(sir, places, cluster=None))
    rate ratio 0.64 (0.49-0.84) for 100 km more to the nearest centre, unadjusted.
    """
    check_level(level)
    if not distance.endswith("_km"):
        raise ParameterError(f"distance is {distance!r}", "a column of kilometres, whose name ends in _km")
    edges = [float(edge) for edge in bands_km]
    if len(edges) < 2 or edges[0] != 0 or any(a >= b for a, b in itertools.pairwise(edges)):
        raise ParameterError(f"bands_km is {list(bands_km)}", "lower ends that rise from 0, such as (0, 25, 50, 100)")
    terms = [read_adjustment(word) for word in adjust]
    by = str(sir.settings["by"])
    key = by if by in areas.columns else "area"
    study = prepare_areas(sir, areas, [distance], adjust, cluster, None)
    study.require([term.column for term in terms], "adjusters")
    used = [distance, *(term.column for term in terms), *(["cluster"] if study.cluster else [])]
    frame = study.frame.dropna(subset=list(dict.fromkeys(used))).reset_index(drop=True)
    if (frame[distance] < 0).any():
        raise EstimationError(f"{int((frame[distance] < 0).sum())} distances are negative", "kilometres from 0 up")
    band = np.searchsorted(edges, frame[distance].to_numpy(float), side="right") - 1
    if len(np.unique(band[frame["outcome"].to_numpy(float) > 0])) < 2:
        raise EstimationError("fewer than two bands of distance hold cases", "cases both near to and far from centres")
    others = build_terms(frame, terms)
    offset = np.log(frame["expected"])
    clusters = frame["cluster"] if study.cluster else None
    model = "the model of referral"
    line = fit_glm(
        pd.concat([frame[[distance]].astype(float) / PER_KM, others], axis=1),
        frame["outcome"], family="poisson", offset=offset, clusters=clusters, model=model,
    )  # fmt: skip
    slope, error = line.term(distance)
    degrees = line.degrees_of(distance)
    table = _bands(frame, distance, band, edges, others, offset, clusters, level)
    steps = table["distance_km"].to_numpy(float) / PER_KM
    reach = _reach(error, degrees, level)
    table["fitted"] = np.exp(slope * steps)
    table["fitted_low"], table["fitted_high"] = np.exp(np.outer([slope - reach, slope + reach], steps))
    told = wald_interval(slope, error, log=True, level=level, degrees=degrees)
    places = areas.rename(columns={key: "area"})[["area", distance]].rename(columns={distance: "distance_km"})
    places = places.dropna(subset=["area"]).sort_values("area", ignore_index=True)
    return Referral(
        table,
        {
            "ratio": float(told.estimate),
            "ci_low": float(told.low),
            "ci_high": float(told.high),
            "p": _two_sided(slope / error, degrees),
            "df": degrees,
            "log_slope_per_km": slope / PER_KM,
            "standard_error": error / PER_KM,
        },
        places.assign(relative_capture=np.exp(slope * places["distance_km"] / PER_KM)),
        {
            "by": by, "distance": distance, "adjust": [term.describe() for term in terms], "cluster": study.cluster,
            "bands_km": edges, "level": level, "areas": len(frame),
        },
    )  # fmt: skip


def _bands(
    frame: pd.DataFrame,
    distance: str,
    band: np.ndarray,
    edges: Sequence[float],
    others: pd.DataFrame,
    offset: pd.Series,
    clusters: pd.Series | None,
    level: float,
) -> pd.DataFrame:
    """Fit the bands as categories; the nearest that holds cases is the reference."""
    groups = frame.assign(band=band, weight=frame["expected"], moment=frame["expected"] * frame[distance]).groupby(
        "band"
    )
    sums = groups[["outcome", "expected", "moment"]].sum()
    # A band without a single case has no finite ratio: it is shown with its counts, and left out of the model.
    held = sums.index[sums["outcome"] > 0]
    reference = held[0]
    inside = np.isin(band, held)
    categories = pd.DataFrame({f"band {place}": (band == place).astype(float) for place in held[1:]}, index=frame.index)
    fitted = fit_glm(
        pd.concat([categories, others], axis=1)[inside],
        frame["outcome"][inside],
        family="poisson",
        offset=offset[inside],
        clusters=None if clusters is None else clusters[inside],
        model="the model of bands of distance",
    )
    rows = []
    for place in sums.index:
        row: dict[str, Any] = {
            "band": _band_words(edges, int(place)),
            "distance_km": float(sums.loc[place, "moment"] / sums.loc[place, "expected"]),
            "areas": int((band == place).sum()),
            "observed": int(sums.loc[place, "outcome"]),
            "expected": float(sums.loc[place, "expected"]),
            "ratio": np.nan, "ci_low": np.nan, "ci_high": np.nan,
        }  # fmt: skip
        if place == reference:
            row["ratio"] = 1.0
        elif place in held:
            name = f"band {place}"
            beta, error = fitted.term(name)
            found = wald_interval(beta, error, log=True, level=level, degrees=fitted.degrees_of(name))
            row |= {"ratio": float(found.estimate), "ci_low": float(found.low), "ci_high": float(found.high)}
        rows.append(row)
    return pd.DataFrame(rows)


def _band_words(edges: Sequence[float], place: int) -> str:
    return f"{edges[place]:g}-{edges[place + 1]:g}" if place + 1 < len(edges) else f"{edges[place]:g}+"


def _reach(error: float, degrees: float, level: float) -> float:
    from scipy import stats

    return float(error * stats.t.isf((1 - level) / 2, degrees))


def _two_sided(statistic: float, degrees: float) -> float:
    from scipy import stats

    return float(2 * stats.t.sf(abs(statistic), degrees))

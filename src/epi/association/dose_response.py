"""How risk changes along an exposure: a curve without an assumed shape, classes with their ratios, and tests.

The curve is a restricted cubic spline with knots at Harrell's quantiles. Curve and classes are fitted as the screen
is: same rows, same adjusters, same errors robust to clusters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.association.preparation import Study, prepare_areas, prepare_persons
from epi.association.sir import Lang, Sir
from epi.association.terms import Adjustment, AgeForm, build_terms, read_adjustment
from epi.errors import EstimationError, ParameterError
from epi.results import Counted, Release
from epi.stats.intervals import check_level, wald_interval
from epi.stats.models import GlmFit, fit_glm
from epi.stats.scaling import cut_quantiles
from epi.stats.splines import place_knots, restricted_spline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from epi.plotting import Chart

ENDS = (0.02, 0.98)
"""Quantiles of the exposure between which the curve is given: beyond, a few places make it."""
POINTS = 61
ESTIMATES = ("estimate", "ci_low", "ci_high")
_LAWS = ("poisson", "quasi-poisson", "negative-binomial")


@dataclass(frozen=True)
class DoseResponse:
    """Ratios along one exposure.

    Parameters
    ----------
    exposure : str
        Its name.
    curve : pandas.DataFrame
        `value`, `estimate`, `ci_low`, `ci_high`: ratios to the reference value, pointwise limits.
    table : pandas.DataFrame
        One row for each class: `class`, `low` and `high` (its bounds), `median`, `n_cases`, `n_controls` (missing
        for areas), `estimate`, `ci_low`, `ci_high`; the lowest class is the reference.
    tests : pandas.DataFrame
        `test` (``overall``, ``bent``: whether the curve differs from a straight line, ``trend``: of the classes'
        medians), `f`, `numerator`, `denominator`, `p`.
    measure : {"OR", "RR"}
        What the ratios are.
    design : {"case-control", "areas"}
        Where they come from.
    settings : mapping
        What determined them.
    """

    exposure: str
    curve: pd.DataFrame
    table: pd.DataFrame
    tests: pd.DataFrame
    measure: Literal["OR", "RR"]
    design: Literal["case-control", "areas"]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def p(self, test: str) -> float:
        """Give the p-value of a test.

        Parameters
        ----------
        test : {"overall", "bent", "trend"}
            Which test.

        Returns
        -------
        float
            Its p-value; missing when clusters are too few.
        """
        rows = self.tests.set_index("test")["p"]
        if test not in rows.index:
            raise ParameterError(f"test is {test!r}", ", ".join(rows.index))
        return float(rows[test])

    def label(self, lang: Lang = "en") -> str:
        """Name the exposure with its unit.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            Such as ``Nitrates in tap water (mg/L)``.
        """
        unit = str(self.settings["unit"])
        return str(self.settings[f"label_{lang}"]) + (f" ({unit})" if unit else "")

    def note(self, lang: Lang = "en", *, tests: bool = True) -> str:
        """Say what was done and what the tests say.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.
        tests : bool, optional
            Give the p-values; :meth:`release` leaves them out, since the gate may hide all that they rest on.

        Returns
        -------
        str
            A few sentences.
        """
        from epi.association.dose_response_note import describe_dose_response

        return describe_dose_response(self, lang, tests)

    def release(self, lang: Lang = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        Release
            The classes; their numbers are protected, with the ratios computed from them.
        """
        words = {
            "en": ("Class", "From", "To", "Median", "Cases", "Controls", self.measure, "Low", "High"),
            "fr": ("Classe", "De", "À", "Médiane", "Cas", "Témoins", self.measure, "Basse", "Haute"),
        }[lang]
        title = {"en": "Ratios by class: {}", "fr": "Rapports par classe : {}"}[lang].format(self.label(lang))
        labels = dict(zip(self.table.columns, words, strict=True))
        table, counts = protect_classes(self.table, self.design)
        return Release(table, counts, title, self.note(lang, tests=False), ("low", "high", "median"),
                       {name: word for name, word in labels.items() if name in table})  # fmt: skip

    def chart_curve(self, *, lang: Lang = "en") -> Chart:
        """Draw the curve with its limits, and the classes over it.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            Ratios on a logarithmic scale; ticks under the curve are the deciles of the exposure.
        """
        from epi.association.dose_response_chart import draw_curve

        return draw_curve(self, lang)

    def _repr_html_(self) -> str:
        import html

        body = self.table.to_html(index=False, na_rep="–", float_format="{:.3g}".format)
        return f"<p>{html.escape(self.label())}. {html.escape(self.note())}</p>{body}"


def protect_classes(table: pd.DataFrame, design: str) -> tuple[pd.DataFrame, tuple[Counted, ...]]:
    """Say which columns of a table of classes count persons, and what falls with them.

    Parameters
    ----------
    table : pandas.DataFrame
        The classes.
    design : {"case-control", "areas"}
        Where they come from.

    Returns
    -------
    table : pandas.DataFrame
        Without columns that the design does not have.
    counts : tuple of Counted
        The total of the classes is known from elsewhere, so that one hidden class takes another with it.
    """
    if design == "areas":
        kept = table.drop(columns="n_controls")
        return kept, (Counted("n_cases", adds_up_within=(), derived=ESTIMATES),)
    return table, (
        Counted("n_cases", adds_up_within=(), derived=(*ESTIMATES, "n_controls")),
        Counted("n_controls", adds_up_within=(), derived=(*ESTIMATES, "n_cases")),
    )


def estimate_dose_response(
    data: Any,
    other: Any,
    exposure: str,
    *,
    adjust: Sequence[str] | None = None,
    cluster: str | None = "default",
    knots: int = 4,
    reference: float | None = None,
    at: Sequence[float] = (),
    classes: int = 5,
    quantiles_of: Literal["rows", "values"] = "rows",
    age: AgeForm = "spline",
    family: Literal["poisson", "quasi-poisson", "negative-binomial"] = "quasi-poisson",
    level: float = 0.95,
    labels: Mapping[str, Mapping[str, Any]] | None = None,
) -> DoseResponse:
    """Estimate ratios along an exposure, in either design.

    Parameters
    ----------
    data, other : Enriched, pandas.DataFrame or Sir
        Cases and controls, or ratios of areas and their exposures, as for :func:`screen_exposures`.
    exposure : str
        The exposure.
    adjust : sequence of str, optional
        Adjusters, as for :func:`screen_exposures`; by default age and sex for persons, nothing for areas.
    cluster : str or None, optional
        What errors are robust to, as for :func:`screen_exposures`.
    knots : int, optional
        Knots of the curve, 3 to 7, at Harrell's quantiles of all rows.
    reference : float, optional
        Value that ratios of the curve are relative to; the median by default.
    at : sequence of float, optional
        Further values of the exposure that the curve is given at, within its ends.
    classes : int, optional
        Classes of about equal numbers of rows (persons, or areas), 2 or more.
    quantiles_of : {"rows", "values"}, optional
        Put knots and bounds of classes at quantiles of the rows, or of the distinct values: where one city holds a
        large part of the rows, many of their quantiles are the same.
    age : {"spline", "bands", "linear"}, optional
        How age enters.
    family : {"poisson", "quasi-poisson", "negative-binomial"}, optional
        Law of the counts of areas.
    level : float, optional
        Confidence level.
    labels : mapping, optional
        For the exposure, ``label_en``, ``label_fr`` and ``unit``; those of the enrichment by default.

    Returns
    -------
    DoseResponse
        Curve, classes and tests.

    Raises
    ------
    EstimationError
        If a model cannot be fitted, or knots or bounds of classes would be the same.
    ParameterError
        If a column or an option is unknown, or the reference is outside the exposure's values.

    Notes
    -----
    With clusters the tests of several terms are HTZ (Pustejovsky and Tipton, J Bus Econ Stat 2018;36:672) and limits
    Student's, on degrees of freedom of their own. An adjuster that is the exposure itself leaves the adjustment.
    A shape found by looking at many exposures is a finding to be tested elsewhere.

    Examples
    --------
    >>> random = np.random.Generator(np.random.PCG64(1))
    >>> people = pd.DataFrame({"patient_id": [f"p{i}" for i in range(2000)], "x": random.gamma(3, 2, 2000)})
    >>> case = random.random(2000) < 1 / (1 + np.exp(1.5 - 0.2 * people["x"]))
    >>> found = estimate_dose_response(people[case], people[~case], "x", adjust=(), cluster=None)
    >>> found.p("overall") < 0.001, bool(found.p("bent") > 0.05)
    (True, True)
    """
    check_level(level)
    areas = isinstance(data, Sir)
    words = tuple(adjust) if adjust is not None else () if areas else ("age", "sex")
    if areas and family not in _LAWS:
        raise ParameterError(f"family is {family!r}", ", ".join(_LAWS))
    if quantiles_of not in ("rows", "values"):
        raise ParameterError(f"quantiles_of is {quantiles_of!r}", "rows or values")
    prepare = prepare_areas if areas else prepare_persons
    study = prepare(data, other, [exposure], words, cluster, labels)
    terms = [term for term in (read_adjustment(word, age=age) for word in words) if term.column != exposure]
    study.require([term.column for term in terms], "adjusters")
    used = [exposure, *(term.column for term in terms), *(["cluster"] if study.cluster else [])]
    rows = study.frame.dropna(subset=list(dict.fromkeys(used)))
    if rows.empty:
        raise EstimationError("no row is complete", "rows informed for every term")
    model = _Model(study, rows, terms, "binomial" if not areas else family, level, quantiles_of == "values")
    x = rows[exposure].to_numpy(dtype=float)
    origin = float(np.median(x)) if reference is None else float(reference)
    if not all(x.min() <= value <= x.max() for value in (origin, *at)):
        raise ParameterError(
            "the reference, or a value of at, is outside the values of the exposure", "values between its ends"
        )
    curve, tests, placed = model.follow(exposure, x, knots, origin, at)
    table, trend = model.divide(rows[exposure], classes)
    label = study.labels.get(exposure, {})
    settings = {
        "adjust": [term.describe() for term in terms], "cluster": study.cluster, "knots": list(placed),
        "reference": origin, "classes": classes, "quantiles_of": quantiles_of, "level": level,
        "family": model.law, "rows": len(rows),
        "deciles": [float(value) for value in np.quantile(x, np.arange(1, 10) / 10)],
        "label_en": str(label.get("label_en") or exposure),
        "label_fr": str(label.get("label_fr") or label.get("label_en") or exposure),
        "unit": str(label.get("unit") or ""),
    }  # fmt: skip
    return DoseResponse(
        exposure, curve, table, pd.DataFrame([*tests, trend]), "RR" if areas else "OR", study.design, settings
    )


@dataclass(frozen=True)
class _Model:
    """The rows of a study and how a model is fitted to them."""

    study: Study
    rows: pd.DataFrame
    terms: Sequence[Adjustment]
    law: str
    level: float
    distinct: bool

    def fit(self, columns: pd.DataFrame) -> GlmFit:
        design = pd.concat([columns, build_terms(self.rows, self.terms)], axis=1)
        return fit_glm(
            design,
            self.rows["outcome"],
            family=self.law,  # type: ignore[arg-type]
            offset=np.log(self.rows["expected"]) if self.study.design == "areas" else None,
            clusters=self.rows["cluster"] if self.study.cluster else None,
            model="dose-response",
        )

    def ratio(self, fit: GlmFit, weights: NDArray[np.float64]) -> dict[str, float]:
        estimate, error, degrees = fit.contrast(weights)
        if not error > 0:
            return {"estimate": 1.0, "ci_low": 1.0, "ci_high": 1.0}
        found = wald_interval(estimate, error, log=True, level=self.level, degrees=degrees)
        return {"estimate": float(found.estimate), "ci_low": float(found.low), "ci_high": float(found.high)}

    def follow(
        self, exposure: str, x: NDArray[np.float64], knots: int, reference: float, at: Sequence[float]
    ) -> tuple[pd.DataFrame, list[dict[str, Any]], tuple[float, ...]]:
        placed = place_knots(np.unique(x) if self.distinct else x, knots)
        # Powers are nearly collinear: orthonormal columns of the same curves keep the digits, the first one a line.
        raw = restricted_spline(x, placed)
        basis, triangle = np.linalg.qr(raw - raw.mean(axis=0))
        names = [exposure, *(f"{exposure} bend {i}" for i in range(1, basis.shape[1]))]
        fit = self.fit(pd.DataFrame(basis, index=self.rows.index, columns=names))
        # The reference is a point of the curve, which is 1 there.
        values = np.union1d(
            np.linspace(float(np.quantile(x, ENDS[0])), float(np.quantile(x, ENDS[1])), POINTS), [reference, *at]
        )
        steps = (restricted_spline(values, placed) - restricted_spline([reference], placed)) @ np.linalg.inv(triangle)
        weights = np.zeros((len(values), len(fit.names)))
        weights[:, 1 : 1 + basis.shape[1]] = steps
        curve = pd.DataFrame(
            [{"value": value, **self.ratio(fit, row)} for value, row in zip(values, weights, strict=True)]
        )
        tests = [_told("overall", fit, names), _told("bent", fit, names[1:])]
        return curve, tests, placed

    def divide(self, exposure: pd.Series, classes: int) -> tuple[pd.DataFrame, dict[str, Any]]:
        cut, breaks = cut_quantiles(exposure.drop_duplicates() if self.distinct else exposure, classes)
        levels = list(cut.cat.categories)
        if self.distinct:
            cut = pd.cut(exposure, [-np.inf, *breaks, np.inf], labels=levels)
        bounds = [float(exposure.min()), *breaks, float(exposure.max())]
        medians = exposure.groupby(cut, observed=True).median()
        columns = pd.DataFrame({f"class {name}": (cut == name).astype(float) for name in levels[1:]})
        fit = self.fit(columns)
        cases = self.rows["outcome"].groupby(cut, observed=True).sum()
        rows_in = cut.value_counts()
        table = []
        for place, name in enumerate(levels):
            weights = np.zeros(len(fit.names))
            if place:
                weights[place] = 1.0
            persons = int(rows_in[name] - cases[name]) if self.study.design == "case-control" else pd.NA
            table.append(
                {"class": name, "low": bounds[place], "high": bounds[place + 1], "median": float(medians[name]),
                 "n_cases": int(cases[name]), "n_controls": persons, **self.ratio(fit, weights)}
            )  # fmt: skip
        trend = self.fit(pd.DataFrame({"trend": cut.map(medians).astype(float)}))
        frame = pd.DataFrame(table).astype({"n_cases": "Int64", "n_controls": "Int64"})
        # The outer bounds are the extremes of single places: the classes are open there.
        frame.loc[0, "low"], frame.loc[len(frame) - 1, "high"] = np.nan, np.nan
        return frame, _told("trend", trend, ["trend"])


def _told(name: str, fit: GlmFit, terms: list[str]) -> dict[str, Any]:
    test = fit.wald(terms)
    return {"test": name, "f": test.f, "numerator": test.numerator, "denominator": test.denominator, "p": test.p}

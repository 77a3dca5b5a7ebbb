"""The smallest ratio that a study could find: before it is run, or with the precision that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.association.screen import Screen
from epi.errors import EstimationError, ParameterError
from epi.results import Counted, Release
from epi.stats.notation import format_number
from epi.stats.power import detectable_ratio

if TYPE_CHECKING:
    from epi.association.sir import Lang

PREVALENCES = (0.01, 0.05, 0.1, 0.25, 0.5)
_WORDS = {
    "en": {
        "title": "Smallest ratio that would be found", "sd": "Continuous, per SD", "share": "{:.3g} % exposed",
        "note": "Two-sided Wald test at {alpha}, power {power}.", "effect": " Variance times {}.",
        "precision": " From the standard errors of the screen.",
        "labels": ("Exposure", "Step", "Cases", "Controls", "Detectable above 1", "Detectable below 1"),
    },
    "fr": {
        "title": "Plus petit rapport qui serait trouvé", "sd": "Continue, par ET", "share": "{:.3g} % d'exposés",
        "note": "Test de Wald bilatéral à {alpha}, puissance {power}.", "effect": " Variance multipliée par {}.",
        "precision": " D'après les erreurs types du criblage.",
        "labels": ("Exposition", "Pas", "Cas", "Témoins", "Décelable au-dessus de 1", "Décelable au-dessous de 1"),
    },
}  # fmt: skip


@dataclass(frozen=True)
class DetectableRatios:
    """Smallest ratios that a study finds with given power.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each exposure: `exposure` (a name, ``per SD`` or ``prevalence``), `prevalence` (NaN for a
        continuous one), `step_en`, `step_fr`, `n_cases`, `n_controls` (missing for areas), `ratio_above`
        (infinite when none is), `ratio_below` (0 when none is), and `reason`, empty unless there is none.
    settings : mapping
        What determined them.
    """

    table: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self, lang: Lang = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        Release
            The table; the numbers of persons are protected, with the ratios computed from them.
        """
        words = _WORDS[lang]
        alpha, power = self.settings["alpha"], self.settings["power"]
        level = f"{alpha:.2g}".replace(".", "," if lang == "fr" else ".")
        note = str(words["note"]).format(
            alpha=level, power=f"{100 * power:g}\u00a0%" if lang == "fr" else f"{power:.0%}"
        )
        if self.settings["from"] == "screen":
            note += str(words["precision"])
        elif self.settings["factor"] != 1:
            note += str(words["effect"]).format(format_number(self.settings["factor"], 2, lang=lang))
        other = "fr" if lang == "en" else "en"
        table = self.table.drop(columns=[f"step_{other}"]).rename(columns={f"step_{lang}": "step"})
        names = ("exposure", "step", "n_cases", "n_controls", "ratio_above", "ratio_below")
        ratios = ("ratio_above", "ratio_below")
        counts: tuple[Counted, ...] = (Counted("n_cases", derived=ratios),)
        if table["n_controls"].isna().all():
            table = table.drop(columns="n_controls")
        else:
            counts += (Counted("n_controls", derived=ratios),)
        # The step says what share is exposed; a column that holds nothing says nothing.
        table = table.drop(columns=["prevalence", *(["reason"] if (table["reason"] == "").all() else [])])
        labels = dict(zip(names, words["labels"], strict=True))
        return Release(table, counts, str(words["title"]), note, labels={k: v for k, v in labels.items() if k in table})

    def _repr_html_(self) -> str:
        import html

        release = self.release()
        body = release.table.to_html(index=False, na_rep="–", float_format="{:.3g}".format)
        return f"<p>{html.escape(release.note)}</p>{body}"


def minimum_detectable_ratio(
    cases: float | Screen,
    controls: float | None = None,
    *,
    prevalence: Sequence[float] = PREVALENCES,
    power: float = 0.8,
    alpha: float = 0.05,
    r_squared: float = 0.0,
    design_effect: float = 1.0,
    model: str = "single",
) -> DetectableRatios:
    """Find the smallest ratios that a study would find.

    Parameters
    ----------
    cases : float or Screen
        Number of cases, before a study is run; or a screen, whose standard errors say what it could find:
        with its own spread of exposures, adjustment and clusters.
    controls : float, optional
        Number of controls; None for counts of areas.
    prevalence : sequence of float, optional
        Shares of the source population that are exposed, one row each; a row for one standard deviation of
        a continuous exposure comes first.
    power : float, optional
        Probability of finding the ratio.
    alpha : float, optional
        Level of the two-sided test; divide it by the number of tests for the hardest of a family.
    r_squared : float, optional
        Share of the exposure's variance that the adjusters explain.
    design_effect : float, optional
        Factor of the variance: the dispersion of counts, or the squared ratio of clustered to model errors.
    model : str, optional
        Which model of the screen, with its main set of adjusters.

    Returns
    -------
    DetectableRatios
        Ratios above and below 1.

    Raises
    ------
    EstimationError
        If numbers are not above zero, or the screen has no such model.
    ParameterError
        If an option is out of its bounds, or belongs to the other use.

    Notes
    -----
    See :func:`epi.stats.power.detectable_ratio`. From a screen, the log ratio is Student's quantile plus the
    normal quantile of the power, times the standard error.

    Examples
    --------
    >>> found = minimum_detectable_ratio(800, 1600, prevalence=[0.1])
    >>> found.table[["exposure", "ratio_above", "ratio_below"]].round(2).values.tolist()
    [['per SD', 1.13, 0.89], ['prevalence', 1.45, 0.63]]
    """
    if isinstance(cases, Screen):
        if controls is not None or r_squared != 0 or design_effect != 1:
            raise ParameterError(
                "controls, r_squared or design_effect are given beside a screen",
                "the screen alone: its standard errors hold them",
            )
        return _from_screen(cases, model, power, alpha)
    rows: list[dict[str, Any]] = []
    for share in (None, *prevalence):
        above, below = (
            detectable_ratio(
                cases, controls, prevalence=share, power=power, alpha=alpha, r_squared=r_squared,
                design_effect=design_effect, direction=way,
            )
            for way in (1, -1)
        )  # fmt: skip
        step = {
            lang: str(words["sd"]) if share is None else str(words["share"]).format(100 * share)
            for lang, words in _WORDS.items()
        }
        rows.append({
            "exposure": "per SD" if share is None else "prevalence", "prevalence": np.nan if share is None else share,
            "step_en": step["en"].replace(" %", "%"), "step_fr": step["fr"].replace(".", ","), "n_cases": round(cases),
            "n_controls": pd.NA if controls is None else round(controls), "ratio_above": above, "ratio_below": below,
            "reason": "" if np.isfinite(above) or below > 0 else "no ratio would be found",
        })  # fmt: skip
    factor = design_effect / (1 - r_squared)
    return DetectableRatios(
        pd.DataFrame(rows).astype({"n_cases": "Int64", "n_controls": "Int64"}),
        {"from": "numbers", "power": power, "alpha": alpha, "factor": factor},
    )


def _from_screen(screen: Screen, model: str, power: float, alpha: float) -> DetectableRatios:
    from scipy.stats import norm, t

    if not (0 < alpha < 1 and alpha / 2 < power < 1):
        raise ParameterError(f"power is {power} and alpha {alpha}", "shares between 0 and 1, power above half of alpha")
    screen = screen.within(screen.adjustment_sets[0])
    table = screen.table[screen.table["model"] == model].reset_index(drop=True)
    if table.empty:
        raise EstimationError(f"nothing was estimated in the {model!r} model", "single or joint")
    width = screen.standard_errors().loc[screen.table["model"] == model].to_numpy()
    reach = (t.isf(alpha / 2, table["df"]) + norm.ppf(power)) * width
    found = pd.DataFrame({
        "exposure": table["exposure"], "prevalence": np.nan, "step_en": table["scale_en"],
        "step_fr": table["scale_fr"], "n_cases": table["n_cases"], "n_controls": table["n_controls"],
        "ratio_above": np.exp(reach), "ratio_below": np.exp(-reach), "reason": table["reason"],
    })  # fmt: skip
    return DetectableRatios(found, {"from": "screen", "model": model, "power": power, "alpha": alpha, "factor": 1.0})

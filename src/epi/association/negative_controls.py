"""What the same analysis finds where nothing can be: a control outcome, control exposures.

Lipsitch, Tchetgen Tchetgen and Cohen, Epidemiology 2010;21:383. What shows for a negative control is bias, and
the exposures under study are likely to share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.association.screen import Screen
from epi.association.sir import Lang
from epi.errors import EstimationError, ParameterError
from epi.results import Counted, Release
from epi.stats.empirical_null import LEAST, EmpiricalNull, fit_empirical_null
from epi.stats.intervals import check_level
from epi.stats.notation import format_number

if TYPE_CHECKING:
    from epi.plotting import Chart

ESTIMATES = ("estimate", "ci_low", "ci_high")
CALIBRATED = ("calibrated", "calibrated_low", "calibrated_high", "calibrated_p")
ROLES = ("control outcome", "control exposure", "studied")


@dataclass(frozen=True)
class NegativeControls:
    """Estimates for negative controls, and what they say of the others.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each control and each exposure under study: `role` (one of :data:`ROLES`), `exposure`,
        `label_en`, `label_fr`, `n_cases`, `estimate`, `ci_low`, `ci_high`, `p`; of the exposures under study also
        `calibrated`, `calibrated_low`, `calibrated_high`, `calibrated_p` (the systematic error of the controls taken
        out; missing with fewer than four controls).
    null : EmpiricalNull or None
        Law of the systematic error, when there are controls enough.
    measure : {"OR", "RR"}
        What the ratios are.
    settings : mapping
        What determined them.
    """

    table: pd.DataFrame
    null: EmpiricalNull | None
    measure: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def controls(self) -> pd.DataFrame:
        """Rows of the negative controls."""
        return self.table[self.table["role"] != "studied"]

    @property
    def smallest_p(self) -> float:
        """Smallest p-value of the controls times their number: below 0.05, bias shows, whatever their dependence."""
        p = self.controls["p"].dropna()
        return float(min(1.0, p.min() * len(p)))

    def note(self, lang: Lang = "en") -> str:
        """Say what the controls show.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            A few sentences.
        """
        n, p = len(self.controls), self.smallest_p
        told = f"< {format_number(0.001, 3, lang=lang)}" if p < 0.001 else f"= {format_number(p, 3, lang=lang)}"
        if lang == "fr":
            words = f"{n} contrôles négatifs ; le plus petit p, multiplié par leur nombre, {told}."
            if self.null is None:
                return f"{words} Moins de {LEAST} : rien n'est recalé."
            ratio, spread = (format_number(x, 2, lang=lang) for x in (np.exp(self.null.mean), self.null.spread))
            return (
                f"{words} Erreur systématique : rapport {ratio}, écart-type {spread} (log) ; valeurs recalées selon "
                "Schuemie (2014, 2018). Les contrôles partagent des personnes : leurs erreurs sont liées."
            )
        words = f"{n} negative controls; their smallest p, times their number, {told}."
        if self.null is None:
            return f"{words} Fewer than {LEAST}: nothing is calibrated."
        ratio, spread = (format_number(x, 2, lang=lang) for x in (np.exp(self.null.mean), self.null.spread))
        return (
            f"{words} Systematic error: ratio {ratio}, standard deviation {spread} (log); calibrated after Schuemie "
            "(2014, 2018). Controls share persons: their errors are not independent."
        )

    def release(self, lang: Lang = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        Release
            One row for each control and exposure; an estimate falls with its cases.
        """
        other = "fr" if lang == "en" else "en"
        table = self.table.drop(columns=[f"label_{other}", "exposure"]).rename(columns={f"label_{lang}": "label"})
        derived = [*ESTIMATES, "p", *CALIBRATED]
        empty = [name for name in derived if table[name].isna().all()]
        table = table.drop(columns=empty)
        if lang == "fr":
            names = {"control outcome": "maladie témoin", "control exposure": "exposition témoin", "studied": "étudiée"}
            table["role"] = table["role"].map(names)
        title = {"en": "Negative controls", "fr": "Contrôles négatifs"}[lang]
        words = {
            "en": ("Role", "Exposure", "Cases", self.measure, "Low", "High", "p", "Calibrated", "Low", "High",
                   "Calibrated p"),
            "fr": ("Rôle", "Exposition", "Cas", self.measure, "Basse", "Haute", "p", "Recalé", "Basse", "Haute",
                   "p recalé"),
        }[lang]  # fmt: skip
        labels = dict(zip(("role", "label", "n_cases", *derived), words, strict=True))
        kept = tuple(name for name in derived if name in table)
        return Release(table, (Counted("n_cases", derived=kept),), title, self.note(lang),
                       labels={name: word for name, word in labels.items() if name in table})  # fmt: skip

    def chart_controls(self, *, lang: Lang = "en") -> Chart:
        """Draw controls and exposures with the band in which the systematic error of one more control would lie.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            Ratios on a logarithmic scale.
        """
        from epi.association.negative_controls_chart import draw_controls

        return draw_controls(self, lang)

    def _repr_html_(self) -> str:
        import html

        body = self.table.to_html(index=False, na_rep="–", float_format="{:.3g}".format)
        return f"<p>{html.escape(self.note())}</p>{body}"


def check_negative_controls(
    screen: Screen, *, outcome: Screen | None = None, exposures: Screen | None = None, level: float = 0.95
) -> NegativeControls:
    """Set the estimates of a screen against what the same analysis finds for negative controls.

    Parameters
    ----------
    screen : Screen
        The exposures under study; one exposure at a time, main set of adjusters.
    outcome : Screen, optional
        The same exposures for an outcome that they cannot cause.
    exposures : Screen, optional
        Exposures that cannot cause the outcome, for the outcome under study. Both are to be declared before the
        data are looked at.
    level : float, optional
        Level of the limits that are computed here.

    Returns
    -------
    NegativeControls
        The controls, and the exposures with their calibrated and relative estimates.

    Raises
    ------
    EstimationError
        If no control could be estimated.
    ParameterError
        If there is no control, or they are of another measure than the screen.

    Notes
    -----
    The calibrated estimate takes away the mean error of the controls and adds the spread of it to the limits. Errors of
    controls are taken as independent; those that share persons are not, and make the mean look a little surer than it
    is. It is a sensitivity analysis: the estimates of the screen stay the result.
    """
    check_level(level)
    if outcome is None and exposures is None:
        raise ParameterError("there is no negative control", "a screen of a control outcome, or of control exposures")
    for other in (outcome, exposures):
        if other is not None and other.measure != screen.measure:
            raise ParameterError(
                f"controls are {other.measure}, the screen is {screen.measure}", "screens of the same design"
            )
    both = sorted(set(_rows(exposures)["exposure"]) & set(_rows(screen)["exposure"])) if exposures is not None else []
    if both:
        raise ParameterError(f"{', '.join(both)} cannot be both control and studied", "exposures that are apart")
    studied = _rows(screen)
    given = [(_rows(one), role) for one, role in ((outcome, ROLES[0]), (exposures, ROLES[1])) if one is not None]
    parts = [frame.assign(role=role) for frame, role in given if len(frame)]
    if not parts:
        raise EstimationError("no negative control could be estimated", "controls with cases enough")
    controls = pd.concat(parts, ignore_index=True)
    null = fit_empirical_null(controls["log"], controls["error"]) if len(controls) >= LEAST else None
    found: list[dict[str, Any]] = []
    for row in studied.to_dict("records"):
        values = {name: float("nan") for name in CALIBRATED}
        if null is not None:
            log, low, high = null.interval(row["log"], row["error"], level)
            ends = (*map(float, np.exp([log, low, high])), null.p(row["log"], row["error"]))
            values = dict(zip(CALIBRATED, ends, strict=True))
        found.append({**{str(name): value for name, value in row.items()}, "role": ROLES[2], **values})
    table = pd.concat([controls, pd.DataFrame(found)], ignore_index=True)
    order = ["role", "exposure", "label_en", "label_fr", "n_cases", *ESTIMATES, "p", *CALIBRATED]
    settings = {"level": level, "adjust": list(screen.settings["adjust"]), "controls": len(controls)}
    return NegativeControls(table.reindex(columns=order), null, screen.measure, settings)


def _rows(screen: Screen) -> pd.DataFrame:
    """Keep the fitted models of one exposure at a time, with their log ratio and its error."""
    table = screen.within(screen.adjustment_sets[0])
    rows = table.table.assign(error=table.standard_errors(), log=np.log(table.table["estimate"]))
    kept = rows[(rows["model"] == "single") & (rows["reason"] == "")]
    names = ["exposure", "label_en", "label_fr", "unit_size", "n_cases", *ESTIMATES, "p", "log", "error"]
    return kept[names].reset_index(drop=True)

"""What several exposures together say: their ratios in one regression, shrunk, and averaged over models.

Exposures that go together cannot be told apart by one regression alone. Beside it stand how much they inflate each
other's variance, what shrinkage keeps of each, how often half of the clusters would keep it, and its probability over
all the models that the exposures can make. None of these is a test: no p-value comes from a selection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from epi.association.screen import FEW_CLUSTERS
from epi.errors import ParameterError
from epi.results import Counted, Release
from epi.stats.notation import format_number

if TYPE_CHECKING:
    from epi.association.sir import Lang
    from epi.plotting import Chart

ESTIMATES = ("estimate", "ci_low", "ci_high", "df", "shrunk", "stability", "inclusion", "averaged")
_LABELS = {
    "en": {
        "exposure": "Exposure", "label": "Name", "scale": "Step", "n": "Rows", "n_cases": "Cases",
        "n_controls": "Controls", "vif": "VIF", "ci_low": "Low", "ci_high": "High", "shrunk": "Shrunk",
        "stability": "Kept by random halves", "inclusion": "Probability of inclusion", "averaged": "Averaged",
        "warning": "Warning", "clusters": "Clusters", "unit_size": "Step size",
    },
    "fr": {
        "exposure": "Exposition", "label": "Nom", "scale": "Pas", "n": "Lignes", "n_cases": "Cas",
        "n_controls": "Témoins", "vif": "VIF", "ci_low": "Bas", "ci_high": "Haut", "shrunk": "Rétréci",
        "stability": "Gardée par des moitiés au hasard", "inclusion": "Probabilité d'inclusion", "averaged": "Moyenné",
        "warning": "Mise en garde", "clusters": "Grappes", "unit_size": "Taille du pas",
    },
}  # fmt: skip


@dataclass(frozen=True)
class JointModel:
    """Several exposures in one regression, with what shrinkage and averaging over models make of them.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each exposure: `exposure`, `label_en`, `label_fr`, `scale_en`, `scale_fr`, `unit_size`, `n`,
        `n_cases`, `n_controls` (missing for areas), `clusters`, `vif`, `estimate`, `ci_low`, `ci_high` and `df` (one
        regression, not penalised, as the screen's joint model), `shrunk` (ratio of the elastic net), `stability`
        (share of the halves of the clusters whose elastic net keeps it; missing for ridge), `inclusion` (posterior
        probability), `averaged` (ratio of the posterior mean), and `warning`.
    models : pandas.DataFrame
        The most probable models: `exposures`, `probability`, `bic` (difference from the best).
    measure : {"OR", "RR"}
        What the ratios are.
    design : {"case-control", "areas"}
        Where they come from.
    settings : mapping
        What determined them, with ``condition``: condition number of the standardised exposures (largest over smallest
        singular value; above 30 they cannot be told apart: Belsley, Kuh and Welsch 1980).
    """

    table: pd.DataFrame
    models: pd.DataFrame
    measure: Literal["OR", "RR"]
    design: Literal["case-control", "areas"]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def of(self, exposure: str) -> pd.Series:
        """Give the row of one exposure.

        Parameters
        ----------
        exposure : str
            Its name.

        Returns
        -------
        pandas.Series
            The row.

        Raises
        ------
        ParameterError
            If it is not in the model.
        """
        rows = self.table[self.table["exposure"] == exposure]
        if len(rows) != 1:
            raise ParameterError(f"{exposure!r} is not in the model", ", ".join(self.table["exposure"]))
        return rows.iloc[0]

    def note(self, lang: Lang = "en") -> str:
        """Say what was done.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            A few sentences, without a figure that rests on persons.
        """
        told = self.settings
        condition = format_number(told["condition"], 1, lang=lang)
        mix = format_number(told["mix"], 2, lang=lang)
        adjusted = ", ".join(told["adjust"])
        clusters = str(told["cluster"] or "").replace("_", " ")
        if lang == "fr":
            name = "ridge" if told["mix"] == 0 else f"elastic net (part du lasso {mix})"
            errors = f"erreurs robustes par {clusters}" if clusters else "erreurs du modèle"
            parts = f"{told['folds']} parts" + (" de grappes" if clusters else "")
            dispersed = ", corrigé de la dispersion" if told["dispersed"] else ""
            return (
                f"Toutes les expositions dans une régression, {errors} ; conditionnement {condition}. Rétréci : {name}"
                f", pénalité par validation croisée en {parts}. Stabilité : {told['halves']} moitiés tirées au hasard "
                "(Meinshausen et Bühlmann 2010). Probabilités d'inclusion : BIC de tous les sous-ensembles"
                f"{dispersed}, lignes indépendantes. Ajustement : {adjusted or 'aucun'}. Aucune de ces valeurs n'est "
                "un test."
            )
        name = "ridge" if told["mix"] == 0 else f"elastic net (share of the lasso {mix})"
        errors = f"errors robust by {clusters}" if clusters else "model errors"
        parts = f"{told['folds']} parts" + (" of the clusters" if clusters else "")
        dispersed = ", corrected for dispersion" if told["dispersed"] else ""
        return (
            f"All exposures in one regression, {errors}; condition number {condition}. Shrunk: {name}, penalty by "
            f"cross-validation over {parts}. Stability: {told['halves']} halves drawn at random (Meinshausen and "
            f"Bühlmann 2010). Probabilities of inclusion: BIC of all subsets{dispersed}, rows independent. Adjusted "
            f"for: {adjusted or 'nothing'}. None of these is a test."
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
            One row an exposure; persons are protected, and what was estimated falls with them.
        """
        other = "fr" if lang == "en" else "en"
        table = self.table.drop(columns=[f"label_{other}", f"scale_{other}"])
        table = table.rename(columns={f"label_{lang}": "label", f"scale_{lang}": "scale"})
        table["warning"] = table["warning"].where(table["warning"] == "", FEW_CLUSTERS[lang])
        not_counts: tuple[str, ...] = ("clusters", "unit_size")
        if self.design == "areas":
            table = table.drop(columns="n_controls")
            counts: tuple[Counted, ...] = (Counted("n_cases", derived=ESTIMATES),)
            not_counts += ("n",)
        else:
            counts = (
                Counted("n_cases", of="n", derived=(*ESTIMATES, "n_controls")),
                Counted("n_controls", of="n", derived=(*ESTIMATES, "n_cases")),
            )
        title = {"en": "Exposures together", "fr": "Les expositions ensemble"}[lang]
        labels = {name: word for name, word in {**_LABELS[lang], "estimate": self.measure}.items() if name in table}
        return Release(table, counts, title, self.note(lang), not_counts, labels)

    def chart(self, *, lang: Lang = "en") -> Chart:
        """Draw the ratios of one regression beside the shrunk and averaged ones, and the shares at the right.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            The picture.
        """
        from epi.association.joint_chart import draw_joint

        return draw_joint(self, lang)

    def _repr_html_(self) -> str:
        import html

        shown = self.release().table.rename(columns={"estimate": self.measure})
        body = shown.to_html(index=False, na_rep="–", float_format="{:.3g}".format)
        return f"<p>{html.escape(self.note())}</p>{body}"

"""What a screen says of itself: what was done, in one or two sentences, and its table with headings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epi.association.screen import DAGGER, ESTIMATES, FEW_CLUSTERS, SPATIAL
from epi.results import Counted, Release

if TYPE_CHECKING:
    from epi.association.screen import Screen
    from epi.association.sir import Lang

_LAWS = {
    "Logistic": "logistique", "Poisson": "de Poisson", "Quasi-poisson": "quasi-Poisson",
    "Negative-binomial": "binomiale négative",
}  # fmt: skip
HEADINGS: dict[str, dict[str, str]] = {
    "adjustment_set": {"en": "Adjustment", "fr": "Ajustement"},
    "exposure": {"en": "Exposure", "fr": "Exposition"},
    "model": {"en": "Model", "fr": "Modèle"},
    "label": {"en": "Name", "fr": "Nom"},
    "scale": {"en": "Step", "fr": "Pas"},
    "ci_low": {"en": "Low", "fr": "Bas"},
    "ci_high": {"en": "High", "fr": "Haut"},
    "q_by": {"en": "q (BY)", "fr": "q (BY)"},
    "estimate_spatial": {"en": "Spatial", "fr": "Spatial"},
    "ci_low_spatial": {"en": "Spatial low", "fr": "Spatial bas"},
    "ci_high_spatial": {"en": "Spatial high", "fr": "Spatial haut"},
    "p_spatial": {"en": "p spatial", "fr": "p spatial"},
    "q_spatial": {"en": "q spatial", "fr": "q spatial"},
    "p_family": {"en": "p family", "fr": "p famille"},
    "unit_size": {"en": "Step size", "fr": "Taille du pas"},
    "n_cases": {"en": "Cases", "fr": "Cas"},
    "n_controls": {"en": "Controls", "fr": "Témoins"},
    "areas": {"en": "Areas", "fr": "Territoires"},
    "clusters": {"en": "Clusters", "fr": "Grappes"},
    "reason": {"en": "Why not", "fr": "Pourquoi non"},
    "warning": {"en": "Warning", "fr": "Mise en garde"},
}


def describe_screen(screen: Screen, lang: Lang) -> str:
    """Say which model, adjusters, tests and corrections a screen has.

    Parameters
    ----------
    screen : Screen
        The screen.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    str
        One or two sentences.
    """
    done = ", ".join(f"{count} ({model})" for model, count in screen.n_tests.items())
    what, clusters = str(screen.settings["model"]), str(screen.settings["cluster"] or "").replace("_", " ")
    few = int((screen.table["warning"] != "").sum())
    nothing = {"fr": "aucun", "en": "nothing"}[lang]
    told = {name: ", ".join(words) or nothing for name, words in screen.settings["adjustment_sets"].items()}
    adjusted = "; ".join(f"{name}: {words}" for name, words in told.items()) if len(told) > 1 else told.popitem()[1]
    spatial = screen.settings.get("spatial")
    if lang == "fr":
        random = (
            f" p_spatial : {spatial['draws']} cartes tirées au hasard avec l'autocorrélation de l'exposition "
            "(randomisation spectrale de Moran), dont l'inversion donne les limites spatiales ; q_spatial : "
            "Benjamini-Hochberg ; p_family : Westfall-Young."
            if spatial
            else ""
        )
        errors = f"erreurs robustes par {clusters} (CR2, degrés de liberté df)" if clusters else "erreurs du modèle"
        law, _, offset = what.partition(" regression")
        what = f"Régression {_LAWS.get(law, law)}" + (", offset : log des cas attendus" if offset else "")
        rows = f"{few} ligne" + ("s" if few > 1 else "")
        return (
            f"{what}, {errors}. Ajustement : {adjusted}. Nombre de tests : {done} ; "
            f"q de Benjamini-Hochberg dans chaque modèle (q_by : Benjamini-Yekutieli).{random}"
            + (f" {DAGGER} {FEW_CLUSTERS['fr']} ({rows}) : ne pas s'y fier." if few else "")
        )
    random = (
        f" p_spatial: {spatial['draws']} random maps with the autocorrelation of the exposure (Moran spectral "
        "randomisation), inverted for the spatial limits; q_spatial: Benjamini-Hochberg; p_family: Westfall-Young."
        if spatial
        else ""
    )
    errors = (
        f"standard errors robust to clusters by {clusters} (CR2, degrees of freedom df)"
        if clusters
        else "model standard errors"
    )
    return (
        f"{what}, {errors}. Adjusted for: {adjusted}. Number of tests: {done}; "
        f"Benjamini-Hochberg q within each model (q_by: Benjamini-Yekutieli).{random}"
        + (f" {DAGGER} {FEW_CLUSTERS['en']} ({few} row{'s' if few > 1 else ''}): not to be relied on." if few else "")
    )


def release_screen(screen: Screen, lang: Lang) -> Release:
    """Say what of a screen would be published.

    Parameters
    ----------
    screen : Screen
        The screen.
    lang : {"fr", "en"}
        Language of labels.

    Returns
    -------
    Release
        One row a test, the ratios first, then what they rest on; persons are protected, an estimate falls with its
        cases.
    """
    other = "fr" if lang == "en" else "en"
    table = screen.table.drop(columns=[f"label_{other}", f"scale_{other}"])
    if len(screen.adjustment_sets) == 1:
        table = table.drop(columns="adjustment_set")
    table = table.rename(columns={f"label_{lang}": "label", f"scale_{lang}": "scale"})
    table["warning"] = table["warning"].where(table["warning"] == "", FEW_CLUSTERS[lang])
    derived = (*ESTIMATES, *(name for name in SPATIAL if name in table))
    not_counts: tuple[str, ...] = ("clusters", "unit_size", *(("areas",) if "areas" in table else ()))
    if screen.design == "case-control":
        counts: tuple[Counted, ...] = (
            Counted("n_cases", of="n", derived=(*derived, "n_controls")),
            Counted("n_controls", of="n", derived=(*derived, "n_cases")),
        )
    else:
        table = table.drop(columns="n_controls")
        counts = (Counted("n_cases", derived=derived),)
        not_counts = ("n", *not_counts)
    names = ("adjustment_set", "exposure", "model", "label", "scale", *derived)
    first = [name for name in names if name in table]
    table = table[[*first, *(name for name in table if name not in first)]]
    labels = {name: words[lang] for name, words in HEADINGS.items() if name in table}
    title = {"en": "Exposure-wide screen", "fr": "Criblage des expositions"}[lang]
    return Release(table, counts, title, screen.note(lang), not_counts, labels={**labels, "estimate": screen.measure})

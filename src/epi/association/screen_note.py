"""What was done in a screen, in one or two sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epi.association.screen import DAGGER, FEW_CLUSTERS

if TYPE_CHECKING:
    from epi.association.screen import Screen
    from epi.association.sir import Lang


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
    what, clusters = str(screen.settings["model"]), screen.settings["cluster"]
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
        return (
            f"{what}, {errors}. Ajustement : {adjusted}. Nombre de tests : {done} ; "
            f"q de Benjamini-Hochberg dans chaque modèle (q_by : Benjamini-Yekutieli).{random}"
            + (f" {DAGGER} {FEW_CLUSTERS['fr']} ({few} lignes) : ne pas s'y fier." if few else "")
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
        + (f" {DAGGER} {FEW_CLUSTERS['en']} ({few} rows): not to be relied on." if few else "")
    )

"""What a dose-response says of itself: what was done, and what its tests say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epi.stats.notation import format_number

if TYPE_CHECKING:
    from epi.association.dose_response import DoseResponse
    from epi.association.sir import Lang


def describe_dose_response(found: DoseResponse, lang: Lang, tests: bool) -> str:
    """Say which curve was fitted, and what its tests say.

    Parameters
    ----------
    found : DoseResponse
        The result.
    lang : {"fr", "en"}
        Language.
    tests : bool
        Give the p-values.

    Returns
    -------
    str
        A few sentences.
    """
    settings = found.settings
    p = {name: _p_words(found.p(name), lang) for name in ("overall", "bent", "trend")}
    knots, reference = len(settings["knots"]), format_number(settings["reference"], 2, lang=lang)
    adjusted = ", ".join(settings["adjust"])
    if lang == "fr":
        told = (
            f" Association : p {p['overall']} ; écart à une droite : p {p['bent']} ; tendance des classes : "
            f"p {p['trend']}."
        )
        return (
            f"Spline cubique restreinte à {knots} nœuds, référence {reference} ; limites en chaque point à "
            f"{100 * settings['level']:g} %.{told if tests else ''} Ajustement : {adjusted or 'aucun'}."
        )
    told = (
        f" Association: p {p['overall']}; departure from a line: p {p['bent']}; trend of the classes: p {p['trend']}."
    )
    return (
        f"Restricted cubic spline with {knots} knots, reference {reference}; pointwise limits at "
        f"{settings['level']:.0%}.{told if tests else ''} Adjusted for: {adjusted or 'nothing'}."
    )


def _p_words(p: float, lang: Lang) -> str:
    if not np.isfinite(p):
        return {"en": "not known (too few clusters)", "fr": "inconnue (trop peu de grappes)"}[lang]
    return (
        f"< {format_number(0.001, 3, lang=lang)}"
        if p < 0.001
        else f"= {format_number(p, 3 if p < 0.1 else 2, lang=lang)}"
    )

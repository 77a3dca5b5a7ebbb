"""Themes of exposures and words of the same meaning, in French and English, for searching a catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from epi.geography.communes import fold

if TYPE_CHECKING:
    from epi.exposure.catalogue import VariableInfo

THEMES: dict[str, dict[str, str]] = {
    "air": {"en": "Air quality", "fr": "Qualité de l'air"},
    "water": {"en": "Drinking water", "fr": "Eau potable"},
    "industry": {"en": "Industry and emissions", "fr": "Industrie et émissions"},
    "soil": {"en": "Polluted soils", "fr": "Sols pollués"},
    "agriculture": {"en": "Agriculture and pesticides", "fr": "Agriculture et pesticides"},
    "radiation": {"en": "Radon and radiation", "fr": "Radon et rayonnements"},
    "land": {"en": "Land cover", "fr": "Occupation du sol"},
    "social": {"en": "Social situation", "fr": "Situation sociale"},
    "settlement": {"en": "Population and settlement", "fr": "Population et peuplement"},
    "care": {"en": "Health care", "fr": "Offre de soins"},
    "other": {"en": "Other", "fr": "Autre"},
}
"""Themes, and their names."""

# A theme is recognised by stems in the name, labels and source of a variable, in this order.
_STEMS: dict[str, tuple[str, ...]] = {
    "water": ("water", "eau potable", "eau du robinet", "sise eaux", "nitrate"),
    "air": ("pm25", "pm10", "no2", "o3 ", "o3_", "so2", "ozone", "particule", "particle", "air ", "diox"),
    "radiation": ("radon", "radiation", "rayonnement", "uranium"),
    "soil": ("basol", "basias", "casias", "polluted site", "sites et sols", "soil"),
    "industry": ("industr", "irep", "icpe", "seveso", "emitt", "emission", "installation classee"),
    "agriculture": ("pesticid", "agricol", "agricult", "crop", "culture", "bnv", "vigne", "vineyard"),
    "land": ("tree", "arbor", "impervious", "impermeabil", "land cover", "green", "vegetation"),
    "care": ("practitioner", "medecin", "centre", "hospital", "hopita", "apl", "health facilit", "professional"),
    "social": ("depriv", "defavoris", "fdep", "edi", "income", "revenu", "unemploy", "chomage", "gini", "worker",
               "ouvrier", "poverty", "pauvrete", "bac", "social housing", "logements sociaux"),
    "settlement": ("density", "densite", "population", "rural", "urban", "urbain"),
}  # fmt: skip

_SAME: tuple[tuple[str, ...], ...] = (
    ("air", "atmosphere", "atmospheric", "atmospherique"),
    ("water", "eau", "aqua"),
    ("pollution", "pollutant", "polluant", "polluted", "pollue", "contamination"),
    ("particle", "particule", "particulate", "pm25", "pm10", "pm2", "fine"),
    ("no2", "nitrogen", "azote"),
    ("ozone", "o3"),
    ("deprivation", "defavorisation", "disadvantage", "desavantage", "fdep", "deprived", "defavorise", "precarite"),
    ("income", "revenu", "revenue", "wealth", "richesse"),
    ("poverty", "pauvrete", "poor"),
    ("unemployment", "chomage"),
    ("education", "diploma", "diplome", "bac"),
    ("density", "densite", "urbanicity", "urbanicite", "urbanisation", "rural", "ruralite"),
    ("industry", "industrial", "industrie", "industriel", "factory", "usine", "seveso", "icpe", "irep", "emitter",
     "emetteur"),
    ("soil", "sol", "sols"),
    ("pesticide", "pesticides", "phytosanitaire", "herbicide", "agriculture", "agricole"),
    ("tree", "arbre", "arbore", "green", "vert", "verdure", "vegetation", "greenness", "foret", "forest"),
    ("impervious", "impermeabilise", "impermeabilisation", "built", "artificialise", "artificialisation"),
    ("doctor", "medecin", "practitioner", "gp", "generaliste"),
    ("care", "soin", "soins", "health", "sante"),
    ("distance", "proximity", "proximite", "nearest", "proche"),
    ("nitrate", "nitrates"),
    ("temperature", "climate", "climat"),
    ("noise", "bruit"),
    ("radon", "radiation", "rayonnement"),
    ("site", "sites"),
    ("waste", "dechet", "dechets"),
)  # fmt: skip

_SMALL = frozenset(
    "a au aux d de des du en et l la le les of the in on to and par pour un une for or ou".split()  # noqa: SIM905
)
# Words of a theme as such: asking for them finds all that the theme holds.
_ABOUT_THEMES: dict[str, tuple[str, ...]] = {
    "air": ("air", "atmosphere", "atmospheric", "atmospherique", "pollution", "pollutant", "polluant", "qualite",
            "quality"),
    "water": ("water", "eau", "drinking", "potable", "pollution", "quality", "qualite"),
    "soil": ("soil", "sol", "sols", "pollution", "polluted", "pollue"),
    "industry": ("industry", "industrial", "industrie", "industriel", "emission", "emissions", "pollution"),
    "agriculture": ("agriculture", "agricole", "pesticide", "pesticides"),
    "radiation": ("radon", "radiation", "rayonnement"),
    "land": ("land", "cover", "occupation", "sol", "green", "vegetation", "environment", "environnement"),
    "social": ("social", "socioeconomic", "socio", "economic", "deprivation", "defavorisation", "poverty", "pauvrete",
               "inequality", "inegalite", "inequalities", "inegalites"),
    "settlement": ("population", "urban", "rural", "settlement", "peuplement"),
    "care": ("care", "health", "soin", "soins", "sante", "access", "acces", "accessibility", "accessibilite"),
}  # fmt: skip


def theme_of(variable: VariableInfo) -> str:
    """Find the theme of a variable: the one given, or the first whose words are in its name, labels or source.

    Parameters
    ----------
    variable : VariableInfo
        The variable.

    Returns
    -------
    str
        A key of :data:`THEMES`; ``other`` where none is recognised.

    Raises
    ------
    KeyError
        Never: an unknown theme given is kept as it is.
    """
    if variable.theme:
        return variable.theme
    text = _plain(f"{variable.name.replace('_', ' ')} {variable.label_en} {variable.label_fr}")
    for theme, stems in _STEMS.items():
        if any(f" {stem.replace('_', ' ')}" in f" {text} " for stem in stems):
            return theme
    return "other"


def find_matches(table: pd.DataFrame, text: str) -> pd.Series:
    """Tell which variables hold every word of a text, or one of the same meaning.

    Parameters
    ----------
    table : pandas.DataFrame
        A catalogue's table.
    text : str
        Words in French or English.

    Returns
    -------
    pandas.Series
        One truth value for each row.
    """
    columns = ["name", "label_en", "label_fr", "source", "producer", "direction_note", "theme"]
    hay = fold(table[columns].agg(" ".join, axis=1))
    spaced = " " + hay + " "
    keep = pd.Series(True, index=table.index)
    for word in _plain(text).split():
        if word in _SMALL:
            continue
        found = hay.str.contains(word, regex=False)
        for group in _SAME:
            if word in group:
                for other in group:
                    # A short word is looked for whole, a long one at the beginning of a word.
                    found |= spaced.str.contains(f" {other} " if len(other) < 5 else f" {other}", regex=False)
        for theme, words in _ABOUT_THEMES.items():
            if word in words:
                found |= table["theme"] == theme
        keep &= found
    return keep


def _plain(text: str) -> str:
    return str(fold(pd.Series([text])).iloc[0])

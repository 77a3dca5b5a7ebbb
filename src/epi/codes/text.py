"""Text comparison for labels: case, accents and ligatures do not matter."""

from __future__ import annotations

import re
import unicodedata

_LIGATURES = str.maketrans({"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ß": "ss"})


def fold(text: str) -> str:
    """Reduce a text to what a search compares.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        Lower case, without accents, punctuation as single spaces.

    Examples
    --------
    >>> fold("Sclérose latérale-amyotrophique")
    'sclerose laterale amyotrophique'
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(_LIGATURES))
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return re.sub(r"[^0-9a-zα-ω]+", " ", plain.casefold()).strip()

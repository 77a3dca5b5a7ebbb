"""The words of a definition, in English and French, beside the values they stand for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from epi.errors import CohortError, ParameterError

Lang = Literal["en", "fr"]


@dataclass(frozen=True)
class Text:
    """A sentence in both languages.

    Parameters
    ----------
    en, fr : str
        The sentence.
    """

    en: str
    fr: str

    def get(self, lang: str) -> str:
        """Give the sentence in a language.

        Parameters
        ----------
        lang : {"en", "fr"}
            The language.

        Returns
        -------
        str
            The sentence.
        """
        return self.fr if lang == "fr" else self.en


STATUSES = {
    "ongoing": Text("ongoing", "en cours"),
    "probable": Text("probable", "probable"),
    "confirmed": Text("confirmed", "confirmé"),
    "undetermined": Text("undetermined", "indéterminé"),
    "carrier": Text("carrier", "porteur sain"),
    "refuted": Text("refuted", "réfuté"),
}
CONTEXTS = {
    "consultation": Text("consultation", "consultation"),
    "multidisciplinary_consultation": Text("multidisciplinary consultation", "consultation pluridisciplinaire"),
    "day_hospital": Text("day hospital", "hôpital de jour"),
    "inpatient": Text("inpatient stay", "hospitalisation"),
    "teleconsultation": Text("teleconsultation", "téléconsultation"),
    "ward_opinion": Text("opinion on ward", "avis en salle"),
    "other": Text("other context", "autre contexte"),
    "expert_opinion": Text("expert opinion on a file", "avis d'expertise sur dossier"),
    "file_opinion_in_consultation": Text("opinion on file", "avis sur dossier en consultation"),
    "rcp_local": Text("local RCP", "RCP locale"),
    "rcp_national": Text("national RCP", "RCP nationale"),
}
ON_FILE = frozenset({"expert_opinion", "file_opinion_in_consultation", "rcp_local", "rcp_national"})
CONTEXT_SETS = {
    "with_patient": frozenset(CONTEXTS) - ON_FILE,
    "face_to_face": frozenset(CONTEXTS) - ON_FILE - {"teleconsultation", "other"},
    "any": frozenset(CONTEXTS),
}
CONTEXT_SET_WORDS = {
    "with_patient": Text("opinions on file and RCP left out", "hors avis sur dossier et RCP"),
    "face_to_face": Text("face to face only", "en présence du patient seulement"),
    "any": Text("any context", "tous contextes"),
}
CENTRES = {
    "CRMR_coordinator": Text("coordinating reference centre", "CRMR coordonnateur"),
    "CRMR_constitutive": Text("constitutive reference centre", "CRMR constitutif"),
    "CCMR": Text("competence centre", "centre de compétence"),
    "CRC": Text("resource and competence centre", "centre de ressources et de compétences"),
}
SEXES = {"F": Text("female", "féminin"), "M": Text("male", "masculin"), "UNK": Text("unknown", "inconnu")}


def join_words(words: Iterable[str], lang: str = "en", last: str = "") -> str:
    """Join words as a sentence does.

    Parameters
    ----------
    words : iterable of str
        The words.
    lang : {"en", "fr"}, optional
        The language of the last joint.
    last : str, optional
        Another last joint.

    Returns
    -------
    str
        ``a, b or c``.

    Examples
    --------
    >>> join_words(["a", "b", "c"])
    'a, b or c'
    """
    items = list(words)
    joint = last or {"fr": "ou"}.get(lang, "or")
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {joint} {items[-1]}"


def choose(given: str | Iterable[str], allowed: dict[str, Text], what: str) -> frozenset[str]:
    """Check a set of values against those that exist.

    Parameters
    ----------
    given : str or iterable of str
        One value or several.
    allowed : dict
        Values that exist.
    what : str
        What they are, for the message.

    Returns
    -------
    frozenset of str
        The values.

    Raises
    ------
    CohortError
        If one does not exist, or none is given.
    """
    values = frozenset([given] if isinstance(given, str) else given)
    unknown = sorted(str(value) for value in values if value not in allowed)
    if unknown or not values:
        arrived = f"{what} {', '.join(map(repr, unknown))} does not exist" if unknown else f"no {what} is given"
        raise CohortError(arrived, f"one or several of {', '.join(allowed)}")
    return values


def read_day(value: str | dt.date, what: str) -> dt.date:
    """Read a day.

    Parameters
    ----------
    value : str or datetime.date
        ``"2012-01-01"`` or a date.
    what : str
        What it is, for the message.

    Returns
    -------
    datetime.date
        The day.

    Raises
    ------
    ParameterError
        If it is not a whole date.

    Examples
    --------
    >>> read_day("2012-01-01", "start")
    datetime.date(2012, 1, 1)
    """
    if isinstance(value, dt.datetime):
        value = value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{what} is {value!r}", "a date such as 2012-01-01") from error


def read_period(start: str | dt.date, end: str | dt.date) -> tuple[dt.date, dt.date]:
    """Read a period, both days included.

    Parameters
    ----------
    start, end : str or datetime.date
        First and last day.

    Returns
    -------
    tuple of datetime.date
        First and last day.

    Raises
    ------
    ParameterError
        If a date is wrong or the end comes first.
    """
    first, last = read_day(start, "start"), read_day(end, "end")
    if last < first:
        raise ParameterError(f"the period ends ({last}) before it starts ({first})", "start, then end")
    return first, last


def period_words(start: dt.date, end: dt.date) -> Text:
    """Say a period.

    Parameters
    ----------
    start, end : datetime.date
        First and last day.

    Returns
    -------
    Text
        Both days, said to be included.
    """
    return Text(f"from {start} to {end}, both days included", f"du {start:%d/%m/%Y} au {end:%d/%m/%Y}, bornes incluses")

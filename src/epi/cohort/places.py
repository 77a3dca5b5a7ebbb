"""Where patients live: recorded commune codes brought to today's communes and places."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from epi.cohort.wording import Text
from epi.errors import CohortError, ParameterError
from epi.geography import belongs_to, names_of, read_communes, to_current

ALIASES = {
    "france metropolitaine": "metropolitan France",
    "metropole": "metropolitan France",
    "overseas": "overseas France",
    "outre mer": "overseas France",
    "outre-mer": "overseas France",
    "france métropolitaine": "metropolitan France",
}
_FRENCH = {"metropolitan France": "France métropolitaine", "overseas France": "France d'outre-mer"}
_INSEE = re.compile(r"[0-9]{5}|2[AB][0-9]{3}")
_DEPARTEMENT = re.compile(r"[0-9]{2}|2[AB]|97[1-6]")


def read_places(places: Sequence[str]) -> tuple[str, ...]:
    """Check names of places and write them one way.

    Parameters
    ----------
    places : sequence of str
        ``"metropolitan France"``, ``"overseas France"``, ``"France"``, names of régions or
        départements, ``"departement:69"``, ``"region:84"``, or INSEE codes of communes.

    Returns
    -------
    tuple of str
        Names that :func:`epi.geography.belongs_to` reads.

    Raises
    ------
    CohortError
        If a place does not exist, or a code could be both a région and a département; all faults.

    Examples
    --------
    >>> read_places(["outre-mer", "38185"])
    ('overseas France', 'commune:38185')
    """
    if not places:
        raise CohortError("no place is given", "a place such as 'metropolitan France' or 'Savoie'")
    read, faults = [], []
    for place in places:
        name = ALIASES.get(str(place).strip().lower(), str(place).strip())
        if _DEPARTEMENT.fullmatch(name):
            faults.append(f"{name!r} is a région or a département: write 'departement:{name}' or 'region:{name}'")
            continue
        if _INSEE.fullmatch(name):
            name = f"commune:{name}"
        try:
            belongs_to([], name)
        except ParameterError as error:
            faults.append(error.arrived)
            continue
        read.append(name)
    if faults:
        raise CohortError(
            f"{len(faults)} place(s) cannot be read",
            "'metropolitan France', 'overseas France', the name of a région or département, "
            "'departement:69', 'bassin_de_vie:38185', or an INSEE code",
            faults=faults,
        )
    return tuple(read)


def place_words(place: str) -> Text:
    """Name a place for a reader.

    Parameters
    ----------
    place : str
        A name that :func:`read_places` gave.

    Returns
    -------
    Text
        The place, with the name of a code.

    Examples
    --------
    >>> place_words("departement:38").fr
    'Isère (departement:38)'
    """
    level, _, code = place.partition(":")
    if code:
        return Text(*[f"{names_of(level)[code]} ({place})"] * 2)
    return Text(place, _FRENCH.get(place, place))


def locate(recorded: Iterable[str | None], places: Iterable[tuple[str, ...]] = ()) -> pd.DataFrame:
    """Bring recorded codes to communes of today, and say which places they lie in.

    Parameters
    ----------
    recorded : iterable of str
        Distinct codes as recorded, of any year.
    places : iterable of tuple of str
        Groups of places to answer for.

    Returns
    -------
    pandas.DataFrame
        ``residence_commune, insee_code`` (today's; arrondissements as their city; missing when none or several),
        ``commune_population``, and one boolean column ``in_0, in_1...`` for each group of places.
    """
    codes = sorted({str(code) for code in recorded if isinstance(code, str)})
    current = to_current(pd.Series(codes, dtype=object), on_fault="mark")["insee_code"]
    current = current.astype(object).where(current.notna(), None)
    communes = read_communes().set_index("insee_code")["population"]
    frame = pd.DataFrame(
        {
            "residence_commune": pd.Series(codes, dtype=object),
            "insee_code": current.to_numpy(),
            "commune_population": current.map(communes).fillna(0).astype("int64").to_numpy(),
        }
    )
    for rank, group in enumerate(places):
        inside = pd.Series(False, index=frame.index)
        for place in group:
            inside |= belongs_to(frame["insee_code"], place).fillna(False).astype(bool)
        frame[f"in_{rank}"] = inside.to_numpy()
    return frame

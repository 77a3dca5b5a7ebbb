"""INSEE's tables of mortality, as sheets or CSV: their cells, one row for each sex, period and age.

Three layouts, told by their headings, wherever these stand on the sheet:

- **by sex** (table T68, one sheet a year): age, then survivors S(x), quotient Q(x), expectation E(x) of each sex, the
  sexes named in a line above or in the heading itself; the years stand in the title;
- **long**: a row for each sex, year and age, with columns for these and the quotient;
- **matrix** (table T69, hypotheses of projections): ages one way, years the other, a sheet for each sex.

Quotients are given for 100,000, 10,000, 1,000 or one, as heading or title says, and are held against survivors
where these are there. In matrices age is often the one reached in the year, which is no completed age.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from epi.errors import DataError

Row = Sequence[Any]
HEADING_ROWS = 40
_AGE = re.compile(r"(\d{1,3})(?:\.0)?\s*(?:ans?)?\s*(\+|et \+|et plus|ou plus|and over)?")
_YEAR = re.compile(r"((?:18|19|20|21)\d\d)(?:\.0)?")
_YEARS = re.compile(r"((?:18|19|20|21)\d\d)\s*(?:-|–|—|/|a|à|et|to)\s*((?:18|19|20|21)\d\d)")
_WOMEN = {"femmes", "femme", "feminin", "f", "women", "female", "females"}
_MEN = {"hommes", "homme", "masculin", "h", "men", "male", "males"}
_BOTH = {"ensemble", "total", "deux", "t", "all", "both"}


@dataclass(frozen=True)
class Sheet:
    """A sheet, or a CSV file.

    Parameters
    ----------
    file : str
        Name of the file, for messages.
    name : str
        Name of the sheet; that of the file without its ending for a CSV.
    rows : sequence of rows
        Cells.
    """

    file: str
    name: str
    rows: Sequence[Row]

    @property
    def title(self) -> str:
        """Words for messages."""
        return f"sheet {self.name} of {self.file}" if self.name not in self.file else self.file


def plain(value: Any) -> str:
    """Write a cell in small letters without accents, signs as blanks.

    Parameters
    ----------
    value : object
        Cell.

    Returns
    -------
    str
        Words.

    Examples
    --------
    >>> plain("Âge révolu"), plain("Q(x)"), plain(None)
    ('age revolu', 'q x', '')
    """
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    text = unicodedata.normalize("NFKD", str(value)).encode("ascii", "ignore").decode().lower()
    return " ".join(re.findall(r"[a-z0-9.+]+", text))


def find_heading(sheet: Sheet) -> int | None:
    """Find the row of headings: age or year first or second, then others.

    Parameters
    ----------
    sheet : Sheet
        Sheet.

    Returns
    -------
    int or None
        Position; None where there is none.
    """
    for at, row in enumerate(sheet.rows[:HEADING_ROWS]):
        words = [plain(cell) for cell in row]
        if sum(bool(word) for word in words) >= 2 and any(_is_age(word) or _is_year(word) for word in words):
            return at
    return None


def parse_insee(sheet: Sheet, *, per: float | None, triennial: bool | None, reached: bool | None) -> pd.DataFrame:
    """Read the cells of a sheet.

    Parameters
    ----------
    sheet : Sheet
        Sheet.
    per : float or None
        What quotients are given for; None where heading or title says it.
    triennial : bool or None
        Whether a single year names the last of three; None where the title says the years.
    reached : bool or None
        Whether ages are those reached in the year; None where heading or title says it.

    Returns
    -------
    pandas.DataFrame
        `territory` (where the sheet has it), `sex`, `low` and `high` (years), `age`, `open`, `q`, `m` (missing),
        `reached`.

    Raises
    ------
    DataError
        If the layout is unknown, or sex, years, ages or unit are not said.
    """
    at = find_heading(sheet)
    if at is None:
        shown = ", ".join(word for word in (plain(cell) for row in sheet.rows[:5] for cell in row) if word)[:120]
        raise DataError(
            f"{sheet.title} is in no known layout; it begins with: {shown or 'nothing'}",
            "a heading with age or année, and quotients: INSEE's tables of mortality by sex, long, or ages by years",
            "build_life_table(frame, name=...) takes cells of any origin",
        )  # fmt: skip
    words = [plain(cell) for cell in sheet.rows[at]]
    above = " ".join(plain(cell) for row in sheet.rows[:at] for cell in row if plain(cell))
    others = [word for word in words if word and not _is_age(word) and not _is_year(word)]
    if others and np.mean([bool(_YEAR.fullmatch(word)) for word in others]) > 0.8:
        frame = _matrix(sheet, at, words, True)
    elif others and _is_year(words[0]) and np.mean([bool(_AGE.fullmatch(word)) for word in others]) > 0.8:
        frame = _matrix(sheet, at, words, False)
    else:
        frame = _columns(sheet, at, words, above, triennial)
    if frame.empty:
        raise DataError(
            f"{sheet.title} has a heading ({', '.join(filter(None, words))[:120]}) and no age beneath it",
            "rows that begin with an age, or with a year",
        )  # fmt: skip
    heading = f"{above} {' '.join(frame.attrs.get('headings', words))}"
    frame["q"] = frame["q"] / _unit(sheet, frame, heading, per)
    frame["reached"] = _reached(sheet, heading, reached, "survivors" not in frame)
    return frame.drop(columns="survivors", errors="ignore")


def _is_age(word: str) -> bool:
    return word.split()[:1] == ["age"] and len(word.split()) <= 9


def _is_year(word: str) -> bool:
    return word in ("annee", "annees", "an", "year", "periode", "annee de deces")


def _matrix(sheet: Sheet, at: int, words: list[str], years_across: bool) -> pd.DataFrame:
    """Read ages by years."""
    sex = _sex_of(sheet)
    pattern, other = (_YEAR, _AGE) if years_across else (_AGE, _YEAR)
    first = next(k for k, word in enumerate(words) if word)
    rows = []
    for row in sheet.rows[at + 1 :]:
        line = other.fullmatch(plain(row[first])) if len(row) > first else None
        if line is None:
            continue
        for k in range(first + 1, len(words)):
            head = pattern.fullmatch(words[k])
            if head is None:
                continue
            age, year = (line, head) if years_across else (head, line)
            value = _number(row[k]) if k < len(row) else np.nan
            rows.append((sex, int(year[1]), int(year[1]), int(age[1]), bool(age[2]), value))
    frame = pd.DataFrame(rows, columns=["sex", "low", "high", "age", "open", "q"])
    return frame.assign(m=np.nan)


def _columns(sheet: Sheet, at: int, words: list[str], above: str, triennial: bool | None) -> pd.DataFrame:
    """Read the long layout, or a sheet with columns for each sex."""
    age = next((k for k, word in enumerate(words) if _is_age(word)), None)
    heads, start = _headings(sheet, at, age if age is not None else 0)
    roles = [_role(head) for head in heads]
    if age is None or "q" not in roles:
        raise DataError(
            f"{sheet.title} has columns {', '.join(head or '(empty)' for head in heads)}",
            "an age and quotients Q(x): survivors alone are rounded, and lose the mortality of the young",
            "the table with quotients, or build_life_table(frame, name=...)",
        )  # fmt: skip
    place = {name: next((k for k, word in enumerate(words) if word in names), None) for name, names in (
        ("sex", ("sexe", "sex")), ("year", ("annee", "annees", "an", "year", "periode")),
        ("territory", ("territoire", "region", "departement", "zone", "geo")),
    )}  # fmt: skip
    sexes = [_sex(head) for head in heads]
    if place["sex"] is None and not any(sexes[k] for k, role in enumerate(roles) if role == "q"):
        sexes = [_sex_of(sheet)] * len(heads)
    title = _title_years(sheet, above, triennial) if place["year"] is None else None
    rows = []
    for row in sheet.rows[start:]:
        cells = list(row) + [None] * (len(heads) - len(row))
        found = _AGE.fullmatch(plain(cells[age]))
        if found is None:
            continue
        low, high = title if title is not None else _years(sheet, plain(cells[place["year"] or 0]), triennial)
        for k, role in enumerate(roles):
            sex = sexes[k] if place["sex"] is None else _sex_code(cells[place["sex"]])
            if role != "q" or sex in (None, "B"):
                continue
            beside = next((j for j, other in enumerate(roles) if other == "s" and sexes[j] == sexes[k]), None)
            survivors = np.nan if beside is None else _number(cells[beside])
            where = "" if place["territory"] is None else str(cells[place["territory"]]).strip()
            rows.append((where, sex, low, high, int(found[1]), bool(found[2]), _number(cells[k]), survivors))
    frame = pd.DataFrame(rows, columns=["territory", "sex", "low", "high", "age", "open", "q", "survivors"])
    if place["territory"] is None:
        frame = frame.drop(columns="territory")
    frame = frame.assign(m=np.nan)
    frame.attrs["headings"] = heads
    return frame


def _headings(sheet: Sheet, at: int, age: int) -> tuple[list[str], int]:
    """Join a heading with the line of sexes above it or the line of measures beneath it; say where cells begin."""
    width = max(len(row) for row in sheet.rows[at : at + 2])
    lines = [_filled(sheet.rows[at], width)]
    start = at + 1
    above = _filled(sheet.rows[at - 1], width) if at else []
    # A title that names women and men is no line of sexes.
    if any(_sex(word) in ("F", "M") for word in above):
        lines.insert(0, above)
    while start < len(sheet.rows) and start < at + 3:
        row = sheet.rows[start]
        if len(row) > age and _AGE.fullmatch(plain(row[age])):
            break
        words = [plain(cell) for cell in row] + [""] * (width - len(row))
        lines.append(words[:width])
        start += 1
    heads = [" ".join(dict.fromkeys(filter(None, column))) for column in zip(*lines, strict=True)]
    return heads, start


def _filled(row: Row, width: int) -> list[str]:
    """Carry a merged heading over the empty cells to its right."""
    words, last = [], ""
    for k in range(width):
        word = plain(row[k]) if k < len(row) else ""
        last = word or last
        words.append(last)
    return words


def _role(head: str) -> str:
    if "quotient" in head or re.search(r"\bq ?x\b", head) or head == "q":
        return "q"
    return "s" if "survivants" in head or re.search(r"\b[sl] ?x\b", head) else ""


def _sex(head: str) -> str | None:
    words = set(head.split())
    found = [sex for sex, names in (("F", _WOMEN), ("M", _MEN)) if words & names]
    return "B" if len(found) > 1 or (not found and words & _BOTH) else found[0] if found else None


def _sex_code(cell: Any) -> str:
    word = plain(cell).removesuffix(".0")
    coded = {"1": "M", "2": "F", "m": "M", "0": "B", "3": "B"}.get(word)
    return coded or _sex(word) or f"? {word}"


def _sex_of(sheet: Sheet) -> str:
    """Take the sex from the name of the sheet: Qmort-F, hyp_mortaliteH, Hommes."""
    name = sheet.name.strip()
    found = _sex(plain(re.sub(r"[_-]", " ", name)))
    if found is None and re.search(r"(?<=[a-zé_ -])[FH]$", name):
        found = "F" if name.endswith("F") else "M"
    if found in ("F", "M"):
        return found
    raise DataError(
        f"neither headings nor name of {sheet.title} say whose mortality it is",
        "women or men in a heading, or a sheet or file whose name ends with F or H",
        "rename the sheet, or build_life_table(frame, name=...)",
    )  # fmt: skip


def _title_years(sheet: Sheet, above: str, triennial: bool | None) -> tuple[int, int]:
    """Take the years from the title, then from the sheet's name."""
    texts = [str(cell) for row in sheet.rows[:HEADING_ROWS] for cell in row if isinstance(cell, str)]
    titles = [text for text in texts if re.search(r"mortalit|ann[ée]e|p[ée]riode", text, re.IGNORECASE)]
    for text in titles:
        found = _YEARS.search(text)
        if found:
            return int(found[1]), int(found[2])
    for text in titles:
        single = set(_YEAR.findall(text))
        if len(single) == 1:
            return _years(sheet, single.pop(), triennial)
    return _years(sheet, plain(sheet.name), triennial)


def _years(sheet: Sheet, word: str, triennial: bool | None) -> tuple[int, int]:
    several = _YEARS.fullmatch(word) or re.fullmatch(r"(\d{4}) (\d{4})", word)
    if several:
        return int(several[1]), int(several[2])
    one = _YEAR.fullmatch(word)
    if one is None:
        raise DataError(
            f"{sheet.title} does not say its years",
            "a title such as 'années 2017-2019', a sheet named 2019, or a column année", "name the sheet by its year",
        )  # fmt: skip
    if triennial is None:
        raise DataError(
            f"{sheet.title} gives the year {one[1]} alone",
            "to know whether it is that year's mortality, or that of three years of which it is the last (INSEE's T68)",
            "triennial=True or triennial=False",
        )  # fmt: skip
    return int(one[1]) - 2 * triennial, int(one[1])


def _number(cell: Any) -> float:
    if isinstance(cell, int | float | np.number):
        return float(cell)
    text = re.sub(r"\s", "", str(cell or "")).replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _unit(sheet: Sheet, frame: pd.DataFrame, heading: str, per: float | None) -> float:
    """Find what quotients are given for, and hold them against survivors."""
    said = re.search(r"pour (1(?: ?0){3,6}\b)", heading)
    largest = float(frame["q"].max()) if len(frame) else 0.0
    unit = per if per is not None else float(said[1].replace(" ", "")) if said else 1.0 if largest <= 1 else None
    if unit is None or not unit > 0:
        raise DataError(
            f"quotients of {sheet.title} go up to {largest:g} and no heading says for how many",
            "'pour 100 000' in heading or title", "per=100_000 (or 10_000, 1_000)",
        )  # fmt: skip
    if "survivors" in frame and frame["survivors"].notna().any():
        ordered = frame.sort_values(["sex", "low", "age"])
        after = ordered.groupby([*(["territory"] if "territory" in frame else []), "sex", "low"])["survivors"].shift(-1)
        dying = 1 - after / ordered["survivors"]
        # Survivors are rounded to the unit: where enough die, that is no excuse.
        held = ordered["age"].between(40, 90) & dying.notna() & (dying > 0)
        ratio = float((ordered.loc[held, "q"] / unit / dying[held]).median()) if held.any() else 1.0
        if not 0.95 < ratio < 1.05:
            raise DataError(
                f"quotients of {sheet.title}, taken for {unit:g}, are {ratio:.3g} times what its survivors say",
                "Q(x) = 1 - S(x+1) / S(x)", "per= if the unit is another one; or look for shifted rows",
            )  # fmt: skip
    return unit


def _reached(sheet: Sheet, heading: str, reached: bool | None, matrix: bool) -> bool:
    if reached is not None:
        return reached
    if re.search(r"atteint|31 ?12|3112|31 decembre", heading):
        return True
    if re.search(r"revolu|anniversaire", heading) or not matrix:
        return False
    raise DataError(
        f"{sheet.title} does not say which age it means",
        "completed age (âge révolu), or age reached in the year (âge atteint dans l'année)",
        "reached=True or reached=False",
    )  # fmt: skip

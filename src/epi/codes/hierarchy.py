"""Entities and their poly-hierarchy: a disease has several parents, in several classifications."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import pandas as pd

from epi.codes.entity import ACTIVE, Entity, Lang
from epi.errors import CodeError


class OrphaHierarchy:
    """Entities by code, what lies above and below them.

    Parameters
    ----------
    entities : pandas.DataFrame
        ``orpha_code, status, level, disorder_type, label_en, label_fr, moved_to, referred_to`` at least.
    edges : pandas.DataFrame
        ``child, parent, classification_id`` (0 for edges given without a classification).
    version : str
        What to call this edition.
    """

    def __init__(self, entities: pd.DataFrame, edges: pd.DataFrame, version: str) -> None:
        self._entities = entities.sort_values("orpha_code").reset_index(drop=True)
        self._edges = edges
        self.version = version

    def __len__(self) -> int:
        return len(self._entities)

    def __contains__(self, code: object) -> bool:
        return code in self._rows

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.version}: {len(self):,} entities>"

    @functools.cached_property
    def _rows(self) -> dict[int, int]:
        return {int(code): row for row, code in enumerate(self._entities["orpha_code"])}

    @functools.cached_property
    def _columns(self) -> dict[str, list]:
        return {str(name): column.tolist() for name, column in self._entities.items()}

    @functools.cached_property
    def _children(self) -> dict[int, tuple[int, ...]]:
        return _links(self._edges, "parent", "child")

    @functools.cached_property
    def _parents(self) -> dict[int, tuple[int, ...]]:
        return _links(self._edges, "child", "parent")

    @property
    def edges(self) -> pd.DataFrame:
        """Child, parent and classification (0: parents of 2025, given without one)."""
        return self._edges.copy()

    def parse(self, code: object) -> int:
        """Read a code written in any usual way and check that it exists.

        Parameters
        ----------
        code : int or str
            ``803``, ``"803"``, ``"ORPHA:803"`` or ``"ORPHA803"``.

        Returns
        -------
        int
            The code.

        Raises
        ------
        CodeError
            If it is not a code, or the nomenclature does not have it.

        Examples
        --------
        >>> from epi.codes import open_nomenclature
        >>> open_nomenclature().parse("ORPHA:803")
        803
        """
        text = str(code).strip().upper().removeprefix("ORPHA").lstrip(": _")
        if isinstance(code, bool) or not text.isdecimal():
            raise CodeError(f"{code!r} is not an ORPHA code", "a number such as 803 or 'ORPHA:803'")
        number = int(text)
        if number not in self._rows:
            raise CodeError(
                f"ORPHA:{number} is not in {self.version}",
                "a code of the nomenclature",
                "epi.codes.open_nomenclature().search('...') finds codes by their label",
            )
        return number

    def _value(self, code: object, column: str) -> object:
        return self._columns[column][self._rows[self.parse(code)]]

    def entity(self, code: object) -> Entity:
        """Give one entity.

        Parameters
        ----------
        code : int or str
            Its code.

        Returns
        -------
        Entity
            The entity.

        Raises
        ------
        CodeError
            If the nomenclature does not have it.
        """
        number = self.parse(code)
        row = {name: column[self._rows[number]] for name, column in self._columns.items()}
        moved, referred = row["moved_to"], row["referred_to"]
        return Entity(
            orpha_code=number,
            label_en=row["label_en"],
            label_fr=row["label_fr"],
            status=row["status"],
            level=row["level"],
            disorder_type=row["disorder_type"],
            moved_to=None if pd.isna(moved) else int(moved),
            referred_to=() if pd.isna(referred) else split_codes(referred),
        )

    def label(self, code: object, lang: Lang = "en") -> str:
        """Give a label; the English one where no French one exists.

        Parameters
        ----------
        code : int or str
            The code.
        lang : {"en", "fr"}, optional
            Language wanted.

        Returns
        -------
        str
            The label.

        Examples
        --------
        >>> from epi.codes import open_nomenclature
        >>> open_nomenclature().label(803, "fr")
        'Sclérose latérale amyotrophique'
        """
        label = str(self._value(code, f"label_{lang}"))
        return label or str(self._value(code, "label_en"))

    def level(self, code: object) -> str:
        """Give the classification level.

        Parameters
        ----------
        code : int or str
            The code.

        Returns
        -------
        str
            ``group``, ``disorder`` or ``subtype``.
        """
        return str(self._value(code, "level"))

    def status(self, code: object) -> str:
        """Give the status of a code.

        Parameters
        ----------
        code : int or str
            The code.

        Returns
        -------
        str
            ``active``, ``obsolete``, ``deprecated`` or ``non_rare_in_europe``.
        """
        return str(self._value(code, "status"))

    def descendants(self, code: object, *, active_only: bool = True, include_self: bool = True) -> tuple[int, ...]:
        """List everything below a code, through all its children in all classifications.

        Parameters
        ----------
        code : int or str
            The code at the top.
        active_only : bool, optional
            Leave out codes that are no longer in use; what lies below them is still reached.
        include_self : bool, optional
            Whether the code itself is listed.

        Returns
        -------
        tuple of int
            Codes in increasing order, each once.

        Examples
        --------
        >>> from epi.codes import open_nomenclature
        >>> open_nomenclature().descendants(803)
        (803,)
        >>> open_nomenclature().descendants(848, include_self=False)
        (231214, 231222, 231226, 715143)
        """
        return self._closure(code, self._children, active_only=active_only, include_self=include_self)

    def ancestors(self, code: object, *, include_self: bool = False) -> tuple[int, ...]:
        """List everything above a code, in all classifications.

        Parameters
        ----------
        code : int or str
            The code.
        include_self : bool, optional
            Whether the code itself is listed.

        Returns
        -------
        tuple of int
            Codes in increasing order, each once.
        """
        return self._closure(code, self._parents, active_only=False, include_self=include_self)

    def _closure(
        self, code: object, links: Mapping[int, tuple[int, ...]], *, active_only: bool, include_self: bool
    ) -> tuple[int, ...]:
        start = self.parse(code)
        seen, to_visit = {start}, [start]
        while to_visit:
            for other in links.get(to_visit.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    to_visit.append(other)
        if not include_self:
            seen.discard(start)
        status, rows = self._columns["status"], self._rows
        return tuple(
            sorted(other for other in seen if other == start or not active_only or status[rows[other]] == ACTIVE)
        )

    def is_a(self, code: object, ancestor: object) -> bool:
        """Say whether a code is another one or lies below it.

        Parameters
        ----------
        code, ancestor : int or str
            The codes.

        Returns
        -------
        bool
            Whether `ancestor` is `code` or above it.

        Examples
        --------
        >>> from epi.codes import open_nomenclature
        >>> open_nomenclature().is_a(803, 98503)
        True
        """
        return self.parse(ancestor) in self.ancestors(code, include_self=True)


def _links(edges: pd.DataFrame, key: str, value: str) -> dict[int, tuple[int, ...]]:
    links: dict[int, set[int]] = {}
    for start, end in zip(edges[key].tolist(), edges[value].tolist(), strict=True):
        links.setdefault(start, set()).add(end)
    return {start: tuple(sorted(ends)) for start, ends in links.items()}


def split_codes(value: object) -> tuple[int, ...]:
    """Read codes separated by ``|``.

    Parameters
    ----------
    value : object
        Text, or one number.

    Returns
    -------
    tuple of int
        The codes; none for an empty text.

    Examples
    --------
    >>> split_codes("215|714090")
    (215, 714090)
    """
    return tuple(int(part) for part in str(value).split("|") if part)

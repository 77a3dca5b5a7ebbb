"""The Orphanet nomenclature: entities, poly-hierarchy, redirections, aggregation to the disorder.

Two editions are joined: the nomenclature pack of 2023-06 (34 classifications, aggregation,
redirections) and the packets of 2025-12 (entities and parents created since). A parent given by
either edition is a parent. Orphanet data: © INSERM, CC-BY-4.0; see ``data/SOURCES.md``.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from importlib import resources

import pandas as pd

from epi.codes.entity import ACTIVE, Resolution
from epi.codes.hierarchy import OrphaHierarchy, split_codes
from epi.codes.text import fold
from epi.errors import CodeError

VERSION = "Orphanet 2023-06 + 2025-12"
UNDETERMINED = 616874
"""Rare disorder without a determined diagnosis after full investigation."""

_log = logging.getLogger(__name__)


class OrphaNomenclature(OrphaHierarchy):
    """The nomenclature with its hierarchy.

    Parameters
    ----------
    entities : pandas.DataFrame
        ``orpha_code, status, level, disorder_type, label_en, label_fr, aggregation`` (codes
        separated by ``|``), ``preferential_parent`` (the same), ``moved_to, referred_to``.
    edges : pandas.DataFrame
        ``child, parent, classification_id`` (0 for edges given without a classification).
    version : str
        What to call this edition.

    Examples
    --------
    >>> nomenclature = open_nomenclature()
    >>> nomenclature.label(803)
    'Amyotrophic lateral sclerosis'
    >>> nomenclature.aggregate(315306)
    (90794,)
    """

    @functools.cached_property
    def _folded(self) -> list[str]:
        columns = self._columns
        return [fold(f"{en} | {fr}") for en, fr in zip(columns["label_en"], columns["label_fr"], strict=True)]

    def resolve(self, code: object) -> Resolution:
        """Say what a code stands for today: ``Moved to`` is followed once, the rest is flagged.

        Parameters
        ----------
        code : int or str
            The code as recorded.

        Returns
        -------
        Resolution
            The code to use, and whether a person must look.

        Raises
        ------
        CodeError
            If the nomenclature does not have the code.

        Examples
        --------
        >>> open_nomenclature().resolve(803).kind
        'active'
        """
        entity = self.entity(code)
        number = entity.orpha_code
        if entity.is_active:
            return Resolution(number, number, "active", (), self.version)
        target = entity.moved_to
        if target is not None:
            # Followed once only: a target that is itself inactive is shown, not chased.
            if target != number and target in self._rows and self.status(target) == ACTIVE:
                _log.info("ORPHA:%d moved to ORPHA:%d (%s)", number, target, self.version)
                return Resolution(number, target, "moved", (target,), self.version)
            return Resolution(number, number, "inactive", (target,), self.version)
        if entity.referred_to:
            return Resolution(number, number, "referred", entity.referred_to, self.version)
        return Resolution(number, number, "inactive", (), self.version)

    def resolve_all(self, codes: Iterable[object]) -> pd.DataFrame:
        """Resolve several codes into a log.

        Parameters
        ----------
        codes : iterable of int or str
            Codes as recorded.

        Returns
        -------
        pandas.DataFrame
            ``code, current, kind, candidates, version``, one row for each distinct code.

        Raises
        ------
        CodeError
            If codes are not in the nomenclature; all of them at once.
        """
        rows, faults = [], []
        for code in codes:
            try:
                rows.append(self.resolve(code))
            except CodeError as error:
                faults.append(error.arrived)
        if faults:
            raise CodeError(f"{len(faults)} code(s) cannot be read", faults=sorted(set(faults)))
        unique = sorted(set(rows), key=lambda row: row.code)
        return pd.DataFrame(
            [(row.code, row.current, row.kind, "|".join(map(str, row.candidates)), row.version) for row in unique],
            columns=["code", "current", "kind", "candidates", "version"],
        )

    def aggregate(self, code: object) -> tuple[int, ...]:
        """Bring a code to the disorders it is counted in.

        Parameters
        ----------
        code : int or str
            The code; it is resolved first.

        Returns
        -------
        tuple of int
            A disorder gives itself; a subtype its disorder, or several; a group and a code that
            is non rare in Europe give nothing.

        Examples
        --------
        >>> open_nomenclature().aggregate(98503)
        ()
        """
        return self._aggregation[self.parse(code)]

    @functools.cached_property
    def _aggregation(self) -> dict[int, tuple[int, ...]]:
        return {code: self._aggregate(code) for code in self._rows}

    def _aggregate(self, code: int) -> tuple[int, ...]:
        current = self.resolve(code).current
        row = self._rows[current]
        level, status = self._columns["level"][row], self._columns["status"][row]
        if level == "group" or status == "non_rare_in_europe":
            return ()
        if level == "disorder":
            return (current,)
        stated = split_codes(self._columns["aggregation"][row])
        return stated or self._nearest_disorders(current)

    def _nearest_disorders(self, code: int) -> tuple[int, ...]:
        """Climb from a subtype that no pack aggregates, stopping at the first disorders met."""
        found: set[int] = set()
        seen, to_visit = {code}, [code]
        while to_visit:
            for parent in self._parents.get(to_visit.pop(), ()):
                if parent in seen:
                    continue
                seen.add(parent)
                row = self._rows[parent]
                if self._columns["level"][row] == "disorder":
                    if self._columns["status"][row] == ACTIVE:
                        found.add(parent)
                elif self._columns["level"][row] == "subtype":
                    to_visit.append(parent)
        return tuple(sorted(found))

    def preferential_parent(self, code: object) -> tuple[int, ...]:
        """Give the specialty under which a disease is counted once.

        Parameters
        ----------
        code : int or str
            The code.

        Returns
        -------
        tuple of int
            One code; two for the two entities that Orphanet gives two; none if it gives none.
        """
        return split_codes(self._value(code, "preferential_parent"))

    def search(self, text: str, *, active_only: bool = True, limit: int | None = 50) -> pd.DataFrame:
        """Find codes by words of their English or French label, accents and case aside.

        Parameters
        ----------
        text : str
            Words, all of which must be in the label.
        active_only : bool, optional
            Leave out codes that are no longer in use.
        limit : int or None, optional
            At most that many rows.

        Returns
        -------
        pandas.DataFrame
            Rows of :meth:`table`, labels equal to the text first, then shorter labels first.

        Examples
        --------
        >>> int(open_nomenclature().search("sclerose laterale amyotrophique")["orpha_code"].iloc[0])
        803
        """
        wanted = fold(text)
        words = wanted.split()
        hits = [row for row, label in enumerate(self._folded) if words and all(w in label for w in words)]
        found = self.table().iloc[hits]
        if active_only:
            found = found[found["status"] == ACTIVE]
        same = (found["label_en"].map(fold) == wanted) | (found["label_fr"].map(fold) == wanted)
        order = found.assign(other=~same, length=found["label_en"].str.len())
        order = order.sort_values(["other", "length", "orpha_code"]).drop(columns=["other", "length"])
        return order.iloc[:limit].reset_index(drop=True)

    def table(self) -> pd.DataFrame:
        """List all entities.

        Returns
        -------
        pandas.DataFrame
            ``orpha_code, status, level, moved_to, label_en, label_fr, aggregation``; the latter
            is the codes of :meth:`aggregate` separated by ``|``.
        """
        columns = ["orpha_code", "status", "level", "moved_to", "label_en", "label_fr"]
        frame = self._entities[columns].copy()
        frame["orpha_code"] = frame["orpha_code"].astype("int64")
        frame["moved_to"] = frame["moved_to"].astype("Int64")
        frame["aggregation"] = ["|".join(map(str, self._aggregation[code])) for code in frame["orpha_code"].tolist()]
        return frame


@functools.cache
def open_nomenclature() -> OrphaNomenclature:
    """Open the nomenclature that the package carries; it is read once.

    Returns
    -------
    OrphaNomenclature
        Orphanet 2023-06 completed by 2025-12.

    Examples
    --------
    >>> open_nomenclature()
    <OrphaNomenclature Orphanet 2023-06 + 2025-12: 11,455 entities>
    """
    folder = resources.files("epi.codes") / "data"
    with (
        resources.as_file(folder / "entities.parquet") as entities,
        resources.as_file(folder / "edges.parquet") as edges,
    ):
        return OrphaNomenclature(pd.read_parquet(entities), pd.read_parquet(edges), VERSION)

"""What every reader returns: a tidy table that knows who made it, when, for what areas, and what is not there."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from epi.sources.open_data import areas as places
from epi.sources.open_data.layout import Column, Layout

if TYPE_CHECKING:
    from epi.results import Release


@dataclass(frozen=True)
class OpenTable:
    """An open file, read whole and checked.

    Parameters
    ----------
    table : pandas.DataFrame
        Tidy; codes are texts, a missing value is missing.
    layout : Layout
        The declaration that it was read by.
    columns : tuple of Column
        What each column of the table is.
    vintage : str
        Year of the values; "not stated" where nobody says.
    geography : str
        Year of the code officiel géographique of its codes; empty where not stated.
    file : str
        Name of the file.
    sha256 : str
        Digest of the file.
    notes : tuple of str
        What the reader did that is worth knowing: rows set aside, sheets chosen.
    settings : mapping
        What determined the table, when it was computed from another.
    """

    table: pd.DataFrame
    layout: Layout
    columns: tuple[Column, ...]
    vintage: str
    geography: str
    file: str
    sha256: str
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that tell rows apart."""
        return self.layout.key

    @property
    def area(self) -> str:
        """Column of area codes; empty where there is none."""
        return self.layout.area

    @property
    def support(self) -> str:
        """What one value describes: commune, iris, site..."""
        return self.layout.support

    @property
    def info(self) -> pd.DataFrame:
        """One row for each column: unit, kind, producer, vintage, licence, spatial support, file."""
        return pd.DataFrame(
            {
                "column": [column.name for column in self.columns],
                "kind": [column.kind for column in self.columns],
                "unit": [column.unit for column in self.columns],
                "producer": self.layout.producer,
                "vintage": self.vintage,
                "licence": self.layout.licence,
                "support": self.support,
                "geography": self.geography or "not stated",
                "source": self.layout.source,
                "file": self.file,
                "sha256": self.sha256,
            }
        )

    def columns_of(self, *kinds: str) -> list[str]:
        """Name the columns of some kinds.

        Parameters
        ----------
        *kinds : str
            Among :data:`epi.sources.open_data.KINDS`.

        Returns
        -------
        list of str
            Names in order.
        """
        return [column.name for column in self.columns if column.kind in kinds]

    @property
    def missing_areas(self) -> pd.DataFrame:
        """Areas of today of which the file says nothing: area, departement, meaning (missing or zero).

        The meaning is zero only where the producer says that an area not listed has none, and within
        the file's scope.
        """
        return places.missing_areas(self)

    @property
    def coverage(self) -> pd.DataFrame:
        """For each column with values, the share of areas, metropolitan areas and population informed."""
        return places.coverage(self)

    def to_current(self, *, weights: str | None = None, on_ambiguous: Literal["refuse", "drop"] = "drop") -> OpenTable:
        """Carry the table to the communes of today; see :func:`epi.sources.open_data.carry_to_current`.

        Parameters
        ----------
        weights : str, optional
            Column by which means of communes that merged are weighted; "equal" weighs them alike.
        on_ambiguous : {"drop", "refuse"}, optional
            What to do with the rows of communes that were split: set aside and say so, or refuse the table.

        Returns
        -------
        OpenTable
            One row for each commune of today (and each value of the rest of the key).

        Raises
        ------
        GeographyError
            If codes cannot be carried.
        ParameterError
            If means must be weighted and nothing says by what.
        """
        from epi.sources.open_data.carrying import carry_to_current

        return carry_to_current(self, weights=weights, on_ambiguous=on_ambiguous)

    def fill_unlisted(self) -> OpenTable:
        """Add the areas that are not listed with the count 0, where the producer says that this is meant.

        Returns
        -------
        OpenTable
            With a row for each commune of today.

        Raises
        ------
        DataError
            If an area that is not listed is missing rather than zero, or the table is not in today's communes.
        """
        from epi.sources.open_data.carrying import fill_unlisted

        return fill_unlisted(self)

    def release(self) -> Release:
        """Say what would be published: what the file is, column by column; it counts nobody.

        Returns
        -------
        Release
            The rows of `info`.
        """
        from epi.results import Release

        return Release(
            self.info.drop(columns=["sha256"]),
            title=self.layout.title_en,
            note=" ".join(text for text in (self.layout.caveat, self.layout.absent) if text),
        )

    def _repr_html_(self) -> str:
        layout = self.layout
        told = [
            f"<b>{html.escape(layout.title_en)}</b> — {len(self.table):,} rows, {len(self.columns)} columns",
            html.escape(f"{layout.producer}; vintage {self.vintage}; {layout.licence}; {self.file}"),
            html.escape(f"Support: {self.support}; geography of codes: {self.geography or 'not stated'}."),
        ]
        told += [html.escape(text) for text in (layout.absent and f"Missing: {layout.absent}.", layout.caveat) if text]
        told += [html.escape(note) for note in self.notes]
        head = self.table.head(5)
        return "<p>" + "<br>".join(told) + "</p>" + str(pd.DataFrame(head).to_html(index=False, border=0))

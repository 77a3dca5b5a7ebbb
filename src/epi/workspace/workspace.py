"""The workspace: tidy tables through Ibis, opposed patients and undeclared columns left behind.

Two connections keep them apart. The private one reads the files; the one that notebooks get holds
only what the opposition rule and the protocol grant, copied table by table on first use, with file
access and settings locked, so that no query on it can reach the rest.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from epi.errors import ParameterError, ProtocolError, WorkspaceError
from epi.protocol import Protocol, read_protocol
from epi.sources.bndmr import tables as schema
from epi.workspace.fingerprint import fingerprint
from epi.workspace.grant import Grant
from epi.workspace.opposition import (
    RULES,
    OppositionLedger,
    Rule,
    count_opposition,
    keep_usable,
    make_ledger_table,
)
from epi.workspace.origin import Origin, open_origin, read_reference, spill_folder
from epi.workspace.steering import SteeringRule, SteeringTable, count_active_patients

if TYPE_CHECKING:
    import ibis
    import pandas as pd


class Workspace:
    """Opened data of one extract, as one study may see them.

    Made by :func:`open_workspace`. Rooms above hang verbs on it, such as ``cohort``.
    """

    _verbs: ClassVar[dict[str, Callable[..., Any]]] = {}

    def __init__(self, origin: Origin, protocol: Protocol | None, rule: Rule) -> None:
        import ibis

        make_ledger_table(origin)
        keep_usable(origin.connection, rule)
        self._origin = origin
        self._grant = Grant(origin.columns, protocol)
        self.protocol = protocol
        self.opposition = count_opposition(origin, rule)
        self._study = ibis.duckdb.connect(":memory:", threads=int(os.environ.get("EPI_THREADS", "2")))
        # What does not fit in memory spills where temporary files go, never beside the study.
        self._study.raw_sql(f"SET temp_directory = '{spill_folder()}'")
        self._study.raw_sql("SET enable_external_access = false")
        self._study.raw_sql("SET lock_configuration = true")
        self._loaded: set[str] = set()

    @classmethod
    def register(cls, verb: str, function: Callable[..., Any]) -> None:
        """Hang a verb of a room above on every workspace.

        Parameters
        ----------
        verb : str
            The method's name.
        function : callable
            Called with the workspace first.
        """
        cls._verbs[verb] = function
        setattr(cls, verb, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a workspace has no '{name}'; it has {', '.join(dir(self))}")

    def __dir__(self) -> list[str]:
        public = [name for name in super().__dir__() if not name.startswith("_")]
        return sorted(set(public) - {"register"})

    @property
    def title(self) -> str:
        """What the data are, in a few words."""
        return str(self._origin.about["title"])

    @property
    def synthetic(self) -> bool:
        """Whether the data are invented; then every page says so."""
        return bool(self._origin.about["synthetic"])

    @property
    def extraction_date(self) -> dt.date:
        """The day the data were extracted."""
        return self._origin.extraction_date

    @property
    def fingerprint(self) -> str:
        """A digest of the data, the same whatever the order of rows."""
        return fingerprint(self._origin)

    @property
    def tables(self) -> dict[str, tuple[str, ...]]:
        """Tables granted, with their columns."""
        return self._grant.tables

    def has(self, table: str, column: str | None = None) -> bool:
        """Tell whether a table, or one of its columns, is granted and there.

        Parameters
        ----------
        table : str
            A tidy table's name.
        column : str, optional
            One of its columns.

        Returns
        -------
        bool
            True if it can be read.
        """
        granted = self.tables.get(table)
        return granted is not None and (column is None or column in granted)

    def table(self, name: str) -> ibis.Table:
        """Give a tidy table as an Ibis expression.

        Parameters
        ----------
        name : str
            The table, as in ``docs/data-dictionary``.

        Returns
        -------
        ibis.Table
            Rows of patients kept under the opposition rule, granted columns only. Tables that
            hang on a care or a diagnosis carry ``patient_id`` too.

        Raises
        ------
        ProtocolError
            If the protocol does not grant the table.
        WorkspaceError
            If the data do not have it.
        """
        columns = self._grant.columns(name)
        if name not in self._loaded:
            query = self._grant.query(name, columns)
            self._study.con.register("incoming", self._origin.connection.cursor().sql(query).to_arrow_reader(100_000))
            self._study.raw_sql(f'CREATE TABLE "{name}" AS SELECT * FROM incoming')
            self._study.con.unregister("incoming")
            self._loaded.add(name)
        return self._study.table(name)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Give a tidy table in memory, in the order of its keys.

        Parameters
        ----------
        name : str
            The table.
        columns : sequence of str, optional
            Some of its columns; all by default.

        Returns
        -------
        pandas.DataFrame
            The rows granted.

        Raises
        ------
        ProtocolError
            If a column is not granted.
        """
        table = self.table(name)
        wanted = tuple(columns) if columns is not None else table.columns
        refused = [column for column in wanted if column not in table.columns]
        if refused:
            raise ProtocolError(
                f"{name} has no column {', '.join(refused)} here",
                f"one of {', '.join(table.columns)}",
                "ask for it in protocol.yml, under variables, with the reason",
            )
        order = [key for key in schema.keys(name) if key in table.columns] or list(table.columns)
        return table.order_by(order).select(*wanted).to_pandas()

    def reference(self, name: str) -> pd.DataFrame:
        """Give a reference table: facts on territories, no persons.

        Parameters
        ----------
        name : str
            Such as ``population`` or ``exposures``.

        Returns
        -------
        pandas.DataFrame
            The table.

        Raises
        ------
        WorkspaceError
            If there is no such table.
        """
        return self._reference(name)[0]

    def has_reference(self, name: str) -> bool:
        """Tell whether a reference table is there and granted.

        Parameters
        ----------
        name : str
            The table.

        Returns
        -------
        bool
            True if :meth:`reference` gives it.
        """
        asked = self.protocol.sources if self.protocol else None
        folder = self._origin.references
        return (
            (asked is None or _granted_as(name) in asked)
            and folder is not None
            and (folder / f"{name}.parquet").is_file()
        )

    def reference_info(self, name: str) -> dict[str, Any]:
        """Say where a reference table comes from.

        Parameters
        ----------
        name : str
            The table.

        Returns
        -------
        dict
            Sources, vintages, licences, units.
        """
        return self._reference(name)[1]

    def _reference(self, name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
        asked = self.protocol.sources if self.protocol else None
        if asked is not None and _granted_as(name) not in asked:
            raise ProtocolError(
                f"the protocol does not ask for '{name}'",
                f"sources of protocol.yml: {', '.join(asked)}",
                f"add {name} to its sources",
            )
        return read_reference(self._origin, name)

    def count_opposition(self, by: str = "site_code", as_of: str | dt.date | None = None) -> OppositionLedger:
        """Count patients by opposition state, as of a day.

        Parameters
        ----------
        by : str, optional
            ``site_code``, ``fsmr``, ``sex``, ``age_class``, ``creation_year`` or ``source``.
        as_of : str or datetime.date, optional
            The day; the extraction by default.

        Returns
        -------
        OppositionLedger
            Counts only: no row of an opposed patient is given.
        """
        return count_opposition(self._origin, self.opposition.rule, by, as_of)

    def steer(
        self,
        rule: SteeringRule,
        *,
        by: Sequence[str] = ("fsmr", "year"),
        start: str = "2007-01-01",
        end: str | None = None,
    ) -> SteeringTable:
        """Count active patients for the steering of the network.

        Parameters
        ----------
        rule : SteeringRule
            The governance decision: whether opposed patients count in aggregates.
        by : sequence of str, optional
            Up to three of ``fsmr``, ``site_code``, ``centre_type``, ``region``, ``year``, ``sex``.
        start, end : str, optional
            First and last day of activity; up to the last whole year before the extraction by default.

        Returns
        -------
        SteeringTable
            Counts, small cells hidden.
        """
        whole = dt.date(self.extraction_date.year - 1, 12, 31)
        last = dt.date.fromisoformat(end) if end else whole
        return count_active_patients(self._origin, rule, tuple(by), dt.date.fromisoformat(start), last)

    def summary(self) -> pd.DataFrame:
        """List the tables granted, their rows and their period.

        Returns
        -------
        pandas.DataFrame
            Columns ``table``, ``rows``, ``columns``, ``first_year``, ``last_year``.
        """
        import pandas as pd

        rows = []
        for name, columns in self.tables.items():
            table = self.table(name)
            dates = [column for column in columns if column.endswith(("_date", "_created"))]
            main = next((column for column in _MAIN_DATES if column in dates), None)
            first, last = None, None
            if main:
                span = table.aggregate(first=table[main].min(), last=table[main].max()).to_pandas().iloc[0]
                first, last = (None if pd.isna(day) else day.year for day in span)
            rows.append((name, int(table.count().to_pandas()), len(columns), first, last))
        frame = pd.DataFrame(rows, columns=["table", "rows", "columns", "first_year", "last_year"])
        return frame.astype({"first_year": "Int64", "last_year": "Int64"})

    def _repr_html_(self) -> str:
        banner = "<p><strong>SYNTHETIC DATA</strong></p>" if self.synthetic else ""
        summary = self.summary()
        years = summary[["first_year", "last_year"]].astype("string").fillna("")
        return (
            f"{banner}<h3>{escape(self.title)}</h3><p>Extracted on {self.extraction_date}. "
            f"{escape(self.opposition.sentence())}</p>{summary.assign(**years).to_html(index=False)}"
        )

    def __repr__(self) -> str:
        label = " [synthetic]" if self.synthetic else ""
        return f"Workspace '{self.title}'{label}: {len(self.tables)} tables. {self.opposition.sentence()}"


_MAIN_DATES = (
    "activity_date",
    "diagnosis_date",
    "inclusion_date",
    "file_created",
    "opposition_date",
    "start_date",
)


def open_workspace(
    path: str | os.PathLike[str] | None = None,
    *,
    protocol: Protocol | str | os.PathLike[str] | None = None,
    opposition: Rule | None = None,
    extraction_date: str | dt.date | None = None,
) -> Workspace:
    """Open data for a study.

    Parameters
    ----------
    path : path-like, optional
        A workspace folder, a folder of Parquet or CSV files, or a DuckDB file. By default the
        one the study runs on.
    protocol : Protocol or path-like, optional
        What may be read. By default the one of the running study; without one, every column.
    opposition : {"strict", "registry"}, optional
        The opposition rule; the protocol's by default, ``strict`` without one. A run cannot be
        laxer than its protocol.
    extraction_date : str or datetime.date, optional
        For data that do not state it.

    Returns
    -------
    Workspace
        The data, opposed patients left out.

    Raises
    ------
    WorkspaceError
        If it is not a workspace.
    ProtocolError
        If the protocol is malformed, expired, or asks for columns that are not there.
    ParameterError
        If the opposition rule is unknown.
    """
    place = path if path is not None else os.environ.get("EPI_WORKSPACE")
    if place is None:
        raise WorkspaceError(
            "no workspace is named",
            "a folder made by: epi workspace build",
            'epi.open_workspace("build/workspace"), or set EPI_WORKSPACE',
        )
    granted = _protocol(protocol)
    rule = _rule(opposition, granted)
    return Workspace(open_origin(place, extraction_date), granted, rule)


def _protocol(given: Protocol | str | os.PathLike[str] | None) -> Protocol | None:
    running = os.environ.get("EPI_PROTOCOL")
    if given is None and running is None:
        return None
    asked = given if isinstance(given, Protocol) else read_protocol(os.fspath(given or running or ""))
    if running is not None and asked != read_protocol(running):
        raise ProtocolError("a running study opens data with another protocol", "its own protocol", "leave it out")
    if asked.legal.expires < dt.date.today():
        raise ProtocolError(
            f"the authorisation of {asked.id} expired on {asked.legal.expires}",
            "a date that has not passed, under legal.expires",
            "have it renewed, then correct protocol.yml",
        )
    return asked


def _rule(given: str | None, protocol: Protocol | None) -> Rule:
    stated = protocol.opposition if protocol else "strict"
    rule = given or stated
    if rule not in RULES:
        raise ParameterError(f"opposition rule '{rule}' is unknown", " or ".join(RULES))
    if rule == "registry" and stated == "strict" and protocol is not None:
        raise ProtocolError(
            "the rule 'registry' is asked for, and the protocol says 'strict'",
            "a rule no laxer than the protocol's",
            "change opposition in protocol.yml, with its justification",
        )
    return rule  # type: ignore[return-value]


def _granted_as(name: str) -> str:
    """Name the source that a protocol asks for to read a reference table: yearly exposures come with exposures."""
    return "exposures" if name == "exposure_panel" else name

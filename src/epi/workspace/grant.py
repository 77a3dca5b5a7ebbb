"""What a study may read: tables and columns of its protocol, of patients kept."""

from __future__ import annotations

from epi.errors import ProtocolError, WorkspaceError
from epi.protocol import Protocol
from epi.sources.bndmr import tables as schema

# Columns that name another patient, who may have opposed: blanked unless that patient is kept.
_OTHER_PATIENT = {("patient", "propositus_id")}


def _is_free_text(table: str, column: str) -> bool:
    declared = schema.DECLARED[table]
    return column in declared.columns and declared.field(column).free_text


class Grant:
    """The columns granted, and the queries that read them.

    Parameters
    ----------
    present : dict
        Table name to columns, as the data have them.
    protocol : Protocol or None
        What was asked for; everything without one. Keys come along with any granted table: a
        table without them could not be cleared of opposed patients.

    Raises
    ------
    ProtocolError
        If the protocol asks for a table or column that the data do not have.
    """

    def __init__(self, present: dict[str, tuple[str, ...]], protocol: Protocol | None) -> None:
        self._present = present
        self._protocol = protocol
        if protocol is None:
            names = {
                table: tuple(column for column in columns if not _is_free_text(table, column))
                for table, columns in present.items()
                if table in schema.DECLARED
            }
        else:
            names = self._asked(protocol)
        self.tables = {table: self._with_patient(table, columns) for table, columns in sorted(names.items())}

    def _asked(self, protocol: Protocol) -> dict[str, tuple[str, ...]]:
        faults = []
        asked: dict[str, tuple[str, ...]] = {}
        for table in dict.fromkeys(variable.table for variable in protocol.variables):
            if table not in self._present:
                faults.append(f"table {table} is not in the data")
                continue
            wanted = protocol.columns(table) or ()
            reachable = self._with_patient(table, self._present[table])
            faults += [f"{table}.{column} is not in the data" for column in wanted if column not in reachable]
            faults += [
                f"{table}.{column} is free text: never read" for column in wanted if _is_free_text(table, column)
            ]
            keys = [*schema.keys(table), *schema.foreign_keys(table)]
            asked[table] = tuple(column for column in self._present[table] if column in wanted or column in keys)
        if faults:
            raise ProtocolError(
                f"the protocol of {protocol.id} asks for {len(faults)} column(s) or table(s) that cannot be read",
                "tables and columns of docs/data-dictionary",
                "correct variables in protocol.yml",
                faults=faults,
            )
        return asked

    def _with_patient(self, table: str, columns: tuple[str, ...]) -> tuple[str, ...]:
        if "patient_id" in columns or not self._path(table):
            return columns
        return (*columns, "patient_id")

    def columns(self, table: str) -> tuple[str, ...]:
        """List the columns granted in a table.

        Parameters
        ----------
        table : str
            A tidy table's name.

        Returns
        -------
        tuple of str
            Its columns.

        Raises
        ------
        ProtocolError
            If the protocol does not grant it.
        WorkspaceError
            If there is no such table.
        """
        if table in self.tables:
            return self.tables[table]
        if table in self._present and table in schema.DECLARED and self._protocol is not None:
            raise ProtocolError(
                f"the protocol does not grant table '{table}'",
                f"one of {', '.join(self.tables)}",
                "ask for its columns in protocol.yml, under variables, each with the reason",
            )
        raise WorkspaceError(f"there is no table '{table}' here", f"one of {', '.join(self.tables)}")

    def query(self, table: str, columns: tuple[str, ...]) -> str:
        """Write the query that reads a table's granted rows and columns.

        Parameters
        ----------
        table : str
            A tidy table's name.
        columns : tuple of str
            The columns to read.

        Returns
        -------
        str
            SQL for the private connection, whose table ``kept_patient`` exists.
        """
        path = self._path(table)
        owner = path[-1][0] if path else table
        if not path and "patient_id" not in self._present[table]:
            chosen = ", ".join(f'"{column}"' for column in columns)
            return f'SELECT {chosen} FROM "{table}"'
        chosen = ", ".join(self._column(table, column, owner) for column in columns)
        joins = " ".join(f'JOIN "{parent}" USING ("{key}")' for parent, key in path)
        return (
            f'SELECT {chosen} FROM "{table}" {joins} '
            f'SEMI JOIN kept_patient ON kept_patient.patient_id = "{owner}".patient_id'
        )

    @staticmethod
    def _column(table: str, column: str, owner: str) -> str:
        if (table, column) in _OTHER_PATIENT:
            return f'CASE WHEN "{column}" IN (SELECT patient_id FROM kept_patient) THEN "{column}" END AS "{column}"'
        return f'"{owner}".patient_id' if column == "patient_id" else f'"{table}"."{column}"'

    def _path(self, table: str) -> list[tuple[str, str]]:
        """Give the joins from a table to the first one that names the patient."""
        path: list[tuple[str, str]] = []
        here = table
        while here in self._present and "patient_id" not in self._present[here]:
            parents = [
                (parent, key)
                for key, parent in schema.foreign_keys(here).items()
                if parent in schema.PATIENT_TABLES and parent in self._present
            ]
            if not parents:
                return []
            path.append(parents[0])
            here = parents[0][0]
        return path

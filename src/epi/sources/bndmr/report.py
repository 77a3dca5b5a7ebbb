"""What a read found: rows in, kept and rejected, and why. Counts only, never a value."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from epi.results import Counted, Release


@dataclass(frozen=True)
class RegistryReport:
    """The outcome of :func:`epi.sources.bndmr.read_registry`.

    Parameters
    ----------
    flow : pandas.DataFrame
        ``table, rows_in, rows_tidy, rows_rejected``, parents before children.
    table : pandas.DataFrame
        ``table, rule, severity, rows``: rows that break each rule. A row may break several; a
        warning counts rows that were kept.
    columns : pandas.DataFrame
        ``table, column, rule, rows``: the same by column, for rules that speak of one.
    meanings : mapping
        Rule identifier to its meaning; ``id table`` where it differs between tables.
    settings : mapping
        Extraction date, severities, what was absent or left out, rules that were not applied.
    advice : tuple of str, optional
        What looks wrong in the layout rather than in a row.
    """

    flow: pd.DataFrame
    table: pd.DataFrame
    columns: pd.DataFrame
    meanings: Mapping[str, str]
    settings: Mapping[str, Any]
    advice: tuple[str, ...] = field(default=())

    def rows(self, rule: str, table: str | None = None) -> int:
        """Count the rows that break a rule.

        Parameters
        ----------
        rule : str
            Its identifier.
        table : str, optional
            In one table; in all by default.

        Returns
        -------
        int
            Number of rows.
        """
        chosen = self.table["rule"] == rule
        if table is not None:
            chosen &= self.table["table"] == table
        return int(self.table.loc[chosen, "rows"].sum())

    def meaning(self, rule: str, table: str) -> str:
        """Say what a rule means in a table.

        Parameters
        ----------
        rule : str
            Its identifier.
        table : str
            The table.

        Returns
        -------
        str
            A sentence.
        """
        return self.meanings.get(f"{rule} {table}") or self.meanings.get(rule, "")

    def summary(self) -> str:
        """Say in a few lines what was kept and why the rest was not.

        Returns
        -------
        str
            Text for a terminal or a log.
        """
        total = self.flow[["rows_in", "rows_tidy", "rows_rejected"]].sum()
        lines = [
            f"{total['rows_in']:,} rows read, {total['rows_tidy']:,} kept, {total['rows_rejected']:,} rejected "
            f"(extraction of {self.settings['extraction_date']})."
        ]
        lines += [
            f"  {row['table']}: {row['rows_in']:,} read, {row['rows_rejected']:,} rejected"
            for row in self.flow.to_dict("records")
            if row["rows_in"]
        ]
        for severity, words in (("E", "Rejected because"), ("W", "Kept, to be looked at")):
            chosen = self.table[self.table["severity"] == severity]
            if len(chosen):
                lines.append(words + ":")
                lines += [
                    f"  {row['rule']} {row['table']}: {row['rows']:,} rows. {self.meaning(row['rule'], row['table'])}"
                    for row in chosen.to_dict("records")
                ]
        lines += [f"Not applied: {words}." for words in self.settings["not_applied"]]
        lines += [f"Absent: table {name}." for name in self.settings["absent_tables"]]
        for state in ("absent_columns", "unknown_columns"):
            words = "absent, left empty" if state == "absent_columns" else "unknown, left out"
            lines += [f"{table}: {', '.join(names)} ({words})." for table, names in self.settings[state].items()]
        return "\n".join([*lines, *self.advice])

    def release(self) -> Release:
        """Say what would be published: rows broken by rule.

        Returns
        -------
        Release
            The table by rule.
        """
        return Release(
            self.table,
            (Counted("rows"),),
            title="Rows that break a rule, by table",
            note=f"Extraction of {self.settings['extraction_date']}. E: rejected; W: kept.",
            labels={"table": "Table", "rule": "Rule", "severity": "Severity", "rows": "Rows"},
        )

    def as_dict(self) -> dict[str, Any]:
        """Give the content of ``quality.json``.

        Returns
        -------
        dict
            Plain values.
        """
        return {
            "format": 1,
            "flow": self.flow.to_dict("records"),
            "counts": self.table.to_dict("records"),
            "columns": self.columns.to_dict("records"),
            "meanings": dict(self.meanings),
            "settings": dict(self.settings),
            "advice": list(self.advice),
        }

    def _repr_html_(self) -> str:
        advice = "".join(f"<p><strong>{html.escape(words)}</strong></p>" for words in self.advice)
        flow = self.flow[self.flow["rows_in"] > 0].to_html(index=False, border=0)
        pairs = zip(self.table["rule"], self.table["table"], strict=True)
        shown = self.table.assign(meaning=[self.meaning(rule, table) for rule, table in pairs])
        first = html.escape(self.summary().splitlines()[0])
        return f"<p>{first}</p>{advice}{flow}{shown.to_html(index=False, border=0)}"

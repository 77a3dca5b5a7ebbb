"""The opposition ledger: who may be studied, counted before anything else is read.

A patient is *usable* when the information note was given and no opposition is recorded, *opposed*
when an opposition is recorded, *not traced* when neither is. An opposition row that could not be
read counts as an opposition (*unreadable*), and when such a row fits nobody, all patients without
any row are unreadable: a fault in a file must never let a patient slip back in. The rule
``strict`` keeps usable patients; ``registry`` keeps those not traced as well.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from epi.errors import ParameterError
from epi.results import Counted, Release

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from epi.workspace.origin import Origin

Rule = Literal["strict", "registry"]
RULES: dict[str, str] = {
    "strict": "kept if the note was given and no opposition is recorded",
    "registry": "kept unless an opposition is recorded",
}
STATES = ("usable", "not_traced", "opposed", "unreadable")
KEPT: dict[str, tuple[str, ...]] = {"strict": ("usable",), "registry": ("usable", "not_traced")}

# What the ledger may be counted by: the SQL of the group, and the tables it needs.
_BY = {
    "site_code": (
        "care.site_code",
        "JOIN (SELECT DISTINCT patient_id, site_code FROM care) AS care USING (patient_id)",
    ),
    "fsmr": (
        "site.fsmr",
        "JOIN (SELECT DISTINCT patient_id, site.fsmr FROM care JOIN site USING (site_code)) AS site USING (patient_id)",
    ),
    "sex": ("patient.sex", ""),
    "age_class": (
        "CASE WHEN date_diff('year', patient.birth_date, DATE '{as_of}') < 18 THEN 'child' ELSE 'adult' END",
        "",
    ),
    "creation_year": ("CAST(year(patient.file_created) AS VARCHAR)", ""),
    "source": ("patient.source", ""),
}


@dataclass(frozen=True)
class OppositionLedger:
    """Counts of patients by their opposition state, and the rule that is applied.

    Parameters
    ----------
    rule : {"strict", "registry"}
        Who is kept.
    as_of : datetime.date
        The day on which the counts hold.
    totals : dict
        Patients known to the base, by state.
    table : pandas.DataFrame
        By site: ``site_code``, ``known``, one column for each state, ``kept``,
        ``opposed_percent`` and ``alert`` (rule V16: a share far from the others, or a box that
        looks never or always ticked). A patient seen at two sites counts in each.
    by : str
        What the table is counted by.
    """

    rule: Rule
    as_of: dt.date
    totals: dict[str, int]
    table: pd.DataFrame
    by: str = "site_code"

    @property
    def known(self) -> int:
        """Patients known to the base."""
        return sum(self.totals.values())

    @property
    def kept(self) -> int:
        """Patients kept under the rule."""
        return sum(self.totals[state] for state in KEPT[self.rule])

    def sentence(self, lang: str = "en") -> str:
        """Say the rule and what it did.

        Parameters
        ----------
        lang : {"en", "fr"}, optional
            The language.

        Returns
        -------
        str
            One sentence.
        """
        out = self.totals["opposed"] + self.totals["unreadable"]
        if lang == "fr":
            kept, known, opposed, untraced = (
                f"{number:,}".replace(",", " ") for number in (self.kept, self.known, out, self.totals["not_traced"])
            )
            return (
                f"Règle d'opposition « {self.rule} » au {self.as_of:%d/%m/%Y} : {kept} patients retenus sur "
                f"{known} connus ; {opposed} opposés, {untraced} sans note tracée."
            )
        return (
            f"Opposition rule '{self.rule}' ({RULES[self.rule]}) on {self.as_of}: {self.kept:,} patients kept of "
            f"{self.known:,} known; {out:,} opposed, {self.totals['not_traced']:,} without a traced note."
        )

    def release(self) -> Release:
        """Say what would be published: counts by site.

        Returns
        -------
        Release
            The table; every state counts persons, and adds up to those known.
        """
        table = self.table.drop(columns=["alert", "unreadable"]).copy()
        # Unreadable rows are few at each site: alone they would be hidden, and others with them.
        table["opposed"] = self.table["opposed"] + self.table["unreadable"]
        table["opposed_percent"] = (100 * table["opposed"] / table["known"]).round(1)
        derived = ("opposed_percent",)
        counts = tuple(
            Counted(column, of="known", adds_up_within=(), derived=derived if column == "opposed" else ())
            for column in ("usable", "not_traced", "opposed", "kept")
        )
        return Release(
            table,
            (Counted("known", adds_up_within=(), derived=derived), *counts),
            title=f"Opposition to the reuse of data, by {self.by}",
            note=f"{self.sentence()} An opposition that could not be read counts as one.",
        )

    def _repr_html_(self) -> str:
        return f"<p>{self.sentence()}</p>" + self.table.to_html(index=False)


def make_ledger_table(origin: Origin) -> None:
    """Write each patient's state into the private table ``ledger``.

    Parameters
    ----------
    origin : Origin
        The place; its private connection receives the table.
    """
    connection = origin.connection
    _stage_lost_rows(origin)
    connection.execute(
        """
        CREATE OR REPLACE TABLE ledger AS
        WITH stated AS (
            SELECT patient_id,
                   bool_or(coalesce(bndmr_opposed, true)) AS opposed,
                   bool_or(coalesce(bndmr_note_given, false)) AS informed,
                   -- A day that is not known was before any day asked about, for an opposition and a note alike.
                   min(coalesce(opposition_date, DATE '0001-01-01')) FILTER (WHERE coalesce(bndmr_opposed, true))
                       AS opposed_on,
                   min(coalesce(bndmr_note_date, DATE '0001-01-01')) FILTER (WHERE bndmr_note_given) AS informed_on
            FROM stated_opposition GROUP BY patient_id
        )
        SELECT patient.patient_id,
               coalesce(stated.opposed, false) AS opposed, stated.opposed_on,
               coalesce(stated.informed, false) AS informed, stated.informed_on,
               lost.patient_id IS NOT NULL
                   OR (stated.patient_id IS NULL AND (SELECT doubt FROM lost_rows)) AS unreadable
        FROM patient
        LEFT JOIN stated USING (patient_id)
        LEFT JOIN (SELECT DISTINCT patient_id FROM lost_owner) AS lost ON lost.patient_id = patient.patient_id
        """
    )
    connection.execute(
        f"ALTER TABLE ledger ADD COLUMN state VARCHAR; UPDATE ledger SET state = {_state_on('9999-12-31')}"
    )


def _state_on(day: str) -> str:
    """Write the state of a patient on a day, in SQL."""
    return (
        f"CASE WHEN opposed AND opposed_on <= DATE '{day}' THEN 'opposed' WHEN unreadable THEN 'unreadable' "
        f"WHEN informed AND informed_on <= DATE '{day}' THEN 'usable' ELSE 'not_traced' END"
    )


def _stage_lost_rows(origin: Origin) -> None:
    """Find whose opposition rows were lost on the way, and whether some are nobody's.

    A rejected row may have been an opposition: its patient is unreadable, looked for in every cell of the
    record, whatever case and blanks. When a lost row fits no patient, or when it is not known what was lost
    (data that were not read by this workbench), every patient without any row may be its owner.
    """
    connection = origin.connection
    has_date = "bndmr_note_date" in origin.columns["opposition"]
    note_date = "bndmr_note_date::DATE AS bndmr_note_date" if has_date else "NULL::DATE AS bndmr_note_date"
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE stated_opposition AS
        SELECT patient_id, bndmr_opposed, bndmr_note_given, opposition_date::DATE AS opposition_date, {note_date}
        FROM opposition;
        CREATE OR REPLACE TABLE lost_row (row_id BIGINT, cell VARCHAR)
        """
    )
    known = origin.rejected_opposition is not None
    if known:
        place = str(origin.rejected_opposition).replace("'", "''")
        names = connection.execute(f"DESCRIBE SELECT * FROM read_parquet('{place}')").fetchall()
        texts = [f'"{name}"' for name, kind, *_ in names if kind == "VARCHAR" and name != "reason"]
        cells = " || ';' || ".join(f"coalesce({text}, '')" for text in texts)
        # A second, identical copy of a row that was kept tells nothing new, and the patient of a cascade is
        # not in the data any more.
        connection.execute(
            f"""
            INSERT INTO lost_row
            SELECT row_id, unnest(string_split_regex(record, '[;,|\t"]')) FROM (
                SELECT row_number() OVER () AS row_id, {cells} AS record FROM read_parquet('{place}')
                WHERE reason NOT IN ('V01-duplicate', 'V01-cascade')
            )
            """
        )
    connection.execute(
        """
        INSERT INTO lost_row
        SELECT -row_number() OVER (), patient_id FROM opposition ANTI JOIN patient USING (patient_id);
        CREATE OR REPLACE TABLE lost_owner AS
        SELECT row_id, patient.patient_id FROM lost_row
        JOIN patient ON lower(trim(lost_row.cell)) = lower(trim(patient.patient_id))
        """
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE lost_rows AS
        SELECT count(DISTINCT row_id) AS nobodys, nobodys > 0 OR {not known} AS doubt
        FROM lost_row ANTI JOIN lost_owner USING (row_id)
        """
    )


def count_opposition(
    origin: Origin, rule: Rule, by: str = "site_code", as_of: str | dt.date | None = None
) -> OppositionLedger:
    """Count patients by opposition state.

    Parameters
    ----------
    origin : Origin
        The place, whose table ``ledger`` exists.
    rule : {"strict", "registry"}
        Who is kept.
    by : str, optional
        ``site_code``, ``fsmr``, ``sex``, ``age_class``, ``creation_year`` or ``source``.
    as_of : str or datetime.date, optional
        Count files created, and oppositions recorded, up to this day; the extraction by default.

    Returns
    -------
    OppositionLedger
        Counts only.

    Raises
    ------
    ParameterError
        If `by` is not one of those, or the day is later than the extraction.
    """
    if by not in _BY:
        raise ParameterError(f"opposition cannot be counted by '{by}'", f"one of {', '.join(_BY)}")
    day = _day(as_of, origin.extraction_date)
    group, join = _BY[by]
    group = group.format(as_of=day.isoformat())
    states = f"""
        SELECT patient_id, {_state_on(day.isoformat())} AS state
        FROM ledger JOIN patient USING (patient_id)
        WHERE file_created IS NULL OR file_created <= DATE '{day}'
    """
    connection = origin.connection
    found = dict(connection.execute(f"SELECT state, count(*) FROM ({states}) GROUP BY state").fetchall())
    totals = {state: int(found.get(state, 0)) for state in STATES}
    sums = ", ".join(f"count(*) FILTER (WHERE now.state = '{state}') AS {state}" for state in STATES)
    table = connection.sql(
        f"""
        SELECT {group} AS "{by}", count(*) AS known, {sums}
        FROM ({states}) AS now JOIN patient USING (patient_id) {join}
        GROUP BY ALL ORDER BY ALL
        """
    ).df()
    table["kept"] = table[list(KEPT[rule])].sum(axis=1)
    table["opposed_percent"] = (100 * table["opposed"] / table["known"]).round(1)
    table["alert"] = _alerts(table)
    return OppositionLedger(rule, day, totals, table, by)


def _alerts(table: pd.DataFrame) -> pd.Series:
    share = table["opposed"] / table["known"]
    high = share > share.mean() + 3 * share.std(ddof=0)
    large = table["known"] >= 50
    alert = high.map({True: "far above the others", False: ""})
    alert[large & (share == 0)] = "nobody opposed: box never ticked?"
    alert[large & (share == 1)] = "everybody opposed: box left as it is?"
    return alert


def _day(as_of: str | dt.date | None, extraction: dt.date) -> dt.date:
    if as_of is None:
        return extraction
    try:
        day = as_of if isinstance(as_of, dt.date) else dt.date.fromisoformat(as_of)
    except ValueError as error:
        raise ParameterError("as_of is not a date", "a day such as 2024-12-31") from error
    if day > extraction:
        raise ParameterError(f"as_of is {day}, after the extraction", f"a day up to {extraction}")
    return day


def keep_usable(connection: duckdb.DuckDBPyConnection, rule: Rule) -> None:
    """Write the patients kept under the rule into the private table ``kept_patient``.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The private connection, whose table ``ledger`` exists.
    rule : {"strict", "registry"}
        Who is kept.
    """
    states = ", ".join(f"'{state}'" for state in KEPT[rule])
    connection.execute(
        f"CREATE OR REPLACE TABLE kept_patient AS SELECT patient_id FROM ledger WHERE state IN ({states})"
    )

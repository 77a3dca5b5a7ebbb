"""The data dictionary as Markdown pages, made from the schemas: it cannot say otherwise than they."""

from __future__ import annotations

from typing import Any

import pandera.pandas as pa

from epi.sources.bndmr.rules import RULES, STRUCTURAL, visible
from epi.sources.bndmr.schema import DECLARED, TABLES, VALUE_SETS

_NEED = {"R": "required", "C": "conditional", "O": "optional", "": "added"}
_KIND = {
    "id": "identifier",
    "text": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true / false",
    "date": "date",
    "enum": "one value",
    "enums": "values joined by &#124;",
}
_MADE = "<!-- Made by scripts/write_data_dictionary.py from epi.sources.bndmr.schema: do not edit. -->"


def build_dictionary() -> dict[str, str]:
    """Write all pages of the dictionary.

    Returns
    -------
    dict
        File name to Markdown text: an index, one page for each table, value sets, rules.

    Examples
    --------
    >>> sorted(build_dictionary())[:3]
    ['activity.md', 'activity_objective.md', 'antenatal.md']
    """
    pages = {f"{name}.md": _table_page(name, schema) for name, schema in TABLES.items()}
    return {"index.md": _index(), **pages, "value-sets.md": _value_sets(), "rules.md": _rules()}


def _page(*parts: str) -> str:
    return "\n\n".join([_MADE, *(part for part in parts if part)]) + "\n"


def _grid(headings: list[str], rows: list[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "&#124;") for cell in line) + " |" for line in lines)


def _anchor(name: str) -> str:
    return f"[{name}](value-sets.md#{name.lower()})"


def _type_words(info: dict[str, Any], column: pa.Column) -> str:
    words = _KIND[info["kind"]].replace("&#124;", "|")
    if info["partial"]:
        words += ", to the day, month or year"
    if info["value_set"]:
        words += f" of {_anchor(info['value_set'])}"
    if info["pattern"]:
        words += f" of form `{info['pattern']}`"
    bounds = {check.name: check.statistics for check in column.checks}
    low = bounds.get("greater_than_or_equal_to", {}).get("min_value")
    high = bounds.get("less_than_or_equal_to", {}).get("max_value")
    if low is not None and high is not None:
        words += f", {low:g} to {high:g}"
    elif low is not None:
        words += f", from {low:g}"
    return words


def _column_row(column: pa.Column) -> list[str]:
    info = column.metadata
    rule = [info["rule"]] if info["rule"] else []
    if info["foreign"]:
        table = info["foreign"].split(".")[0]
        rule.insert(0, f"refers to [{info['foreign']}]({table}.md)")
    if info["free_text"]:
        rule.append("written by hand: never leaves the workbench")
    meaning = info["meaning"] + (f" (*{info['french']}*)" if info["french"] else "")
    return [
        f"`{column.title}`", meaning, _type_words(info, column), _NEED[info["need"]], "; ".join(rule), info["source"],
    ]  # fmt: skip


def _table_page(name: str, schema: pa.DataFrameSchema) -> str:
    about = schema.metadata
    key = ", ".join(f"`{column}`" for column in about["key"]) or "the whole row"
    own = [rule for rule in RULES if rule.table == name and not rule.id.startswith("F06")]
    rules = _grid(
        ["Rule", "Severity", "A row breaks it when", "Condition"],
        [[rule.id, rule.severity, rule.meaning, f"`{rule.when}`"] for rule in own],
    )
    return _page(
        f"# {name}",
        f"{schema.title} (*{about['french']}*). Key: {key}. "
        + ("A registry without this table is refused." if about["required"] else "This table may be absent."),
        _grid(
            ["Column", "Meaning", "Type", "", "Rule", "Source"],
            [_column_row(column) for column in schema.columns.values()],
        ),
        ("## Rules\n\n" + rules) if own else "",
    )


def _index() -> str:
    rows = [
        [f"[{name}]({name}.md)", f"{schema.title} (*{schema.metadata['french']}*)", str(len(DECLARED[name].fields))]
        for name, schema in TABLES.items()
    ]
    return _page(
        "# Data dictionary of the registry (SDM-MR)",
        "The tables of the *set de données minimum maladies rares*, parents before children. Raw files have one "
        "column for each field, named as here, with the official codes of the [value sets](value-sets.md); tidy "
        "tables have the English values. Columns marked *added* are computed by the reader.",
        _grid(["Table", "One row is", "Fields"], rows),
        "## Dates\n\nA raw date is written at its own precision: `2015`, `2015-03` or `2015-03-12`. The tidy table "
        "has the date (2 July of a year, the 15th of a month) and `<column>_precision`: day, month or year.",
        "## Files\n\n`<table>.csv` (or `.csv.gz`, `.parquet`), UTF-8, separator `;`, header first, an empty cell "
        "for a missing value, and `extract.json` with `extraction_date`. Anything else is said in a mapping file: "
        "their file, column and value names to ours, separator, encoding (utf-8, latin-1, cp1252, iso-8859-15, "
        "utf-16), date form, decimal sign, words for true, false and missing. The packaged "
        "`src/epi/sources/bndmr/data/mapping.yml` is the official layout, with an example.",
        "## Rejected rows\n\n`rejected/<table>.parquet` has the raw texts of each row that broke a rule of severity "
        "E, `reason` (rule identifiers joined by `|`) and `line`, the number of the record in its file (the header "
        "is 1; blank lines are left out); `record` keeps the text of a row with too many or too few cells. "
        "Rows in = rows tidy + rows rejected, for every table. See [rules](rules.md).",
        "## Sources\n\nA: ANS, CI-SIS volet SDM-MR 2024.01. B: public pages of bndmr.fr. C: a third-party schema that "
        "follows SDM-MR v2.17. G: general knowledge, to be verified. J: Choquet et al., JAMIA 2015;22:76.",
    )


def _value_sets() -> str:
    parts = ["# Value sets", "Raw files have the official code; the value of the tidy tables is accepted too."]
    for name, values in sorted(VALUE_SETS.items()):
        origin = f"OID {values.oid}." if values.oid else "Not an official set: the values are ours."
        rows = [[f"`{v.enum}`", f"`{v.code}`", v.label_fr, v.label_en] for v in values.values]
        parts.append(f"## {name}\n\n{origin}\n\n" + _grid(["Value", "Official code", "Français", "English"], rows))
    return _page(*parts)


def _rules() -> str:
    schema_rules = [[rule, severity, meaning] for rule, (severity, meaning) in STRUCTURAL.items()]
    own = [
        [rule.id, rule.severity, f"[{rule.table}]({rule.table}.md)", rule.meaning]
        for rule in RULES
        if not rule.id.startswith("F06")
    ]
    seen = [[f"`{name}`", ", ".join(f"`{table}`" for table in visible(name) if table != name)] for name in DECLARED]
    return _page(
        "# Rules of the reader",
        "A rule of severity **E** rejects the row, which goes to `rejected/` with all its reasons; one of severity "
        "**W** is counted and the row kept. Counts are in `quality.json`; no value ever is.",
        "## From the schema\n\n" + _grid(["Rule", "Severity", "Meaning"], schema_rules),
        "## On typed rows\n\n" + _grid(["Rule", "Severity", "Table", "Meaning"], own),
        '## Adding rules\n\nIn a YAML file, read by `read_rules` and passed as `rules=RULES + read_rules("mine.yml")`, '
        "or as `Rule(...)` in Python:\n\n"
        "```yaml\n- id: V09\n  severity: E\n  table: diagnosis\n  column: clinical_diag_age\n"
        "  when: diagnosis.clinical_diag_age * 365 > date_diff('day', patient.birth_first, extract.extraction_date)\n"
        "        AND diagnosis.age_unit = 'year'\n"
        "  meaning: The age at clinical diagnosis is above the age at extraction.\n```\n\n"
        "`when` is a SQL condition, true for a row that breaks the rule. It may compare columns, written "
        "`table.column`, with the usual operators and functions; queries, files and settings are refused. A partial "
        "date `x` also has `x_first` and `x_last`, the first and last day that it may be, and `patient` has "
        "`birth_first` and `birth_last`. A rule is not applied to a row whose cells it needs could not be read, "
        "nor where a row of another table that it needs was rejected.",
        "Columns of these tables can be seen from each table:\n\n" + _grid(["From", "Also seen"], seen),
    )

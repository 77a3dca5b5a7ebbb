"""The committed dictionary is the one that the schemas say."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from epi.sources.bndmr.dictionary import build_dictionary
from epi.sources.bndmr.schema import DECLARED, TABLES, VALUE_SETS, column_info

PAGES = Path(__file__).parents[2] / "docs" / "data-dictionary"


def test_the_committed_pages_are_those_of_the_schemas() -> None:
    written = {page.name: page.read_text(encoding="utf-8") for page in PAGES.glob("*.md")}
    assert written == build_dictionary(), "run: python scripts/write_data_dictionary.py"


def test_every_column_is_described_and_every_link_leads_somewhere() -> None:
    pages = build_dictionary()
    for name, schema in TABLES.items():
        for column in schema.columns:
            assert f"| `{column}` |" in pages[f"{name}.md"]
            assert column_info(name, column)["meaning"]
    for page in pages.values():
        for target, anchor in re.findall(r"\]\(([a-z_-]+\.md)(#[a-z-]+)?\)", page):
            assert target in pages
            if anchor:
                assert anchor[1:] in {name.lower() for name in VALUE_SETS}


def test_every_enum_has_its_set_and_every_set_is_used() -> None:
    used = {field.value_set for table in DECLARED.values() for field in table.fields if field.value_set}
    assert used == set(VALUE_SETS)
    for table in DECLARED.values():
        for field in table.fields:
            assert (field.kind in ("enum", "enums")) == bool(field.value_set)


def test_codes_and_enums_are_one_to_one() -> None:
    for values in VALUE_SETS.values():
        assert len(set(values.enums)) == len(set(values.codes)) == len(values.values)
        assert [values.enum_of[code] for code in values.codes] == list(values.enums)
    assert VALUE_SETS["StatutActuelDiagnostic"].code_of["confirmed"] == "255545003"
    assert len(VALUE_SETS["Fsmr"].enums) == 23


@pytest.mark.parametrize("name", ["Age", "ContexteActivite", "ObjectifActivite", "PatientAdressePar", "IssueGrossesse"])
def test_official_sets_have_their_sizes(name: str) -> None:
    sizes = {"Age": 6, "ContexteActivite": 11, "ObjectifActivite": 12, "PatientAdressePar": 14, "IssueGrossesse": 7}
    assert len(VALUE_SETS[name].values) == sizes[name]


def test_keys_and_references_name_columns() -> None:
    for table in DECLARED.values():
        assert set(table.key) <= set(table.columns)
        for key in table.foreign:
            assert key.column in table.columns
            assert DECLARED[key.table].key == (key.target,)
            assert key.column == key.target
    assert isinstance(TABLES["patient"].columns["sex"].metadata, dict)
    assert pd.Series(list(DECLARED)).is_unique

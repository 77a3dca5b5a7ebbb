"""The page of the long proofs: one section can be renewed and the others stay as they are."""

from __future__ import annotations

from pathlib import Path

from validation.page import read_page, renew, write_page, write_section

ROOT = Path(__file__).parents[2]


def test_the_page_is_read_back_as_it_is_written():
    text = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    assert write_page(read_page(text)) == text


def test_one_section_is_renewed_and_the_others_stay():
    old = renew("", {"first": "| a |", "second": "| b |"}, ["first", "second"])
    section = write_section([("limits", "381 of 400", True), ("others", "2 of 400", False)], 1_000, 400)
    new = renew(old, {"second": section}, ["first", "second", "never run"])
    assert read_page(new)["first"] == "| a |"
    assert "| limits | 381 of 400 | yes |" in new and "| others | 2 of 400 | **no** |" in new
    assert "1,000 persons" in new and "never run" not in new
    assert list(read_page(renew(new, {}, ["second", "first"]))) == ["second", "first"]
    assert "first" not in read_page(renew(new, {}, ["second"])), "a proof that is no more has no section"

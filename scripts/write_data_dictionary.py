"""Write docs/data-dictionary from the registry's schemas."""

from __future__ import annotations

from pathlib import Path

from epi.files import write_text
from epi.sources.bndmr.dictionary import build_dictionary

FOLDER = Path(__file__).parents[1] / "docs" / "data-dictionary"


def main() -> None:
    """Write every page, and take away those of tables that are no more."""
    pages = build_dictionary()
    for name, page in pages.items():
        write_text(FOLDER / name, page)
    for stale in FOLDER.glob("*.md"):
        if stale.name not in pages:
            stale.unlink()


if __name__ == "__main__":
    main()

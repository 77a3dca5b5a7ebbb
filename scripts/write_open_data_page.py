"""Write docs/open-data.md from the declared layouts; ``--check`` compares instead of writing."""

from __future__ import annotations

import sys
from pathlib import Path

from epi.files import write_text
from epi.sources.open_data import KINDS, describe_layouts

TARGET = Path(__file__).parents[1] / "docs" / "open-data.md"

HEAD = """<!-- Made by scripts/write_open_data_page.py from epi.sources.open_data: do not edit. -->

# Open data

Official French files that `epi.sources.open_data` reads, each by its own `read_...` function. Layouts are
declared in `src/epi/sources/open_data/layouts/*.yml`. The project fetches nothing: download a file from
its producer, then

    epi data list radon             # known files, in French or English, and where they are published
    epi data add ~/radon.csv        # recognised, read whole, copied into EPI_OPEN_DATA with its checksum
    epi data check                  # checksums, layouts, rows; exit code 3 if one is not sound

Every reader gives an `OpenTable`: `table`, `info` (producer, vintage, licence, unit and spatial support of
each column), `geography` (year of its codes, empty where nobody states it), `missing_areas`, `coverage`,
`to_current()`. Three rules hold everywhere:

- missing is missing, never zero; an area that is not listed is zero only where its row below says
  "Not listed = 0", and only in départements of which the file has rows;
- codes of another vintage are carried, never joined as they are: counts are added up, means are weighted by
  a column that you name, a split commune is set aside and counted;
- what a file does not say is not guessed: a layout that was not verified has no reader.

Kinds of columns: {kinds}.
"""


def page() -> str:
    """Write the page as Markdown."""
    kinds = "; ".join(f"`{name}`, {words}" for name, words in KINDS.items())
    return HEAD.format(kinds=kinds) + "\n" + describe_layouts()


def main() -> int:
    """Write or compare, and say which."""
    text = page()
    if "--check" in sys.argv:
        if not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != text:
            print("docs/open-data.md is not that of the layouts: python scripts/write_open_data_page.py")
            return 1
        return 0
    write_text(TARGET, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

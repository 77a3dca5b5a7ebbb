"""Write the JSON schema of protocol.yml, for editors; ``--check`` compares instead of writing."""

from __future__ import annotations

import sys
from pathlib import Path

from epi.files import dump_json, write_text
from epi.protocol import protocol_schema

TARGET = Path(__file__).parents[1] / "docs" / "protocol.schema.json"


def main() -> int:
    """Write or compare, and say which."""
    text = dump_json(protocol_schema())
    if "--check" in sys.argv:
        if not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != text:
            print("docs/protocol.schema.json is not the model's: python scripts/write_protocol_schema.py")
            return 1
        return 0
    write_text(TARGET, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

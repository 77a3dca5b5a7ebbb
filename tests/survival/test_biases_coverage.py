"""Short form of the proofs of biases: few replicates, the same planted truths."""

from __future__ import annotations

from pathlib import Path

import pytest

from validation.proof import Setting
from validation.survival_biases import PROOFS


@pytest.mark.parametrize("proof", [proof for _, proof in PROOFS], ids=lambda proof: proof.__name__)
def test_what_is_there_is_told_and_what_is_not_is_not(proof: object, tmp_path: Path) -> None:
    rows = list(proof(Setting(30, tmp_path)))  # type: ignore[operator]
    assert len(rows) > 1
    for what, found, holds in rows:
        assert holds, f"{what}: {found}"

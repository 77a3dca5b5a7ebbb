"""Short form of the proofs of coverage and level: few replicates, the same planted truths."""

from __future__ import annotations

from pathlib import Path

import pytest

from validation.proof import Setting
from validation.survival_curves import coverage_with_late_entry, level_of_tests


@pytest.mark.parametrize("proof", [coverage_with_late_entry, level_of_tests], ids=lambda proof: proof.__name__)
def test_curves_cover_and_tests_keep_their_level(proof: object, tmp_path: Path) -> None:
    rows = list(proof(Setting(60, tmp_path)))  # type: ignore[operator]
    assert len(rows) > 2
    for what, found, holds in rows:
        # The naive test of clusters needs more replicates to be told from 5 %.
        assert holds or "not robust" in what, f"{what}: {found}"

"""Short form of the proofs of coverage of hazard ratios: few replicates, the same planted truths."""

from __future__ import annotations

from pathlib import Path

import pytest

from validation.cox import predicted_curves, ratios_with_late_entry, subdistribution_ratios
from validation.proof import Setting


@pytest.mark.parametrize("proof", [ratios_with_late_entry, predicted_curves, subdistribution_ratios])
def test_limits_of_hazard_ratios_cover(proof: object, tmp_path: Path) -> None:
    rows = list(proof(Setting(60, tmp_path)))  # type: ignore[operator]
    assert len(rows) > 2
    for what, found, holds in rows:
        assert holds, f"{what}: {found}"

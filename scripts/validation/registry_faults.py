"""Every fault of a registry file is found, at its line."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from validation.proof import Proof, Row, Setting


def faults_found(setting: Setting) -> Iterator[Row]:
    """Find each injected fault at its line with its rule, and reject nothing else."""
    from epi.codes import open_nomenclature
    from epi.sources.bndmr import read_registry
    from epi.world import build_world

    for seed in range(1, 6):
        world = build_world(setting.folder / f"world{seed}", persons=400_000, seed=seed, faults=0.01)
        out = setting.folder / f"tidy{seed}"
        report = read_registry(world.path / "raw", out, nomenclature=open_nomenclature().table())
        told = pd.read_parquet(world.path / "truth" / "faults.parquet")
        told = told[~told["rule"].isin(["V06-inactive", "V06-group"])]
        found = 0
        for table, part in told.groupby("table"):
            rejected = pd.read_parquet(out / "rejected" / f"{table}.parquet").set_index("line")["reason"]
            reasons = rejected.reindex(part["line"] + 1).fillna("").tolist()
            found += sum(rule in reason.split("|") for rule, reason in zip(part["rule"], reasons, strict=True))
        flow = report.flow
        kept = (flow["rows_in"] == flow["rows_tidy"] + flow["rows_rejected"]).all()
        yield (
            f"faults injected in seed {seed}, {len(told)} of {told['rule'].nunique()} kinds",
            f"{found} found at their line with their rule; rows in = kept + rejected: {bool(kept)}",
            found == len(told) and bool(kept),
        )


PROOFS: list[Proof] = [("Faults of the registry", faults_found)]

"""Which clusters of a scan may be published, and with which count.

Three things give a hidden count back although it is not printed. The place of a cluster among the others: its log
likelihood ratio lies between those of its neighbours in the list, and with its expected number that leaves one count or
two. The counts of the areas inside, where all but a few are printed elsewhere. And the cases outside, with the total.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from epi.association.withholding import active_policy

if TYPE_CHECKING:
    from epi.association.cluster_scan import ClusterScan

LISTED_P = 0.05
"""A cluster whose count is hidden is listed up to this p-value, and is not told from one above it otherwise."""


def published_clusters(scan: ClusterScan) -> pd.DataFrame:
    """Give the clusters that may be published, in an order that says nothing of a hidden count.

    Parameters
    ----------
    scan : ClusterScan
        Clusters found by a circular scan.

    Returns
    -------
    pandas.DataFrame
        The rows of `scan.table` whose count may be printed, in their order, then those whose count is hidden and whose
        p-value is at most 0.05, by the name of their centre. `rank` is that of the scan, `cluster` counts from 1 anew.
        `observed` is what the gate is to judge: where a count would give another back by subtraction, it is
        that other, so that the gate hides both.
    """
    least = active_policy().min_count
    table, areas = scan.table, scan.areas
    unprinted = areas["observed"].where(areas["hidden"], 0)
    inside = table["cluster"].map(unprinted.groupby(areas["cluster"]).sum()).fillna(0)
    outside = int(scan.settings["total"]) - table["observed"]
    observed = table["observed"]
    for other in (inside, outside):
        observed = observed.where(~other.between(1, least - 1), other).astype("int64")
    # Printed counts of clusters and areas, taken from the total, leave what is hidden outside of those clusters.
    kept = (observed == 0) | (observed >= least)
    while kept.any():
        left = int(unprinted.sum() - inside[kept].sum())
        telling = inside[kept & (inside > 0)]
        if not 0 < left < least or telling.empty:
            break
        observed = observed.mask(observed.index == telling.idxmin(), left)
        kept = (observed == 0) | (observed >= least)
    judged = table.assign(rank=table["cluster"], observed=observed)
    hidden = judged[~kept & (judged["p"] <= LISTED_P)].sort_values("centre", kind="stable")
    rows = pd.concat([judged[kept], hidden], ignore_index=True)
    return rows.assign(cluster=range(1, len(rows) + 1))

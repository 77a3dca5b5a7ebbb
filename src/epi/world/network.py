"""The raw tables of filières, hospitals and sites."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from epi.sources.bndmr.values import VALUE_SETS
from epi.world.centres import Centres
from epi.world.layout import NONE, dates, labels, make_table


def network_tables(centres: Centres) -> dict[str, pa.Table]:
    """Write the tables of filières, hospitals and sites.

    Parameters
    ----------
    centres : Centres
        The network.

    Returns
    -------
    dict
        Raw tables by name.
    """
    hospitals, sites = centres.hospitals, centres.sites
    filieres = VALUE_SETS["Fsmr"].values  # noqa: PD011 (not a frame)

    def text(frame: pd.DataFrame, column: str) -> pa.Array:
        return pa.array([value or None for value in frame[column].tolist()], pa.string())

    def day(frame: pd.DataFrame, column: str) -> pa.Array:
        values = frame[column].to_numpy(np.int64)
        return dates(np.where(values < 0, NONE, values))

    fsmr = {
        "fsmr": labels(np.arange(len(filieres)), [item.enum for item in filieres]),
        "label_fr": labels(np.arange(len(filieres)), [item.label_fr for item in filieres]),
    }
    plain = ("hospital_code", "hospital_name", "finess_ej", "finess_et", "dpi_vendor")
    hospital = {name: text(hospitals, name) for name in plain}
    hospital |= {name: day(hospitals, name) for name in ("agreement_bamara_signed", "agreement_bndmr_signed")}
    described = (
        "site_code",
        "site_name",
        "centre_type",
        "crmr_network",
        "fsmr",
        "hospital_code",
        "region",
        "insee_commune",
    )
    site = {name: text(sites, name) for name in described}
    site |= {
        name: day(sites, name)
        for name in ("label_start", "label_end", "bamara_autonomous_date", "bamara_connected_date")
    }
    return {
        "fsmr": make_table("fsmr", fsmr, len(filieres)),
        "hospital": make_table("hospital", hospital, len(hospitals)),
        "site": make_table("site", site, len(sites)),
    }

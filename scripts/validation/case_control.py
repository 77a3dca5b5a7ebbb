"""The ALS study's case-control design finds what was planted."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from scipy.stats import t as student

from validation.proof import ROOT, Proof, Row, Setting


def planted_rates(setting: Setting) -> Iterator[Row]:
    """Hold the study's joint model against the truth of the demo-sized world."""
    sys.path.insert(0, str(ROOT / "studies" / "sla_environment"))
    from design import select_cases, select_controls

    from epi.association import screen_exposures
    from epi.facade import open_workspace

    planted = json.loads((setting.world / "truth" / "planted.json").read_text())["variables"]
    names = ["nearest_industrial_km", "n_polluted_sites", "pm25_ugm3", "no2_ugm3", "water_nitrate_mg_l",
             "tree_cover_pct", "fdep_like"]  # fmt: skip
    ws = open_workspace(setting.workspace)
    period = {"start": "2012-01-01", "end": "2023-12-31"}
    wanted = [*names, "centre_distance_km", "density_km2"]
    cases, controls = (select(ws, **period).enrich(wanted) for select in (select_cases, select_controls))
    adjust = ["age", "sex", "centre_distance_km", "log(density_km2)"]
    screen = screen_exposures(cases, controls, exposures=names, adjust=adjust)
    for name in names:
        row = screen.of(name, "joint")
        error = math.log(row["ci_high"] / row["ci_low"]) / (2 * student.isf(0.025, row["df"]))
        truth = planted[name]["log_rr_per_unit"] * row["unit_size"]
        away = (math.log(row["estimate"]) - truth) / error
        yield (
            f"{name}, planted {math.exp(truth):.2f} per IQR",
            f"{row['estimate']:.2f} ({row['ci_low']:.2f}-{row['ci_high']:.2f}), {away:+.1f} standard errors away",
            abs(away) < 4,
        )


def coverage_of_case_control(setting: Setting) -> Iterator[Row]:
    """Redraw case status on the world's own patients; odds ratios planted on two exposures, none on one."""
    from epi.geography import area_of
    from epi.stats.models import fit_glm

    sys.path.insert(0, str(ROOT / "studies" / "sla_environment"))
    from design import select_cases, select_controls

    from epi.facade import open_workspace

    planted = {"nearest_industrial_km": -0.18, "water_nitrate_mg_l": 0.16, "pm25_ugm3": 0.0}
    workspace = open_workspace(setting.workspace)
    period = {"start": "2012-01-01", "end": "2023-12-31"}
    groups = [select(workspace, **period).enrich(list(planted)).table for select in (select_cases, select_controls)]
    people = pd.concat(groups).sort_values("patient_id").dropna(subset=list(planted)).reset_index(drop=True)
    design = people[list(planted)].apply(lambda column: (column - column.mean()) / column.std())
    design["age"] = (people["age_at_index"] - 60) / 10
    area = area_of(people["insee_code"], "bassin_de_vie").astype("string").fillna("none")
    places = pd.Categorical(area)
    predictor = design[list(planted)].to_numpy() @ np.array(list(planted.values())) + 0.3 * design["age"] - 1.1
    generator = np.random.Generator(np.random.PCG64(803))
    covered = dict.fromkeys(planted, 0)
    degrees: dict[str, float] = {}
    for _ in range(setting.replicates):
        noise = generator.normal(0, 0.08, len(places.categories))[places.codes]
        outcome = generator.random(len(design)) < 1 / (1 + np.exp(-(predictor + noise)))
        fit = fit_glm(design, outcome.astype(float), family="binomial", clusters=area)
        for name, truth in planted.items():
            estimate, error = fit.term(name)
            degrees[name] = fit.degrees_of(name)
            covered[name] += abs(estimate - truth) <= student.isf(0.025, fit.degrees_of(name)) * error
    for name, truth in planted.items():
        p = binomtest(covered[name], setting.replicates, 0.95).pvalue
        share = covered[name] / setting.replicates
        yield (
            f"odds ratio {math.exp(truth):.2f} per SD of {name}, {len(design):,} patients",
            f"{covered[name]} of {setting.replicates} intervals cover ({share:.1%}), p = {p:.3f}; "
            f"{degrees[name]:.0f} degrees of freedom",
            p > 0.001,
        )


PROOFS: list[Proof] = [
    ("Planted relative rates, demo world", planted_rates),
    ("Coverage of the case-control design", coverage_of_case_control),
]

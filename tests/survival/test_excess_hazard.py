"""Excess hazard regression: equal to relsurv's rsadd on its own bands and days, planted excess covered, faults named.

Reference: ``tests/oracle/excess_hazard.R`` (relsurv).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from epi.disclosure import read_policy
from epi.disclosure.gate import check_release
from epi.errors import DataError, EstimationError, ParameterError
from epi.survival import build_survival, fit_excess, life_table
from epi.survival.excess_likelihood import maximise_excess
from survival.test_net import dated, days, slopop  # noqa: F401  # the fixture of relsurv's table
from validation.excess_hazard import PROOFS
from validation.proof import Setting

ORACLE = Path(__file__).parents[1] / "oracle"
REFERENCE = json.loads((ORACLE / "excess_hazard.json").read_text(encoding="utf-8"))["results"]
COLUMNS = {"colrec": ["old", "female", "decade"], "rdata": ["old", "female"], "mgus2": ["old", "female"]}


def read(name):
    frame = dated(pd.read_csv(ORACLE / f"net_survival_{name}.csv.gz"))
    return frame[frame["time"] > 0].assign(
        old=lambda f: (f["age"] > 65 * 365.25).astype(int), female=lambda f: (f["sex"] == "F").astype(int),
        decade=lambda f: (f["start"].dt.year - 1990) / 10,
    ).reset_index(drop=True)  # fmt: skip


def follow(frame, entry="start", **more):
    return build_survival(
        frame, entry=entry, exit="end", event="stat", origin="start", birth="born",
        covariates=["sex", "old", "female", "decade"], **more,
    )  # fmt: skip


@pytest.mark.parametrize("name", list(REFERENCE))
def test_the_likelihood_has_the_maximum_of_rsadd(name, slopop):  # noqa: F811
    frame, expected = read(name), REFERENCE[name]
    x = frame[COLUMNS[name]].to_numpy(dtype=float)
    time, stat = frame["time"].to_numpy(), frame["stat"].to_numpy() == 1
    edges = np.array(expected["int"]) * 365.241
    size = len(edges) - 1
    start, born = days(frame["start"]), days(frame["born"])
    # relsurv cuts within days, ends at the last edge, and takes the mean hazard of the day that begins at the death,
    # of which a part may lie before the birthday.
    position, age, day = slopop.position(frame["sex"].to_numpy()), start + time - born, start + time
    before = np.minimum((np.floor(age / 365.241) + 1) * 365.241 - age, 1)
    usual = before * slopop.cell(position, age, day) + (1 - before) * slopop.cell(position, age + 1, day)
    rows, bands, years, died = [], [], [], []
    for band in range(size):
        there = np.flatnonzero(time > edges[band])
        rows.append(there)
        bands.append(np.full(len(there), band))
        years.append((np.minimum(time[there], edges[band + 1]) - edges[band]) / 365.241)
        died.append(stat[there] & (time[there] <= edges[band + 1]))
    rows, bands, years, died = (np.concatenate(part) for part in (rows, bands, years, died))
    found = maximise_excess(
        years, np.flatnonzero(died), usual[rows][died] * 365.241, years * 0.02, bands, x[rows], np.ones(len(rows)),
        [str(band) for band in range(size)], COLUMNS[name],
    )  # fmt: skip
    order = [*range(size, size + x.shape[1]), *range(size)]
    assert found.theta[order] == pytest.approx(expected["coef"], rel=1e-6)
    assert np.sqrt(np.diag(found.covariance))[order] == pytest.approx(expected["se"], rel=1e-6)
    # Ours leaves the population's cumulated hazard out: it has no parameter.
    assert found.loglik == pytest.approx(expected["loglik"] + expected["expected"], rel=1e-9)


def plain(frame, table, columns, edges):
    """Maximise the likelihood written down person by person."""
    start, born, entry, end = (days(frame[name]) for name in ("start", "born", "in", "end"))
    x, died = frame[columns].to_numpy(dtype=float), frame["stat"].to_numpy() == 1
    since, until = entry - start, end - start
    usual = table.hazard(frame["sex"], end - 1 - born, end - 1) * 365.25
    low = np.array([np.ceil(edge * 365.25) for edge in edges])
    high = np.append(low[1:], np.inf)
    time = np.clip(np.minimum(until[:, None], high) - np.maximum(since[:, None], low), 0, None) / 365.25
    band = np.searchsorted(low, until - 1, side="right") - 1

    def minus(theta):
        rate, ratio = np.exp(theta[: len(low)]), np.exp(x @ theta[len(low) :])
        return (time @ rate * ratio).sum() - np.log(usual + rate[band] * ratio)[died].sum()

    begin = np.concatenate([np.full(len(low), -2.0), np.zeros(x.shape[1])])
    return minimize(minus, begin, method="BFGS", options={"gtol": 1e-6}).x


def test_late_entry_is_that_of_a_plain_reference(slopop):  # noqa: F811
    frame = read("colrec").iloc[::4].reset_index(drop=True)
    entry = np.minimum(np.random.default_rng(5).integers(0, 700, len(frame)), frame["time"] - 1)
    frame = frame.assign(**{"in": frame["start"] + pd.to_timedelta(entry, unit="D")})
    model = fit_excess(follow(frame, entry="in"), slopop, ["old", "female"], bands=[0, 1, 4])
    expected = plain(frame, slopop, ["old", "female"], [0, 1, 4])
    found = np.concatenate([np.log(model.baseline["excess_rate"]), model.table["coef"]])
    assert found == pytest.approx(expected, abs=2e-5)
    assert model.baseline["deaths"].sum() == frame["stat"].sum()
    shuffled = frame.sample(frac=1, random_state=1).reset_index(drop=True)
    again = fit_excess(follow(shuffled, entry="in"), slopop, ["old", "female"], bands=[0, 1, 4])
    pd.testing.assert_frame_equal(model.table, again.table, rtol=1e-9)
    middle = frame["in"] + pd.to_timedelta((frame["end"] - frame["in"]).dt.days // 2, unit="D")
    cut, whole = middle > frame["in"], frame.assign(who=np.arange(len(frame)))
    halves = pd.concat([
        whole[~cut], whole[cut].assign(end=middle[cut], stat=0), whole[cut].assign(**{"in": middle[cut]}),
    ])  # fmt: skip
    for robust in (False, True):
        one = fit_excess(follow(frame, entry="in"), slopop, ["old"], bands=[0, 1], robust=robust)
        two = fit_excess(follow(halves, entry="in", person="who"), slopop, ["old"], bands=[0, 1], robust=robust)
        pd.testing.assert_frame_equal(one.table, two.table, rtol=1e-8)


def test_weights_count_as_copies_and_clusters_do_not_move_estimates(slopop):  # noqa: F811
    frame = read("rdata")
    twice = pd.concat([frame, frame[frame["old"] == 1]], ignore_index=True)
    weighted = fit_excess(
        follow(frame.assign(w=1.0 + frame["old"]), weight="w"), slopop, ["old", "female"], robust=True
    )
    copied = fit_excess(follow(twice), slopop, ["old", "female"])
    assert weighted.table["coef"].to_numpy() == pytest.approx(copied.table["coef"].to_numpy(), rel=1e-8)
    site = frame.assign(site=np.arange(len(frame)) % 40)
    shared = fit_excess(follow(site, cluster="site"), slopop, ["old", "female"])
    assert shared.settings["variance"] == "robust"
    assert shared.table["coef"].to_numpy() == pytest.approx(
        fit_excess(follow(frame), slopop, ["old", "female"]).table["coef"].to_numpy(), rel=1e-8
    )


def test_what_leaves_passes_the_gate_in_both_languages(slopop):  # noqa: F811
    model = fit_excess(follow(read("colrec")), slopop, ["old", "female"])
    for lang in ("en", "fr"):
        assert check_release(model.release(lang=lang), read_policy()) is not None
    assert "EHR" in model.release().labels["estimate"]


def test_what_cannot_be_estimated_is_named(slopop):  # noqa: F811
    frame = read("colrec")
    with pytest.raises(ParameterError, match="rise from 0"):
        fit_excess(follow(frame), slopop, ["old"], bands=[1, 2])
    second = frame["time"].between(300, 800)
    quiet = frame.assign(stat=np.where(second, 0, frame["stat"]))
    with pytest.raises(EstimationError, match="nobody dies in the band"):
        fit_excess(follow(quiet), slopop, ["old"], bands=[0, 1, 2])
    constant = frame.assign(decade=1.0)
    with pytest.raises(EstimationError, match="'decade' is constant"):
        fit_excess(follow(constant), slopop, ["decade"])
    with pytest.raises(EstimationError, match="'female' is a linear combination"):
        fit_excess(follow(frame.assign(decade=1 - frame["female"])), slopop, ["decade", "female"])
    healthy = frame.assign(stat=np.where(np.arange(len(frame)) % 200 == 0, frame["stat"], 0))
    with pytest.raises(EstimationError, match=r"no more die than expected|no maximum"):
        fit_excess(follow(healthy), slopop, ["old"], bands=[0])
    before = frame.assign(**{name: frame[name] - pd.DateOffset(years=120) for name in ("born", "start", "end")})
    with pytest.raises(DataError, match="does not cover this follow-up"):
        fit_excess(follow(before), life_table(), ["old"])


@pytest.mark.parametrize("proof", [proof for _, proof in PROOFS], ids=lambda proof: proof.__name__)
def test_limits_cover_a_planted_ratio(proof, tmp_path):
    for what, found, holds in proof(Setting(20, tmp_path)):
        assert holds, f"{what}: {found}"

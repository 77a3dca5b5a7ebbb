from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from epi.errors import EstimationError, ParameterError
from epi.stats.shrinkage import MOST, Regression, average_models, fit_elastic_net, largest_penalty

R = json.loads((Path(__file__).parents[1] / "oracle" / "shrinkage.json").read_text())
DATA = {name: np.array(values, dtype=float) for name, values in R["data"].items()}
ROWS = len(DATA["case"])


def rows(law):
    exposures = np.column_stack([DATA[f"x{i}"] for i in range(1, 5)])
    kept = np.column_stack([np.ones(ROWS), DATA["z"]])
    if law == "binomial":
        return Regression(kept, exposures, DATA["case"], np.zeros(ROWS), law)
    return Regression(kept, exposures, DATA["count"], np.log(DATA["expected"]), law)


@pytest.mark.parametrize("law", ["binomial", "poisson"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_lasso_elastic_net_and_ridge_as_glmnet_in_r(law, place):
    expected = R[law][place]
    kept, shrunk = fit_elastic_net(rows(law), R["penalties"], expected["mix"])
    assert kept == pytest.approx(np.array(expected["kept"]), rel=1e-6, abs=1e-8)
    assert shrunk == pytest.approx(np.array(expected["shrunk"]), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    ("law", "name", "dispersed"),
    [
        ("binomial", "average_binomial", False),
        ("poisson", "average_poisson", False),
        ("poisson", "average_dispersed", True),
    ],
)
def test_models_of_every_subset_are_weighed_as_by_glm_in_r(law, name, dispersed):
    found, expected = average_models(rows(law), dispersed), R[name]
    assert len(found.bic) == 16
    assert found.probability.sum() == pytest.approx(1, rel=1e-12)
    assert found.probability[0] == pytest.approx(expected["best"], rel=1e-8)
    assert found.dispersion == pytest.approx(expected["phi"], rel=1e-8)
    assert found.inclusion == pytest.approx(np.array(expected["inclusion"]), rel=1e-8)
    assert found.averaged == pytest.approx(np.array(expected["averaged"]), rel=1e-8)


def test_dispersion_makes_exposures_less_sure():
    assert R["average_dispersed"]["phi"] > 1.05
    sure, unsure = average_models(rows("poisson")), average_models(rows("poisson"), dispersed=True)
    assert unsure.inclusion.sum() < sure.inclusion.sum()


@pytest.mark.parametrize("law", ["binomial", "poisson"])
def test_at_the_largest_penalty_nothing_is_left_and_below_it_something(law):
    top = largest_penalty(rows(law), 0.5)
    shrunk = fit_elastic_net(rows(law), [top * 1.0001, top * 0.99], 0.5)[1]
    assert not shrunk[0].any()
    assert np.count_nonzero(shrunk[1]) == 1


def test_two_copies_of_an_exposure_share_by_ridge_what_one_had():
    data = rows("binomial")
    twice = Regression(data.kept, data.shrunk[:, [0, 0]], data.outcome, data.offset, data.law)
    found = fit_elastic_net(twice, [0.05], 0.0)[1][0]
    assert found[0] == pytest.approx(found[1], rel=1e-9)


def test_order_of_rows_and_penalties_before_do_not_matter():
    data = rows("poisson")
    order = np.random.Generator(np.random.PCG64(2)).permutation(ROWS)
    alone = fit_elastic_net(data, [0.03], 0.5)[1][0]
    assert fit_elastic_net(data.rows(order), [0.1, 0.03], 0.5)[1][1] == pytest.approx(alone, rel=1e-7, abs=1e-10)


def test_what_cannot_be_fitted_is_said():
    data = rows("binomial")
    with pytest.raises(ParameterError, match="mix is 2"):
        fit_elastic_net(data, [1.0], 2)
    with pytest.raises(ParameterError, match="penalty is negative"):
        fit_elastic_net(data, [-1.0])
    many = Regression(data.kept, np.zeros((ROWS, MOST + 1)), data.outcome, data.offset, data.law)
    with pytest.raises(ParameterError, match="13 exposures make 8192 models"):
        average_models(many)
    split = Regression(np.column_stack([np.ones(ROWS), data.outcome]), data.shrunk, data.outcome, data.offset, data.law)
    with pytest.raises(EstimationError, match="does not converge"):
        fit_elastic_net(split, [0.1])

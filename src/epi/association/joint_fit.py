"""The joint model of several exposures: one robust regression, the elastic net, all subsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.association.joint_model import JointModel
from epi.association.preparation import Study, prepare_areas, prepare_persons
from epi.association.screening import _complete, _fit, _model_words, _row, _without
from epi.association.sir import Sir
from epi.association.terms import AgeForm, Scale, build_terms, find_unit, read_adjustment
from epi.errors import EstimationError, ParameterError
from epi.stats.intervals import check_level
from epi.stats.shrinkage import MOST, Regression, average_models, fit_elastic_net, largest_penalty

if TYPE_CHECKING:
    from numpy.typing import NDArray

PENALTIES = 30
SHOWN = 10


def fit_joint_model(
    data: Any,
    other: Any,
    *,
    exposures: Sequence[str] | None = None,
    adjust: Sequence[str] | None = None,
    cluster: str | None = "default",
    scale: Scale | Mapping[str, float] = "iqr",
    age: AgeForm = "spline",
    family: Literal["poisson", "quasi-poisson"] = "quasi-poisson",
    mix: float = 0.5,
    folds: int = 10,
    halves: int = 100,
    level: float = 0.95,
    labels: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
) -> JointModel:
    """Put several exposures in one model, and see what shrinkage and averaging over models leave of each.

    Parameters
    ----------
    data, other : Enriched, pandas.DataFrame or Sir
        Cases and controls, or ratios of areas and their exposures, as for :func:`screen_exposures`.
    exposures : sequence of str, optional
        Two to twelve exposures; by default those that the enrichment added.
    adjust : sequence of str, optional
        Adjusters, never penalised and in every model; by default age and sex for persons, nothing for areas.
    cluster : str or None, optional
        What errors are robust to, and what is kept together in parts and halves, as for :func:`screen_exposures`.
    scale : {"iqr", "sd", "unit"} or mapping, optional
        Step that ratios are given for.
    age : {"spline", "bands", "linear"}, optional
        How age enters.
    family : {"poisson", "quasi-poisson"}, optional
        Law of the counts of areas; with the second, BIC is corrected for dispersion.
    mix : float, optional
        Elastic net: 1 is the lasso, 0 ridge, which keeps all exposures.
    folds : int, optional
        Parts of the cross-validation: clusters, or rows, that are predicted by the others.
    halves : int, optional
        Halves of the clusters, or rows, that the stability of the selection is seen on.
    level : float, optional
        Confidence level of the regression that is not penalised.
    labels : mapping, optional
        For each exposure, ``label_en``, ``label_fr`` and ``unit``.
    seed : int, optional
        Seed of parts and halves.

    Returns
    -------
    JointModel
        One row an exposure.

    Raises
    ------
    EstimationError
        If an exposure has no spread, a model cannot be fitted, or clusters are fewer than the parts.
    ParameterError
        If a column or an option is unknown, or exposures are fewer than 2 or more than 12.

    Notes
    -----
    The elastic net penalises exposures in standard deviations; its penalty has the least deviance out of the part. The
    stability is the share of halves that keep an exposure at that penalty (Meinshausen and Bühlmann, J R Stat Soc B
    2010;72:417); no bound on false selections is claimed. Probabilities of inclusion take all subsets for as probable
    beforehand, and weigh them by BIC (Raftery, Sociol Methodol 1995;25:111), which counts rows as independent: with
    exposures of areas, they are too sure. Shrunk ratios have no interval: they are biased towards 1 on purpose.

    Examples
    --------
    >>> random = np.random.Generator(np.random.PCG64(3))
    >>> people = pd.DataFrame(random.normal(size=(900, 2)), columns=["a", "b"])
    >>> people["patient_id"] = [f"p{i}" for i in range(900)]
    >>> case = random.random(900) < 1 / (1 + np.exp(0.5 - 0.7 * people["a"]))
    >>> found = fit_joint_model(people[case], people[~case], exposures=["a", "b"], adjust=(), cluster=None, halves=10)
    >>> bool(found.of("a")["inclusion"] > 0.99), bool(found.of("b")["inclusion"] < 0.3)
    (True, True)
    """
    check_level(level)
    areas = isinstance(data, Sir)
    if areas and family not in ("poisson", "quasi-poisson"):
        raise ParameterError(f"family is {family!r}", "poisson or quasi-poisson")
    if not 0 <= mix <= 1 or folds < 2 or halves < 1:
        raise ParameterError(
            f"mix is {mix}, folds {folds} and halves {halves}", "mix between 0 and 1, 2 folds and 1 half or more"
        )
    if isinstance(adjust, str):
        raise ParameterError(f"adjust is {adjust!r}", "a list of terms")
    words = tuple(adjust) if adjust is not None else () if areas else ("age", "sex")
    prepare = prepare_areas if areas else prepare_persons
    study = prepare(data, other, exposures, words, cluster, labels)
    names = study.exposures
    if not 2 <= len(names) <= MOST:
        raise ParameterError(
            f"{len(names)} exposure(s)", f"2 to {MOST}", "one of each cluster, by epi.exposure.cluster_exposures"
        )
    terms = _without([read_adjustment(word, age=age) for word in words], names)
    study.require([term.column for term in terms], "adjusters")
    units = {name: find_unit(study.frame[name], scale, name) for name in names}
    law: str = family if areas else "binomial"
    frame = _complete(study, names, terms)
    if frame.empty:
        raise EstimationError("no row is complete", "rows informed for every term")
    refused = {name: unit.reason for name, unit in units.items() if unit.reason}
    if not refused:
        fitted = _fit(study, names, terms, units, law)
        rows = [_row(study, names, name, "joint", terms, units, law, level, fitted) for name in names]
        refused = {row["exposure"]: row["reason"] for row in rows if row["reason"]}
    if refused:
        raise EstimationError(
            "the joint model cannot be fitted",
            "exposures that can enter one model",
            "leave them out, or group the categories of adjusters",
            faults=[f"{name}: {reason}" for name, reason in refused.items()],
        )
    exposed = frame[list(names)].to_numpy(dtype=float)
    adjusted = build_terms(frame, terms).to_numpy(dtype=float)
    spread = exposed.std(axis=0)
    regression = _regression(study, frame, (exposed - exposed.mean(axis=0)) / spread, adjusted)
    groups = pd.factorize(frame["cluster"], sort=True)[0] if study.cluster else np.arange(len(frame))
    random = np.random.Generator(np.random.PCG64(seed))
    top = largest_penalty(regression, mix)
    path = top * np.geomspace(1, 1e-3, PENALTIES)
    chosen = path[_validate(regression, groups, path, mix, folds, random)]
    shrunk = fit_elastic_net(regression, [chosen], mix)[1][0]
    kept, done = _halve(regression, groups, chosen, mix, halves, random)
    averaged = average_models(regression, dispersed=law == "quasi-poisson")
    step = np.array([units[name].size for name in names]) / spread
    table = pd.DataFrame(rows).drop(columns=["model", "adjustment", "reason", "p"])
    table["vif"] = _inflation(np.column_stack([exposed, adjusted]))[: len(names)]
    table["shrunk"] = np.exp(shrunk * step)
    table["stability"] = np.nan if mix == 0 else kept
    table["inclusion"], table["averaged"] = averaged.inclusion, np.exp(averaged.averaged * step)
    for name in ("n", "n_cases", "n_controls", "clusters"):
        table[name] = table[name].astype("Int64")
    singular = np.linalg.svd(regression.shrunk, compute_uv=False)
    models = pd.DataFrame(
        {
            "exposures": [
                ", ".join(name for name, there in zip(names, member, strict=True) if there) or "–"
                for member in averaged.members[:SHOWN]
            ],
            "probability": averaged.probability[:SHOWN],
            "bic": averaged.bic[:SHOWN] - averaged.bic[0],
        }
    )
    settings = {
        "model": _model_words(law, study.cluster), "family": law, "adjust": [term.describe() for term in terms],
        "cluster": study.cluster, "scale": dict(scale) if isinstance(scale, Mapping) else scale, "mix": mix,
        "penalty": float(chosen), "folds": folds, "halves": done, "halves_refused": halves - done,
        "dispersed": law == "quasi-poisson", "dispersion": averaged.dispersion, "level": level, "seed": seed,
        "condition": float(singular[0] / singular[-1]), "rows": len(frame),
    }  # fmt: skip
    order = [
        "exposure", "label_en", "label_fr", "scale_en", "scale_fr", "unit_size", "n", "n_cases", "n_controls",
        "clusters", "vif", "estimate", "ci_low", "ci_high", "df", "shrunk", "stability", "inclusion", "averaged",
        "warning",
    ]  # fmt: skip
    return JointModel(table[order], models, "RR" if areas else "OR", study.design, settings)


def _regression(
    study: Study, frame: pd.DataFrame, exposures: NDArray[np.float64], adjusters: NDArray[np.float64]
) -> Regression:
    scaled = (adjusters - adjusters.mean(axis=0)) / adjusters.std(axis=0)
    return Regression(
        np.column_stack([np.ones(len(frame)), scaled]),
        exposures,
        frame["outcome"].to_numpy(dtype=float),
        np.log(frame["expected"].to_numpy(dtype=float)) if study.design == "areas" else np.zeros(len(frame)),
        "poisson" if study.design == "areas" else "binomial",
    )


def _validate(
    data: Regression,
    groups: NDArray[np.intp],
    path: NDArray[np.float64],
    mix: float,
    folds: int,
    random: np.random.Generator,
) -> int:
    """Find the penalty whose models predict best the clusters that they have not seen."""
    count = int(groups.max()) + 1
    if count < folds:
        raise EstimationError(
            f"{count} clusters cannot make {folds} parts", "as many clusters as parts, at least", f"folds={count}"
        )
    part = np.empty(count, dtype=int)
    part[random.permutation(count)] = np.arange(count) % folds
    total = np.zeros(len(path))
    for fold in range(folds):
        away = part[groups] == fold
        kept, shrunk = fit_elastic_net(data.rows(~away), path.tolist(), mix)
        left = data.rows(away)
        total += [left.deviance(one, other) for one, other in zip(kept, shrunk, strict=True)]
    return int(np.argmin(total))


def _halve(
    data: Regression, groups: NDArray[np.intp], penalty: float, mix: float, halves: int, random: np.random.Generator
) -> tuple[NDArray[np.float64], int]:
    """Give the share of the halves of the clusters whose elastic net keeps each exposure."""
    count = int(groups.max()) + 1
    times, done = np.zeros(data.shrunk.shape[1]), 0
    for _ in range(halves):
        chosen = np.isin(groups, random.permutation(count)[: count // 2])
        try:
            shrunk = fit_elastic_net(data.rows(chosen), [penalty], mix)[1][0]
        except EstimationError:
            # A half that lacks a category of an adjuster is told, in `halves_refused`, and not counted.
            continue
        times += shrunk != 0
        done += 1
    if done < halves / 2:
        raise EstimationError(
            f"{halves - done} of {halves} halves of the clusters cannot be fitted",
            "halves that can",
            "fewer adjusters, or grouped categories",
        )
    return times / done, done


def _inflation(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variance inflation factors: the diagonal of the inverse of the correlations."""
    return np.asarray(np.diag(np.linalg.inv(np.corrcoef(columns, rowvar=False))))

"""p-values and intervals of a screen that hold when exposures and risk are smooth in space.

The score of each exposure is summed by area: residuals of counts (areas), or of case status over the
persons who live in an area (case-control). Maps of the exposure are redrawn with the same spatial
structure; see :mod:`epi.stats.spatial.map_test`. The interval inverts that test; see
:mod:`epi.stats.spatial.map_interval`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.association.preparation import Study
from epi.association.terms import Adjustment, build_terms
from epi.errors import EstimationError, ParameterError
from epi.geography import LEVELS, area_points
from epi.stats.models import fit_glm
from epi.stats.multiplicity import adjust_p
from epi.stats.spatial.map_interval import MapInterval, map_interval
from epi.stats.spatial.map_test import MapTest, distance_weights, family_p, map_score_test
from epi.stats.spatial.spectral import MoranBasis, build_moran_basis
from epi.stats.spatial.weights import SpatialWeights

Spatial = SpatialWeights | MoranBasis | str | None


@dataclass(frozen=True)
class Asked:
    """One row of a screen whose exposure is to be tested.

    Parameters
    ----------
    row : int
        Its place in the table.
    exposure : str
        The exposure.
    terms : sequence of Adjustment
        Adjusters.
    others : tuple of str
        Other exposures of the same model.
    """

    row: int
    exposure: str
    terms: Sequence[Adjustment]
    others: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What the random maps say of one row.

    Parameters
    ----------
    test : MapTest
        Of the exposure alone.
    interval : MapInterval or None
        Log ratio of one unit with its limits; None when its equations have no solution.
    areas : int
        Number of areas.
    """

    test: MapTest
    interval: MapInterval | None
    areas: int


@dataclass
class SpatialTester:
    """Tests the exposures of a screen by maps at random.

    Parameters
    ----------
    study : Study
        The rows.
    spatial : SpatialWeights or MoranBasis or str
        ``"distance"``, or who is near whom.
    draws : int
        Random maps.
    seed : int
        Seed of the signs.
    level : float
        Confidence level of the intervals.
    bases : dict, optional
        Eigenvectors made so far, by the areas that they are of.
    """

    study: Study
    spatial: SpatialWeights | MoranBasis | str
    draws: int
    seed: int
    level: float
    bases: dict[tuple[Any, ...], MoranBasis] = field(default_factory=dict)

    @property
    def area(self) -> str:
        """Column of areas."""
        return "area" if self.study.design == "areas" else "cluster"

    def check(self, level: str | None) -> None:
        """Refuse, before anything is fitted, what cannot be tested.

        Parameters
        ----------
        level : str or None
            Level of territory of the areas.

        Raises
        ------
        ParameterError
            If areas are unknown, or are no level of territory and no weights are given.
        """
        if self.draws < 19:
            raise ParameterError(f"draws is {self.draws}", "19 or more; 999 for p-values to a thousandth")
        if self.area not in self.study.frame.columns:
            raise ParameterError("the spatial test needs the area of each person", "an area", 'cluster="bassin_de_vie"')
        if isinstance(self.spatial, str):
            if self.spatial != "distance":
                raise ParameterError(f"spatial is {self.spatial!r}", 'spatial weights, a Moran basis, or "distance"')
            if level not in LEVELS:
                raise ParameterError(
                    f"areas by {level!r} have no points of their own", f"a level among {', '.join(LEVELS)}",
                    "give spatial weights of these areas: distance_weights(codes, lon, lat)",
                )  # fmt: skip
            points = area_points(str(level)).set_index("area")
            codes = sorted(self.study.frame[self.area].dropna().astype(str).unique())
            lacking = [code for code in codes if code not in points.index]
            if lacking:
                raise ParameterError(f"{len(lacking)} areas have no point", f"codes of {level}")
            at = points.loc[codes]
            self.spatial = distance_weights(codes, at["lon"].to_numpy(), at["lat"].to_numpy())

    def basis_of(self, codes: pd.Index) -> MoranBasis:
        """Give the eigenvectors for some areas, made once.

        Parameters
        ----------
        codes : pandas.Index
            Codes of areas, sorted.

        Returns
        -------
        MoranBasis
            For these areas in this order.
        """
        key = tuple(codes)
        if key not in self.bases:
            if isinstance(self.spatial, MoranBasis):
                if not self.spatial.labels.equals(codes):
                    raise ParameterError(
                        f"the Moran basis is of {len(self.spatial)} areas, {len(codes)} have complete values",
                        "the same areas in the order of their codes",
                        "give the spatial weights in place of the basis",
                    )
                self.bases[key] = self.spatial
            elif isinstance(self.spatial, SpatialWeights):
                part = self.spatial.select(codes)
                self.bases[key] = build_moran_basis(part, style="given" if _is_dense(part) else "row")
        return self.bases[key]

    def test(self, asked: Iterable[Asked], complete: Any) -> dict[int, Found]:
        """Test each row.

        Parameters
        ----------
        asked : iterable of Asked
            The rows to test.
        complete : callable
            Gives the complete rows of the study for exposures and adjusters.

        Returns
        -------
        dict
            What is found for each row; an exposure that the adjusters determine has none.
        """
        groups: dict[tuple[Any, ...], tuple[pd.DataFrame, list[Asked]]] = {}
        for one in asked:
            frame = complete(self.study, (one.exposure, *one.others), one.terms)
            key = (tuple(term.describe() for term in one.terms), one.others, frame.index.to_numpy().tobytes())
            groups.setdefault(key, (frame, []))[1].append(one)
        found = {}
        for frame, rows in groups.values():
            null = self._null(frame, rows[0].terms, rows[0].others)
            for one in rows:
                x = frame[one.exposure].to_numpy(dtype=float)
                try:
                    test = map_score_test(
                        [null.mean(x)], null.residual, null.information, null.basis, null.means, draws=self.draws,
                        seed=self.seed,
                    )  # fmt: skip
                except EstimationError:  # determined by the adjusters: its model was refused, and says so
                    continue
                try:
                    interval = map_interval(
                        x, null.outcome, null.codes, null.basis, null.adjusters, family=null.family,
                        offset=null.offset, level=self.level,
                    )  # fmt: skip
                except EstimationError:
                    interval = None
                found[one.row] = Found(test, interval, len(null.basis))
        return found

    def _null(self, frame: pd.DataFrame, terms: Sequence[Adjustment], others: tuple[str, ...]) -> _Null:
        design = pd.concat([build_terms(frame, terms), frame[list(others)].astype(float)], axis=1)
        adjusters = design.to_numpy(dtype=float)
        y = frame["outcome"].to_numpy(dtype=float)
        areas = self.study.design == "areas"
        offset = np.log(frame["expected"].to_numpy(dtype=float)) if areas else np.zeros(len(frame))
        if design.shape[1]:
            fit = fit_glm(design, y, family="poisson" if areas else "binomial", offset=offset)
            linear = fit.coefficients[0] + adjusters @ fit.coefficients[1:] + offset
        else:
            linear = offset + (np.log(y.sum() / np.exp(offset).sum()) if areas else np.log(y.mean() / (1 - y.mean())))
        fitted = np.exp(linear) if areas else 1 / (1 + np.exp(-linear))
        codes, labels = pd.factorize(frame[self.area].astype(str), sort=True)
        basis = self.basis_of(pd.Index(labels, dtype=object))
        information = fitted if areas else fitted * (1 - fitted)
        return _Null("poisson" if areas else "binomial", y, offset, adjusters, codes, basis, y - fitted, information)


@dataclass(frozen=True)
class _Null:
    """The model without the exposures under test: its rows, and what is left of them by area."""

    family: Literal["poisson", "binomial"]
    outcome: NDArray[np.float64]
    offset: NDArray[np.float64]
    adjusters: NDArray[np.float64]
    codes: NDArray[np.int64]
    basis: MoranBasis
    row_residual: NDArray[np.float64]
    row_information: NDArray[np.float64]

    @cached_property
    def residual(self) -> NDArray[np.float64]:
        return np.bincount(self.codes, weights=self.row_residual).astype(float)

    @cached_property
    def information(self) -> NDArray[np.float64]:
        return np.bincount(self.codes, weights=self.row_information).astype(float)

    @cached_property
    def means(self) -> NDArray[np.float64] | None:
        columns = [self.mean(column) for column in self.adjusters.T]
        return np.column_stack(columns) if columns else None

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average by area, each row weighing its information."""
        total = np.bincount(self.codes, weights=self.row_information * values).astype(float)
        return total / self.information


def _is_dense(weights: SpatialWeights) -> bool:
    """Tell weights between all pairs, which say how near, from those between neighbours, which are rescaled."""
    return weights.matrix.nnz == len(weights) * (len(weights) - 1)


def add_spatial_columns(
    table: pd.DataFrame,
    tester: SpatialTester,
    terms: Mapping[str, Sequence[Adjustment]],
    complete: Any,
) -> pd.DataFrame:
    """Add the ratios, limits and p-values that allow for space to the table of a screen.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of a screen, with `p`.
    tester : SpatialTester
        What tests.
    terms : mapping
        Adjusters of each set.
    complete : callable
        Gives the complete rows of the study for exposures and adjusters.

    Returns
    -------
    pandas.DataFrame
        The table with `estimate_spatial`, `ci_low_spatial`, `ci_high_spatial`, `p_spatial`, `q_spatial`,
        `p_family` and `areas`; rows without an estimate have none.
    """
    asked = []
    for place, row in enumerate(table.to_dict("records")):
        if row["reason"]:
            continue
        family = table[(table["adjustment_set"] == row["adjustment_set"]) & (table["model"] == row["model"])]
        joint = tuple(family["exposure"]) if row["model"] == "joint" else (row["exposure"],)
        used = [term for term in terms[row["adjustment_set"]] if term.column not in joint]
        others = tuple(name for name in joint if name != row["exposure"])
        asked.append(Asked(place, row["exposure"], used, others))
    found = tester.test(asked, complete)
    empty = np.full(len(table), np.nan)
    columns = {name: empty.copy() for name in ("estimate_spatial", "ci_low_spatial", "ci_high_spatial", "p_spatial")}
    areas: list[Any] = [found[place].areas if place in found else pd.NA for place in range(len(table))]
    for place, one in found.items():
        columns["p_spatial"][place] = one.test.p[0]
        if one.interval is not None:
            step = float(table["unit_size"].iloc[place])
            columns["estimate_spatial"][place] = np.exp(one.interval.estimate * step)
            columns["ci_low_spatial"][place] = np.exp(one.interval.low * step)
            columns["ci_high_spatial"][place] = np.exp(one.interval.high * step)
    table = table.assign(**columns, areas=pd.array(areas, dtype="Int64"))
    keys = list(zip(table["adjustment_set"], table["model"], strict=True))
    table["q_spatial"] = table.groupby(["adjustment_set", "model"], sort=False)["p_spatial"].transform(
        lambda values: adjust_p(values.to_numpy())
    )
    family_wise = empty.copy()
    for key in dict.fromkeys(keys):
        places = [place for place, own in enumerate(keys) if own == key and place in found]
        if places:
            z = [found[place].test.z[0] for place in places]
            family_wise[places] = family_p(z, np.column_stack([found[place].test.drawn[:, 0] for place in places]))
    return table.assign(p_family=family_wise)

"""The latent field of a BYM2 model, for given hyperparameters: its mode, its precision, what moves it.

With v the unstructured and u the scaled structured effect of areas, and s and t their standard
deviations, the logarithm of the relative risk is x b + s u + t v. Given weights of the counts, v is
summed out area by area, so that only the banded precision of u, and a border for b and for the
constraints of u, are factorised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from epi.errors import EstimationError
from epi.stats.spatial.icar import RIDGE, ScaledIcar, inverse_diagonal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STEPS = 200
LONGEST_STEP = 2.0
"""Of a log risk in one step of Newton's method, which could otherwise leap where counts are zero."""


@dataclass(frozen=True)
class Factor:
    """A factorised precision of the field; areas are in the order of the map's effect.

    Parameters
    ----------
    field : Field
        The model.
    structured, unstructured : float
        Standard deviation s of the structured part, variance t² of the unstructured one.
    weight, kept : numpy.ndarray
        Weight of each count, and 1 / (1 + t² weight); shape (areas,).
    root : numpy.ndarray
        Cholesky factor of the precision of u, as lower bands.
    cross, schur : numpy.ndarray
        Border for the coefficients: shapes (areas, terms) and (terms, terms), the latter inverted.
    tie_u, tie_b, tie : numpy.ndarray
        Border for the constraints: (areas, parts), (terms, parts), and (parts, parts) inverted.
    log_det : float
        Logarithm of the determinant of the precision under the constraints, up to a constant.
    """

    field: Field
    structured: float
    unstructured: float
    weight: Floats
    kept: Floats
    root: Floats
    cross: Floats
    schur: Floats
    tie_u: Floats
    tie_b: Floats
    tie: Floats
    log_det: float

    def respond(self, gradient: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Give the covariance of the field times a gradient in the log risks.

        Parameters
        ----------
        gradient : numpy.ndarray
            Shape (areas,).

        Returns
        -------
        coefficients, structured_effects, predictor, log_risks : numpy.ndarray
            Coefficients b; u; x b + s u; and with the unstructured effects.
        """
        field, s = self.field, self.structured
        pull = gradient * self.kept
        free = linalg.cho_solve_banded((self.root, True), s * pull, check_finite=False)
        b = self.schur @ (field.terms.T @ pull - self.cross.T @ (s * pull))
        u = free - self.cross @ b
        gap = self.tie @ (field.icar.constraints @ u)
        u, b = u - self.tie_u @ gap, b - self.tie_b @ gap
        predictor = field.terms @ b + s * u
        return b, u, predictor, (predictor + self.unstructured * gradient) * self.kept

    @property
    def _sides(self) -> tuple[Floats, Floats]:
        side = self.field.terms - self.structured * self.cross
        return side, self.field.terms @ self.tie_b + self.structured * self.tie_u

    def variances(self) -> Floats:
        """Give the variance of each log risk.

        Returns
        -------
        numpy.ndarray
            Shape (areas,).
        """
        side, tied = self._sides
        ahead = self.structured**2 * inverse_diagonal(self.root)
        ahead += ((side @ self.schur) * side).sum(axis=1) - ((tied @ self.tie) * tied).sum(axis=1)
        return np.asarray(self.unstructured * self.kept + ahead * self.kept**2)

    def covariance(self) -> Floats:
        """Give the covariance of the log risks.

        Returns
        -------
        numpy.ndarray
            Shape (areas, areas).
        """
        side, tied = self._sides
        whole = linalg.cho_solve_banded((self.root, True), np.eye(len(self.kept)), check_finite=False)
        whole *= self.structured**2
        whole += side @ self.schur @ side.T
        whole -= tied @ self.tie @ tied.T
        whole *= np.outer(self.kept, self.kept)
        whole[np.diag_indices(len(self.kept))] += self.unstructured * self.kept
        return np.asarray(whole)

    def coefficient_covariance(self) -> tuple[Floats, Floats]:
        """Give the covariance of the coefficients, with each other and with the log risks.

        Returns
        -------
        own, with_risks : numpy.ndarray
            Shapes (terms, terms) and (terms, areas).
        """
        side, tied = self._sides
        own = self.schur - self.tie_b @ self.tie @ self.tie_b.T
        return own, (self.schur @ side.T - self.tie_b @ self.tie @ tied.T) * self.kept


@dataclass(frozen=True)
class Mode:
    """Where the field is most likely.

    Parameters
    ----------
    log_risk : numpy.ndarray
        Log relative risks, shape (areas,).
    coefficients : numpy.ndarray
        Coefficients, shape (terms,).
    factor : Factor
        Precision there.
    evidence : float
        Logarithm of the marginal likelihood of the hyperparameters by Laplace's method, up to a constant.
    """

    log_risk: Floats
    coefficients: Floats
    factor: Factor
    evidence: float


@dataclass(frozen=True)
class Field:
    """Counts, terms and map of a BYM2 model, areas in the order of the map's effect.

    Parameters
    ----------
    observed : numpy.ndarray
        Cases, zero where missing.
    expected : numpy.ndarray
        Expected cases, zero where the count is missing.
    terms : numpy.ndarray
        Design, the intercept first; shape (areas, terms).
    icar : ScaledIcar
        Structured effect of the map.
    precision : float
        Prior precision of every coefficient.
    """

    observed: Floats
    expected: Floats
    terms: Floats
    icar: ScaledIcar
    precision: float

    def factorise(self, sigma: float, log_rest: float, weight: Floats) -> Factor:
        """Factorise the precision of the field.

        Parameters
        ----------
        sigma : float
            Standard deviation of the effects of areas.
        log_rest : float
            Logarithm of the share of their variance that has no structure, log(1 - phi).
        weight : numpy.ndarray
            Weight of each count.

        Returns
        -------
        Factor
            The factorised precision.
        """
        t2 = sigma**2 * np.exp(log_rest)
        s = sigma * np.sqrt(-np.expm1(log_rest))
        kept = 1 / (1 + t2 * weight)
        pull = weight * kept
        bands = self.icar.bands.copy()
        bands[0] += RIDGE + s**2 * pull
        root = linalg.cholesky_banded(bands, lower=True, check_finite=False)
        ties, p = self.icar.constraints, self.terms.shape[1]
        loaded = s * pull[:, None] * self.terms
        solved = linalg.cho_solve_banded((root, True), np.column_stack([loaded, ties.T]), check_finite=False)
        cross, free = solved[:, :p], solved[:, p:]
        schur = (self.terms * pull[:, None]).T @ self.terms + self.precision * np.eye(p) - loaded.T @ cross
        schur = (schur + schur.T) / 2
        inverse = np.linalg.inv(schur)
        across = cross.T @ ties.T
        tie_u, tie_b = free + cross @ inverse @ across, -inverse @ across
        tie = ties @ tie_u
        log_det = float(
            2 * np.log(root[0]).sum() - np.log(kept).sum() + np.linalg.slogdet(schur)[1] + np.linalg.slogdet(tie)[1]
        )
        return Factor(
            self, float(s), float(t2), weight, kept, root, cross, inverse, tie_u, tie_b, np.linalg.inv(tie), log_det
        )

    def find_mode(self, sigma: float, log_rest: float, start: Floats) -> Mode:
        """Find where the field is most likely, by Newton's method.

        Parameters
        ----------
        sigma, log_rest : float
            Hyperparameters, see :meth:`factorise`.
        start : numpy.ndarray
            Log risks to start from.

        Returns
        -------
        Mode
            The mode.

        Raises
        ------
        EstimationError
            If it is not found.
        """
        eta = start
        for _ in range(STEPS):
            weight = self.expected * np.exp(eta)
            factor = self.factorise(sigma, log_rest, weight)
            gradient = weight * eta + self.observed - weight
            b, u, predictor, ahead = factor.respond(gradient)
            longest = float(np.abs(ahead - eta).max())
            if longest < 1e-8:
                break
            eta = eta + (ahead - eta) * min(1.0, LONGEST_STEP / longest)
        else:
            raise EstimationError(
                f"the mode of the spatial model was not found in {STEPS} steps",
                "covariates without extreme values",
                "take logarithms of skewed covariates, or check the expected numbers",
            )
        # v is gradient left over by the predictor, so that no small variance divides a difference.
        v2 = factor.unstructured * float((((gradient - weight * predictor) * factor.kept) ** 2).sum())
        prior = v2 + self.icar.quadratic(u) + self.precision * float((b**2).sum())
        likelihood = float((self.observed * eta - weight).sum())
        return Mode(eta, b, factor, likelihood - prior / 2 - factor.log_det / 2)

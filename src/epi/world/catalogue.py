"""The diseases a world draws from: weights of the long tail, filières, onset, inheritance, genes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.world.centres import FILIERES
from epi.world.newborns import planted_codes
from epi.world.population import read_data
from epi.world.streams import choose

# Jannot 2023: 547,346 of 753,660 with an ORPHA code; 53,606 of these with a group or a non-rare code only.
CODED_SHARE = 547_346 / 753_660
NOT_COUNTED_SHARE = 53_606 / 547_346
NOT_RARE_SHARE = 0.3
SUBTYPE_SHARE = 0.4
_UNCODED = {"ANDDI-RARES": 1.8, "DEFISCIENCE": 1.7, "BRAIN-TEAM": 1.2, "MCGRE": 0.6, "MUCO-CFTR": 0.5, "FILSLAN": 0.0}
# Onset categories: youngest and oldest age in years.
ONSET = {"A": (-0.4, -0.02), "N": (0.0, 0.08), "I": (0.08, 2.0), "C": (2.0, 12.0), "D": (12.0, 19.0),
         "U": (19.0, 65.0), "E": (60.0, 85.0)}  # fmt: skip
_ALL_AGES = {"N": 0.14, "I": 0.2, "C": 0.26, "D": 0.1, "U": 0.25, "E": 0.05}
_CHILDHOOD = {"A": 0.08, "N": 0.2, "I": 0.28, "C": 0.3, "D": 0.06, "U": 0.07, "E": 0.01}


@dataclass(frozen=True)
class Catalogue:
    """The diseases, and probabilities over them.

    Parameters
    ----------
    table : pandas.DataFrame
        orpha_code, level, disorder_code, fsmr, weight, onset, inheritance, male_share, hgnc.
    filiere : numpy.ndarray
        Position of each disease's filière.
    disorders, others : numpy.ndarray
        Rows that count as rare disorders; rows of groups and non-rare codes.
    onset : numpy.ndarray
        Probabilities of the seven onset categories, one row for each disease; the last row is for
        patients without a code.
    """

    table: pd.DataFrame
    filiere: NDArray[np.int64]
    disorders: NDArray[np.int64]
    others: NDArray[np.int64]
    onset: NDArray[np.float64]

    def draw_disorders(self, generator: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Draw rare disorders, some recorded at the level of a subtype.

        Parameters
        ----------
        generator : numpy.random.Generator
            The stream.
        size : int
            How many.

        Returns
        -------
        numpy.ndarray
            Rows of the catalogue.
        """
        weight = self.table["weight"].to_numpy()[self.disorders]
        rows = self.disorders[choose(generator, weight, size)]
        first, count, order = self._subtypes
        chance, pick = generator.random(size), generator.random(size)
        finer = (count[rows] > 0) & (chance < SUBTYPE_SHARE)
        at = first[rows[finer]] + (pick[finer] * count[rows[finer]]).astype(np.int64)
        rows[finer] = order[at]
        return rows

    def draw_others(self, generator: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Draw codes that the national count leaves out: groups, and diseases that are not rare.

        Parameters
        ----------
        generator : numpy.random.Generator
            The stream.
        size : int
            How many.

        Returns
        -------
        numpy.ndarray
            Rows of the catalogue.
        """
        weight = self.table["weight"].to_numpy()[self.others].copy()
        common = self.table["level"].to_numpy()[self.others] == "not_rare"
        weight[common] *= NOT_RARE_SHARE / weight[common].sum()
        weight[~common] *= (1 - NOT_RARE_SHARE) / weight[~common].sum()
        return self.others[choose(generator, weight, size)]

    def draw_filieres(self, generator: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Draw the filière of patients without a code.

        Parameters
        ----------
        generator : numpy.random.Generator
            The stream.
        size : int
            How many.

        Returns
        -------
        numpy.ndarray
            Positions in ``FILIERES``.
        """
        weight = np.bincount(
            self.filiere, weights=self.table["weight"] * (self.table["level"] == "disorder"), minlength=23
        )
        return choose(generator, weight * [_UNCODED.get(name, 1.0) for name in FILIERES], size)

    @property
    def _subtypes(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        rows = np.flatnonzero((self.table["level"] == "subtype").to_numpy())
        parent = pd.Index(self.table["orpha_code"]).get_indexer(self.table["disorder_code"].to_numpy()[rows])
        order = rows[np.argsort(parent, kind="stable")]
        count = np.bincount(parent, minlength=len(self.table))
        return np.concatenate([[0], np.cumsum(count)[:-1]]), count, order


@cache
def load_catalogue() -> Catalogue:
    """Read the catalogue that travels with the world.

    Returns
    -------
    Catalogue
        The diseases.

    Examples
    --------
    >>> len(load_catalogue().disorders) > 6000
    True
    """
    table = read_data("diseases.csv.gz").reset_index(drop=True)
    level = table["level"].to_numpy()
    drawn = ~table["orpha_code"].isin(planted_codes()).to_numpy()
    onset = np.zeros((len(table) + 1, len(ONSET)))
    letters = list(ONSET)
    for row, text in enumerate(table["onset"]):
        for letter in text or "L":
            if letter == "L":
                for other, share in _ALL_AGES.items():
                    onset[row, letters.index(other)] += share
            else:
                onset[row, letters.index(letter)] += 1.0
    onset[-1] = [_CHILDHOOD[letter] for letter in letters]
    onset /= onset.sum(axis=1, keepdims=True)
    position = {name: number for number, name in enumerate(FILIERES)}
    return Catalogue(
        table,
        np.array([position[name] for name in table["fsmr"]], dtype=np.int64),
        np.flatnonzero((level == "disorder") & (table["weight"] > 0).to_numpy() & drawn),
        np.flatnonzero(((level == "group") | (level == "not_rare")) & drawn),
        onset,
    )

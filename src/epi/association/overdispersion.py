"""Whether incidence ratios vary more between areas than chance would have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.association.smoothing import informed_areas
from epi.association.withholding import count_small, round_statistic, show_p, withheld_note
from epi.results import Release
from epi.stats.spatial.overdispersion import dispersion_tests

if TYPE_CHECKING:
    from epi.association.sir import Sir


@dataclass(frozen=True)
class Overdispersion:
    """Tests of a constant relative risk.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a test: `test`, `statistic`, `null_mean`, `null_sd`, `p` (by the law of reference),
        `p_simulated`.
    settings : mapping
        What determined them, with the number of `areas`, and of ``small`` ones, whose count must be hidden.
    """

    table: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    def release(self) -> Release:
        """Say what would be published.

        Returns
        -------
        Release
            The table. Statistics bear on all counts together: where some are hidden they are given to two figures
            and p by class, or withheld (:mod:`epi.association.withholding`).
        """
        table, small = self.table.copy(), self.settings["small"]
        for column in ("statistic", "null_mean", "null_sd"):
            table[column] = [round_statistic(value, small) for value in table[column]]
        for column in ("p", "p_simulated"):
            table[column] = [show_p(value, small) for value in table[column]]
        return Release(
            table=table,
            title="Tests of a constant relative risk",
            not_counts=("statistic", "null_mean", "null_sd", "p", "p_simulated"),
            note=f"{self.settings['areas']} areas by {self.settings['by']}; one-sided p, also by "
            f"{self.settings['draws']:,} draws of the total over the areas.{self.settings['note']}"
            + withheld_note(small),
            labels={"test": "Test", "statistic": "Statistic", "null_mean": "Mean if constant",
                    "null_sd": "SD if constant", "p": "p", "p_simulated": "p by simulation"},
        )  # fmt: skip

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format="{:,.4g}".format))


def check_overdispersion(sir: Sir, *, draws: int = 9_999, seed: int = 1) -> Overdispersion:
    """Test whether ratios vary more between areas than Poisson counts would.

    Parameters
    ----------
    sir : Sir
        Incidence ratios by area.
    draws : int, optional
        Draws of the simulated p.
    seed : int, optional
        Seed of the draws.

    Returns
    -------
    Overdispersion
        Pearson's, Potthoff and Whittinghill's and Dean's tests; see
        :func:`epi.stats.spatial.overdispersion.dispersion_tests`.

    Raises
    ------
    EstimationError
        If fewer than two areas have a ratio, or there is no case.
    ParameterError
        If there are too few draws.

    Examples
    --------
    >>> from epi.association import estimate_sir
    >>> cases = pd.DataFrame({"area": list("abcd"), "observed": [9, 39, 11, 2]})
    >>> people = pd.DataFrame({"area": list("abcd"), "person_years": [1_400.0, 8_700.0, 6_000.0, 5_500.0]})
    >>> sir = estimate_sir(cases, people, "area", strata=(), reference=pd.DataFrame({"rate": [0.001]}))
    >>> check_overdispersion(sir, draws=999).table[["test", "p_simulated"]].values.tolist()
    [['Pearson', 0.001], ['Potthoff-Whittinghill', 0.001], ['Dean', 0.001]]
    """
    known = informed_areas(sir)
    tests = dispersion_tests(
        known["observed"].to_numpy(dtype=float), known["expected"].to_numpy(dtype=float), draws=draws, seed=seed
    )
    table = pd.DataFrame(
        {
            "test": [test.name for test in tests],
            "statistic": [test.statistic for test in tests],
            "null_mean": [test.mean for test in tests],
            "null_sd": [test.sd for test in tests],
            "p": np.array([test.p for test in tests]),
            "p_simulated": [test.p_simulated for test in tests],
        }
    )
    settings = {
        "areas": len(known),
        "small": count_small(known["observed"]),
        "draws": draws,
        "seed": seed,
        **{name: sir.settings[name] for name in ("by", "strata", "reference", "years", "note") if name in sir.settings},
    }
    return Overdispersion(table, settings)

"""Print a standard population of France by five-year age group, from INSEE's estimates, as it stands in the package.

Usage: ``python scripts/derive_standard_population.py [year]``, with ``population_france_age_sex_1991_2022.csv.gz``
(INSEE, estimates of population on 1 January, Licence Ouverte 2.0) in the folder of open data. Estimates of the last
three years of a file are provisional: 2019 is the last year that this one has for good.
"""

from __future__ import annotations

import sys

from epi.sources.open_data import read_population_age_sex


def derive_standard(year: int) -> dict[int, int]:
    """Add up both sexes in groups of five years, the last one open.

    Parameters
    ----------
    year : int
        Year whose 1 January is meant.

    Returns
    -------
    dict
        Lower bound of age to persons.
    """
    table = read_population_age_sex().table
    of_year = table[table["year"].astype(int) == year]
    group = (of_year["age"].astype(int) // 5 * 5).clip(upper=95)
    return {int(low): int(persons) for low, persons in of_year["population"].groupby(group).sum().items()}


if __name__ == "__main__":
    print(derive_standard(int(sys.argv[1]) if len(sys.argv) > 1 else 2019))

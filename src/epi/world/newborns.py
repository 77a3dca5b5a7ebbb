"""Diseases of newborn screening, and like ones that are not screened: births, deaths, and whom the registry ever saw.

Children are born all over a period longer than the registry's; mortality depends on age, calendar year
and screening; the registry begins in 2007 and sees those still alive. Everything planted is in one place,
so that a study can be held against it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.codes import screening_coverage
from epi.world.layout import NONE, day_number
from epi.world.population import read_data
from epi.world.streams import choose, open_stream
from epi.world.territory import Territory, all_communes

FIRST_YEAR, LAST_YEAR = 1960, 2024
EXTRACTION = day_number("2025-06-30")
YEAR = 365.25
TREND, TREND_ORIGIN = -0.02, 2010
"""Logarithm of the yearly progress of care, the same for all diseases, screened or not."""
REGISTRY_START, LAST_START = day_number("2007-01-01"), day_number("2011-01-01")
CAPTURED, INCLUSION_YEARS, INCLUSION_DAYS = 0.9, 1.5, 30.0
LOST_PER_YEAR, DEATHS_RECORDED, REMOVED = 0.03, 0.8, 0.15
OVERSEAS = ("971", "972", "973", "974", "976")
ILE_DE_FRANCE = ("75", "77", "78", "91", "92", "93", "94", "95")
SCREENED_AGE = 12 / YEAR


@dataclass(frozen=True)
class Disease:
    """What is planted for one disease.

    Parameters
    ----------
    filiere : str
        Network that follows it.
    severe : dict
        ORPHA codes under which classical forms are recorded, and their shares.
    births : dict
        Cases for 100,000 births: overseas, Île-de-France, elsewhere.
    excess : tuple of (float, float)
        Age in years from which, and excess deaths a person-year without screening, in 2010.
    clinical : tuple of float
        Median age at diagnosis without screening, in years, and standard deviation of its logarithm.
    ratio : float
        Ratio of the excess hazards with and without screening; 1 for diseases that are not screened.
    screened_as : str
        Name in the calendar of screening; of the one whose eras it is compared by, for a control.
    mild : int
        ORPHA code of forms without excess mortality, 0 for none.
    mild_births : float
        Births of mild forms for one birth of a classical one.
    control : bool
        Whether it is a negative control.
    """

    filiere: str
    severe: dict[int, float]
    births: dict[str, float]
    excess: tuple[tuple[float, float], ...]
    clinical: tuple[float, float]
    ratio: float
    screened_as: str
    mild: int = 0
    mild_births: float = 0.0
    control: bool = False


def _same(rate: float) -> dict[str, float]:
    return {"overseas": rate, "ile_de_france": rate, "elsewhere": rate}


# Incidences: BEH 2015;15-16 for screened diseases, orders of size for controls. Excess mortality is invented.
PLANTED: dict[str, Disease] = {
    "pku": Disease("G2M", {716: 0.4, 79254: 0.4, 79253: 0.2}, _same(6.0), ((0, 0.004), (18, 0.003)), (1.5, 0.8), 0.6,
                   "pku", 79651, 0.6),
    "ch": Disease("FIRENDO", {95712: 0.5, 95713: 0.2, 95716: 0.3}, _same(34.8), ((0, 0.004), (1, 0.0008)),
                  (0.6, 0.9), 0.5, "ch", 178045, 0.3),
    "cah": Disease("FIRENDO", {90794: 0.7, 315306: 0.2, 315311: 0.1}, _same(4.3),
                   ((0, 0.08), (1, 0.006), (5, 0.004), (18, 0.004)), (0.1, 1.0), 0.4, "cah"),
    "sickle_cell": Disease("MCGRE", {232: 0.75, 251365: 0.25},
                           {"overseas": 238.7, "ile_de_france": 150.0, "elsewhere": 30.0},
                           ((0, 0.03), (1, 0.016), (5, 0.016), (18, 0.03), (40, 0.05)), (2.0, 0.9), 0.6,
                           "sickle_cell"),
    "cf": Disease("MUCO-CFTR", {586: 1.0}, _same(12.9),
                  ((0, 0.04), (1, 0.014), (5, 0.024), (18, 0.035), (40, 0.05)), (0.8, 1.1), 0.6, "cf"),
    "duchenne": Disease("FILNEMUS", {98896: 1.0}, _same(10.0), ((0, 0.004), (10, 0.035), (18, 0.08), (30, 0.12)),
                        (4.0, 0.3), 1.0, "cf", control=True),
    "biliary_atresia": Disease("FILFOIE", {30391: 1.0}, _same(5.5), ((0, 0.15), (2, 0.012), (18, 0.014)),
                               (0.15, 0.4), 1.0, "cf", control=True),
    "glycogenosis": Disease("G2M", {364: 1.0}, _same(1.5), ((0, 0.03), (1, 0.008), (18, 0.01)), (0.7, 0.7), 1.0, "cf",
                            control=True),
}  # fmt: skip
"""Screened diseases by their name in the calendar, then the negative controls."""


@dataclass(frozen=True)
class Newborns:
    """Everybody born with one of the diseases, in order of disease and birth.

    Parameters
    ----------
    table : pandas.DataFrame
        disease, orpha_code, mild, screened, male, birth, diagnosis, death, inclusion, visits_until (days since
        1970-01-01, ``NONE`` for none), death_recorded, captured, birth_commune and commune (rows of the
        territory).
    births : pandas.DataFrame
        Births of the territory: departement, year, births.
    planted : dict
        What was planted, for ``truth/newborn_screening.json``.
    """

    table: pd.DataFrame
    births: pd.DataFrame
    planted: dict[str, Any]

    @property
    def seen(self) -> NDArray[np.int64]:
        """Rows of those whom the registry saw."""
        return np.flatnonzero(self.table["captured"].to_numpy())


def planted_codes() -> frozenset[int]:
    """Give the codes of the diseases made here, which no other patient draws.

    Returns
    -------
    frozenset of int
        ORPHA codes.
    """
    return frozenset(code for disease in PLANTED.values() for code in (*disease.severe, disease.mild) if code)


def draw_newborns(territory: Territory, seed: int) -> Newborns:
    """Draw the births, lives and inclusions of the planted diseases.

    Parameters
    ----------
    territory : Territory
        The communes.
    seed : int
        Seed of the world.

    Returns
    -------
    Newborns
        Everybody, seen by the registry or not.
    """
    births = _births(territory)
    parts = [_draw(name, disease, territory, births, seed) for name, disease in PLANTED.items()]
    table = pd.concat(parts, ignore_index=True)
    planted = {
        "birth_years": [FIRST_YEAR, LAST_YEAR],
        "diseases": {name: asdict(disease) for name, disease in PLANTED.items()},
        "excess_hazard": (
            "excess deaths a person-year by age, times the ratio where the child was screened, times "
            "exp(trend x (year - trend_origin)); mild forms have none"
        ),
        "trend": TREND,
        "trend_origin": TREND_ORIGIN,
        "background": "French period life tables by sex, age and year",
        "registry_start": "2007 to 2010, by département",
        "captured_if_alive": CAPTURED,
        "inclusion_mean_years_after_start": INCLUSION_YEARS,
        "lost_per_year": LOST_PER_YEAR,
        "deaths_recorded": DEATHS_RECORDED,
        "births": {name: int(count) for name, count in table["disease"].value_counts(sort=False).items()},
        "captured": {
            name: int(count) for name, count in table[table["captured"]]["disease"].value_counts(sort=False).items()
        },
    }
    return Newborns(table, births, planted)


def _births(territory: Territory) -> pd.DataFrame:
    """Share the births of France out by population: every département of the territory, whole or in part."""
    national = read_data("births_france.csv")
    national = national[national["year"].between(FIRST_YEAR, LAST_YEAR)]
    share = territory.communes.groupby("departement")["population"].sum() / all_communes()["population"].sum()
    table = pd.DataFrame(
        {
            "departement": np.repeat(share.index.to_numpy(dtype=object), len(national)),
            "year": np.tile(national["year"].to_numpy(), len(share)),
            "births": np.outer(share.to_numpy(), national["births"].to_numpy()).round().astype(np.int64).ravel(),
        }
    )
    return table.sort_values(["departement", "year"], ignore_index=True)


def _draw(name: str, disease: Disease, territory: Territory, births: pd.DataFrame, seed: int) -> pd.DataFrame:
    generator = open_stream(seed, "newborns", name)
    area = births["departement"].map(_area)
    expected = births["births"] * area.map(disease.births) / 1e5
    counts = generator.poisson(expected * (1 + disease.mild_births))
    rows = np.repeat(np.arange(len(births)), counts)
    n = len(rows)
    year, departement = births["year"].to_numpy()[rows], births["departement"].to_numpy(dtype=object)[rows]
    start = (year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    birth = start + (generator.random(n) * 365).astype(np.int64)
    commune = _communes(departement, territory, generator)
    mild = generator.random(n) < disease.mild_births / (1 + disease.mild_births)
    codes = np.array(list(disease.severe))[choose(generator, list(disease.severe.values()), n)]
    male = generator.random(n) < (1.0 if name == "duchenne" else 0.5)
    day = birth.astype("datetime64[D]")
    covered = ~np.isin(np.asarray(screening_coverage(disease.screened_as, departement, day)), ["none"])
    screened = covered & ~np.full(n, disease.control)
    # Mild forms are found by screening; without it, one in ten comes to notice.
    found = ~mild | screened | (generator.random(n) < 0.1)
    clinical = disease.clinical[0] * np.exp(disease.clinical[1] * generator.standard_normal(n))
    diagnosis = birth + (YEAR * np.where(screened, SCREENED_AGE, clinical)).astype(np.int64)
    excess = np.where(mild, 0.0, np.where(screened, disease.ratio, 1.0))
    death = _deaths(disease, birth, male, excess, generator)
    inclusion = _inclusions(departement, birth, diagnosis, generator, seed)
    alive = (death == NONE) | (inclusion <= death)
    captured = found & alive & (inclusion <= EXTRACTION) & (generator.random(n) < CAPTURED)
    lost = inclusion + (YEAR * generator.exponential(1 / LOST_PER_YEAR, n)).astype(np.int64)
    removed = generator.random(n) < REMOVED
    elsewhere = choose(generator, territory.communes["population"].to_numpy(), n)
    return pd.DataFrame(
        {
            "disease": name,
            "orpha_code": np.where(mild, disease.mild, codes),
            "mild": mild,
            "covered": covered,
            "screened": screened,
            "male": male,
            "birth": birth,
            "diagnosis": diagnosis,
            "death": death,
            "inclusion": np.where(captured, inclusion, NONE),
            "visits_until": np.where(captured, np.minimum(lost, EXTRACTION), NONE),
            "death_recorded": captured & (death != NONE) & (generator.random(n) < DEATHS_RECORDED),
            "captured": captured,
            "birth_commune": commune,
            "commune": np.where(removed, elsewhere, commune),
        }
    )


def _area(departement: str) -> str:
    return "overseas" if departement in OVERSEAS else "ile_de_france" if departement in ILE_DE_FRANCE else "elsewhere"


def _communes(departement: NDArray[Any], territory: Territory, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw a commune of each département in proportion to its inhabitants."""
    out = np.empty(len(departement), dtype=np.int64)
    place = territory.communes["departement"].to_numpy(dtype=object)
    people = territory.communes["population"].to_numpy()
    for name in np.unique(place):
        here, mine = np.flatnonzero(place == name), np.flatnonzero(departement == name)
        out[mine] = here[choose(generator, people[here], len(mine))]
    return out


def _inclusions(
    departement: NDArray[Any], birth: NDArray[np.int64], diagnosis: NDArray[np.int64],
    generator: np.random.Generator, seed: int,
) -> NDArray[np.int64]:  # fmt: skip
    """First record: soon after a diagnosis made once the registry had begun, else at some visit after its start."""
    names, where = np.unique(departement, return_inverse=True)
    starts = np.array([
        REGISTRY_START + int(open_stream(seed, "newborns", "start", str(name)).random() * (LAST_START - REGISTRY_START))
        for name in names
    ], dtype=np.int64)[where]  # fmt: skip
    n = len(birth)
    old = diagnosis < starts
    visit = starts + (YEAR * generator.exponential(INCLUSION_YEARS, n)).astype(np.int64)
    fresh = diagnosis + generator.exponential(INCLUSION_DAYS, n).astype(np.int64)
    return np.where(old, visit, fresh)


def _deaths(
    disease: Disease, birth: NDArray[np.int64], male: NDArray[np.bool_], ratio: NDArray[np.float64],
    generator: np.random.Generator,
) -> NDArray[np.int64]:  # fmt: skip
    """Draw deaths by running the cumulative hazard down from birth, piece by piece."""
    from epi.survival import life_table

    table = life_table("France", extend="nearest")
    left = generator.exponential(1.0, len(birth))
    death = np.full(len(birth), NONE, dtype=np.int64)
    first = [age for age, _ in disease.excess]
    rates = np.array([rate for _, rate in disease.excess]) / YEAR
    edges = _ages()
    for low, high in pairwise(edges.tolist()):
        alive = np.flatnonzero((death == NONE) & (birth + low < EXTRACTION))
        if not len(alive):
            break
        year = 1970 + (birth[alive] + low) / YEAR
        band = int(np.searchsorted(first, (low + high) / 2 / YEAR, side="right")) - 1
        excess = rates[band] * ratio[alive] * np.exp(TREND * (year - TREND_ORIGIN))
        usual = table.hazard(np.where(male[alive], "M", "F"), np.full(len(alive), low), birth[alive] + low)
        hazard = usual + excess
        dying = left[alive] < hazard * (high - low)
        gone = alive[dying]
        death[gone] = birth[gone] + low + (left[gone] / hazard[dying]).astype(np.int64)
        left[alive] -= hazard * (high - low)
    return np.where(death > EXTRACTION, NONE, death)


def _ages() -> NDArray[np.int64]:
    """Ages in days between which the hazard is held constant: weeks at first, then years."""
    years = (np.arange(1, LAST_YEAR - FIRST_YEAR + 3) * YEAR).astype(np.int64)
    return np.concatenate([[0, 7, 28, 91, 182], years])

from __future__ import annotations

import numpy as np
import pytest

from epi.errors import ParameterError
from epi.geography import read_communes
from epi.world import choose_territory
from epi.world.population import area_structures, count_persons, population_table, read_data
from epi.world.territory import all_communes


@pytest.mark.parametrize("persons", [1_000, 20_000, 300_000, 1_000_000, 2_300_000, 5_000_000, 10_000_000, 30_000_000])
def test_the_dial_takes_whole_territories_at_full_density(persons: int) -> None:
    place = choose_territory(persons)
    official = read_communes().set_index("insee_code")["population"]
    taken = place.communes.set_index("insee_code")["population"]
    assert taken.equals(official.reindex(taken.index)), "every commune has all its inhabitants"
    assert place.communes["insee_code"].is_monotonic_increasing
    assert f"{place.persons:,}" in place.words, "what is realised is said"
    assert abs(place.persons - persons) <= 0.08 * persons
    whole = all_communes().groupby("departement").size()
    for code in place.departements:
        assert (place.communes["departement"] == code).sum() == whole[code]


def test_all_of_france_is_all_of_france() -> None:
    assert choose_territory(68_400_000).persons == 68_350_798


def test_an_overseas_departement_joins_at_three_million() -> None:
    assert "971" not in choose_territory(2_900_000).departements
    assert "971" in choose_territory(3_000_000).departements


def test_growth_goes_to_neighbours() -> None:
    metropolitan = [code for code in choose_territory(10_000_000).departements if not code.startswith("97")]
    from epi.world.territory import _departements

    _, near = _departements()
    reached, edge = {"69"}, ["69"]
    while edge:
        for code in near[edge.pop()] & set(metropolitan) - reached:
            reached.add(code)
            edge.append(code)
    assert reached == set(metropolitan), "the territory is in one piece"


@pytest.mark.parametrize(
    "arguments",
    [
        {"persons": 999},
        {"persons": 70_000_000},
        {"persons": 1e6},
        {"around": "99"},
        {"territories": ["69", "1001"]},
        {"territories": []},
    ],
)
def test_what_cannot_be_had_is_refused(arguments: dict) -> None:
    with pytest.raises(ParameterError):
        choose_territory(**arguments)


def test_commune_totals_are_exact_and_do_not_depend_on_the_territory() -> None:
    wide, narrow = choose_territory(territories=["01", "42", "971", "2A"]), choose_territory(territories=["42"])
    a, b = count_persons(wide, 5), count_persons(narrow, 5)
    assert (a.sum(axis=1) == wide.communes["population"]).all()
    assert a.min() >= 0
    assert (a[(wide.communes["departement"] == "42").to_numpy()] == b).all()
    assert (count_persons(narrow, 6) != b).any(), "another seed rounds otherwise"


def test_ages_follow_the_bassins_de_vie_and_sexes_the_nation() -> None:
    place = choose_territory(territories=["42"])
    counts = count_persons(place, 1)
    shares = read_data("age_shares_bv.csv.gz").set_index("bv2022")
    area = place.communes["bassin_de_vie"].mode()[0]
    mine = (place.communes["bassin_de_vie"] == area).to_numpy()
    ages = counts[mine].reshape(mine.sum(), 2, 20).sum(axis=(0, 1)) / counts[mine].sum()
    wanted = shares.loc[area].to_numpy() / shares.loc[area].sum()
    edges = [0, 3, 6, 9, 12, 15, 18, 20]
    found = np.add.reduceat(ages, edges[:-1])
    # Areas that cross the département's border bring other communes' shares: a tenth of a point at most.
    assert np.abs(found - wanted).max() < 0.002
    national = read_data("age_sex_france.csv")
    women = national.loc[national["sex"] == "F", "persons"].sum() / national["persons"].sum()
    assert abs(counts[:, 20:].sum() / counts.sum() - women) < 0.005


def test_overseas_takes_the_national_structure() -> None:
    areas, structure = area_structures()
    national = read_data("age_sex_france.csv").sort_values(["sex", "age_low"], ascending=[False, True])["persons"]
    assert areas.index[-1] == "other"
    assert np.allclose(structure[-1], national / national.sum())


def test_rare_cells_survive_in_small_communes() -> None:
    place = choose_territory(territories=["48"])  # Lozère: few communes above 1,000 inhabitants
    counts = count_persons(place, 1)
    areas, structure = area_structures()
    rows = areas.index.get_indexer(place.communes["bassin_de_vie"])
    expected = (structure[rows] * place.communes["population"].to_numpy()[:, None]).sum(axis=0)
    assert np.abs(counts.sum(axis=0) - expected).max() < 5 * np.sqrt(len(place.communes) / 4)
    assert counts[:, 39].sum() > 0


def test_population_table_lists_every_cell() -> None:
    place = choose_territory(1_000)
    table = population_table(place, count_persons(place, 1))
    assert len(table) == 40 * len(place.communes)
    assert not table.duplicated(["insee_code", "sex", "age_low"]).any()
    assert table["persons"].sum() == place.persons

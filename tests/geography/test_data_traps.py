"""The traps that the description of the open data names, for what is geography: one test for each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from epi import geography
from epi.errors import GeographyError
from epi.geography import store
from epi.geography.harmonisation import PLACED
from epi.geography.lineage import communes_since_1943
from epi.geography.vintages import read_vintage

COMMUNES = geography.read_communes()


def read(folder, name: str, **options) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.csv.gz", dtype=str, keep_default_na=False, **options)


def test_arrondissements_are_not_added_to_their_city():
    every = geography.read_communes(arrondissements=True)
    assert int(COMMUNES["population"].sum()) == 68_350_798
    assert int(every["population"].sum()) > 68_350_798 + 3_000_000
    inner = every[every["type"] != "commune"]
    cities = inner.groupby("parent_code", observed=True)["population"].sum()
    assert cities.to_dict() == COMMUNES.set_index("insee_code")["population"][cities.index].to_dict()


def test_codes_are_text_and_keep_their_zero():
    assert COMMUNES["insee_code"].iloc[0] == "01001"
    assert COMMUNES["insee_code"].str.len().eq(5).all()
    with pytest.raises(GeographyError, match="4 digits: the leading zero was lost"):
        geography.harmonise(["1001"], 2020)


def test_overseas_collectivities_are_outside_and_departements_inside():
    assert set(COMMUNES["departement"]) >= {"971", "972", "973", "974", "976"}
    table = geography.harmonise(["97502", "97701", "97801", "98735", "97611"], 2020).table
    assert table["status"].tolist() == [*["overseas_collectivity"] * 4, "current"]


def test_four_communes_have_no_epci_and_mayotte_no_arrondissement():
    assert COMMUNES["epci"].isna().sum() == 4
    assert set(COMMUNES.loc[COMMUNES["arrondissement"].isna(), "departement"]) == {"976"}
    assert len(geography.neighbours("epci")) == COMMUNES["epci"].nunique()


def test_communes_made_again_in_2025_do_not_count_their_land_twice():
    assert COMMUNES["area_km2"].sum() == pytest.approx(633_101, abs=60)
    part = COMMUNES.set_index("insee_code")["area_km2"][["15031", "15035", "15047", "15171", "15141"]]
    assert part.notna().all()
    assert (part > 0).all()


def test_the_contours_are_those_of_every_commune_and_of_no_arrondissement(open_data):
    polygons = store.polygons()
    assert sorted(polygons.index) == COMMUNES["insee_code"].tolist()
    inner = geography.arrondissements_of("75056")
    assert not polygons.index.isin(inner).any()
    if open_data is not None:
        source = pq.read_table(open_data / "communes_geometry_2025.parquet", columns=["code_commune"])
        assert sorted(source["code_commune"].to_pylist()) == COMMUNES["insee_code"].tolist()


def test_a_postal_code_is_never_turned_into_a_commune(open_data):
    table = geography.harmonise(["31000", *["38185"] * 20], 2020).table
    assert (table["status"][0], table["insee_code"][0]) == ("postal_code", None)
    if open_data is not None:
        postal = read(open_data, "postal_codes")
        assert postal.groupby("code_postal")["code_commune"].nunique().max() > 20
        with pytest.raises(GeographyError, match="postal codes"):
            geography.harmonise(postal["code_postal"], 2020)


def test_an_iris_starts_with_its_commune_of_2023(open_data):
    assert geography.commune_of_iris(pd.Series(["751010101", None], index=[5, 5])).tolist() == ["75101", None]
    for wrong in (["38185101"], [381850101], ["3818501011"], ["381850101 "], ["2C0040101"]):
        with pytest.raises(GeographyError, match="1 of 1 rows do not hold an IRIS code"):
            geography.commune_of_iris(wrong)
    if open_data is not None:
        iris = read(open_data, "iris_2023")
        assert (geography.commune_of_iris(iris["code_iris"]) == iris["code_commune"]).all()
        table = geography.harmonise(iris["code_commune"].drop_duplicates(), 2023).table
        assert table["status"].isin(PLACED).mean() > 0.997


@pytest.mark.parametrize(
    ("name", "vintage", "outside"),
    [
        ("filosofi_2021_communes", 2024, 0),
        ("census_2011_csp_activity_25_54_communes", 2013, 0),
        ("land_cover_2018_communes", 2022, 0),
    ],
)
def test_a_file_of_an_older_geography_is_carried_by_its_date(open_data, name, vintage, outside):
    if open_data is None:
        return
    source = read(open_data, name)["code_commune"]
    table = geography.harmonise(source, vintage).table
    assert (~table["status"].isin([*PLACED, "split", "ambiguous"])).sum() == outside
    assert table["insee_code"].notna().mean() > 0.9995
    # Joined as it is, it would lose or misplace these.
    assert (table["status"] == "passed").sum() > 0


def test_the_census_file_of_2011_is_in_the_communes_of_2013_and_lost_its_thousands_mark(open_data):
    census = store.former_populations().query("source == 'census_2011_active_25_54'").set_index("code")["persons"]
    assert (census > 1_000).sum() > 100
    if open_data is None:
        return
    source = read(open_data, "census_2011_csp_activity_25_54_communes").set_index("code_commune")
    whole = source.index.difference(geography.arrondissements_of("75056"))
    lineage = communes_since_1943()
    assert whole.isin(lineage.valid_at(read_vintage(2013))).all()
    assert (~whole.isin(lineage.valid_at(read_vintage(2011)))).sum() == 5
    cells = source.filter(like="employed").apply(pd.to_numeric)
    broken = cells % 1 != 0
    assert broken.to_numpy().sum() > 3_000
    mended = cells.where(~broken, cells * 1_000)
    assert mended.to_numpy().sum() == pytest.approx(22_953_280)
    assert np.allclose(mended, mended.round())


def test_filosofi_lists_cities_and_their_arrondissements(open_data):
    if open_data is None:
        return
    source = read(open_data, "filosofi_2021_communes")
    persons = pd.to_numeric(source["n_persons_tax_households"]).astype("Int64")
    table = pd.DataFrame({"code": source["code_commune"], "persons": persons})
    with pytest.raises(GeographyError, match="45 rows of municipal arrondissements"):
        geography.carry_table(table, "code", from_vintage=2024, counts=["persons"])
    # Its list is that of 2024: three communes made again on that day are there, with nobody counted.
    young = geography.harmonise(table["code"], 2023).table["status"] == "delegated"
    assert table[young]["code"].tolist() == ["60694", "85165", "85212"]
    assert table[young]["persons"].isna().all()
    kept = table[~table["code"].isin(["75056", "69123", "13055"])]
    carried = geography.carry_table(
        kept, "code", from_vintage=2024, counts=["persons"], unplaced="apart", missing="skip"
    )
    assert carried.table["persons"].sum() + carried.apart["persons"].sum() == kept["persons"].sum()


def test_the_convenience_map_sends_a_divided_commune_to_one_part(open_data):
    if open_data is None:
        return
    history = read(open_data, "commune_history_map").set_index("code_historical")["code_current"]
    # Grand-Santi as it was in 1990 holds Papaichton too: the events say so, the map does not.
    assert history["97357"] == "97357"
    assert geography.harmonise(["97357"], 1990).table["candidates"].tolist() == ["97357|97362"]
    # Creusy was shared between two communes in 1965.
    assert history["45117"] == "45093"
    assert geography.harmonise(["45117"], 1960).table["candidates"].tolist() == ["45093|45313"]


def test_what_lies_outside_every_area_is_no_area():
    for level in ("urban_unit", "catchment_area"):
        remainder = geography.territory(level).query("outside")["code"]
        assert len(remainder)
        assert not remainder.isin(geography.area_points(level)["area"]).any()
        assert not remainder.isin(geography.neighbours(level).labels).any()

"""Official files that are not at hand: small ones are written in the documented layout and read."""

from __future__ import annotations

import math
from pathlib import Path

import geopandas
import pandas as pd
import pytest
from shapely.geometry import Point

from epi.errors import DataError, GeographyError, ParameterError
from epi.sources import open_data as sources
from epi.sources.open_data import read_layout
from open_data.written import write_air, write_apl, write_book, write_finess, write_irep, write_text, write_water


def test_air_is_latin_1_with_a_line_before_the_heading_and_decimal_commas(tmp_path: Path) -> None:
    read = sources.read_air_communes(write_air(tmp_path))
    assert read.vintage == "2015"
    assert read.geography == "", "the geography of its codes is not stated"
    row = read.table.set_index("code_commune").loc["01001"]
    assert (row["name"], row["no2_ugm3"], row["pm25_popw_ugm3"]) == ("L'Abergement-Clémenciat", 10.5, 9.5)
    assert math.isnan(read.table.set_index("code_commune").loc["2A004", "pm25_ugm3"]), "a blank is missing, not zero"
    assert set(read.info.set_index("column").loc[["no2_ugm3", "pm25_ugm3"], "unit"]) == {"µg/m³"}


def test_air_of_communes_that_merged_is_weighted_by_persons_or_refused(tmp_path: Path) -> None:
    # 01003 Amareins became part of 01165 in 1974; both are given as if the file were older than that.
    rows = [
        "01165;Francheleins;1000;10;10;50;50;5;5;1;15;15;8;8",
        "01003;Amareins;500;13;13;50;;5;5;1;15;15;11;11",
    ]
    read = sources.read_air_communes(write_air(tmp_path, rows))
    with pytest.raises(ParameterError, match="is a mean, and 1 commune"):
        read.to_current()
    today = read.to_current(weights="population")
    assert today.table["code_commune"].tolist() == ["01165"]
    row = today.table.iloc[0]
    assert row["population"] == 1500, "counts are added up"
    assert row["no2_ugm3"] == pytest.approx((10 * 1000 + 13 * 500) / 1500, rel=1e-12)
    assert math.isnan(row["o3_popw_ugm3"]), "a part that is missing makes the whole missing"
    assert today.geography == "2026"
    equal = read.to_current(weights="equal").table.iloc[0]
    assert equal["no2_ugm3"] == 11.5


def test_carrying_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    rows = [
        f"{code};x;{100 + i};{7.1 + i:.3f};{7.1 + i:.3f};1;1;1;1;1;1;1;1;1"
        for i, code in enumerate(["01165", "01003", "01053"])
    ]
    first = sources.read_air_communes(write_air(tmp_path, rows)).to_current(weights="population").table
    second = sources.read_air_communes(write_air(tmp_path, rows[::-1])).to_current(weights="population").table
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_radon_code_of_two_communes_is_given_to_neither(tmp_path: Path) -> None:
    lines = [
        "nom_comm;nom_dept;insee_com;classe_potentiel;reg",
        "Bourg-en-Bresse;AIN;01053;1;ARA",
        "Koungou;MAYOTTE;97605;3;MAYOTTE",
        "Dzaoudzi;MAYOTTE;97605;1;MAYOTTE",
        "Saint-Barthélemy;;;2;",
    ]
    read = sources.read_radon(write_text(tmp_path / "radon.csv", lines))
    assert read.table["code_commune"].tolist() == ["01053"]
    assert read.table["radon_class"].tolist() == ["1"], "a class is never a number to average"
    assert any("97605" in note for note in read.notes)
    assert any("without a code" in note for note in read.notes)


@pytest.mark.parametrize(
    ("name", "heading", "row", "year"),
    [
        ("DEFA_UU2009.csv", "depcom;FDEP09;QUINTILE_COM;quintile_pop", "01053;0,53;3;4", "2009"),
        ("DEFA_UU2013.csv", "depcom;FDEP13;QUINTILE_COM;quintile_pop", "01053;0,53;3;4", "2013"),
        ("DEFA_UU2015.csv", "CODGEO;fdep15;P15_POP;quintile_pop", "01053;0,53;41365;4", "2015"),
        ("DEFA_UU2020.csv", "CODGEO;FDEP20;FDEP20_quint;FDEP20_quint_pop;P20_POP", "01053;0,53;3;4;41248", "2020"),
    ],
)
def test_fdep_of_each_vintage(tmp_path: Path, name: str, heading: str, row: str, year: str) -> None:
    read = sources.read_fdep(write_text(tmp_path / name, [heading, row]))
    assert (read.vintage, read.table.loc[0, "fdep"], read.table.loc[0, "quintile_population"]) == (year, 0.53, "4")
    assert read.layout.absent == "overseas France"


def test_fdep_whose_name_and_column_disagree_is_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path / "DEFA_UU2015.csv", ["CODGEO;FDEP20", "01053;0.5"])
    with pytest.raises(DataError, match="named after 2015, its column FDEP20 is of 2020"):
        sources.read_fdep(path)


def test_edi_by_iris(tmp_path: Path) -> None:
    path = write_text(tmp_path / "EDI2015_IRIS.csv", ["IRIS;EDI2015;quintile_nat", "010530101;-1,2;1"])
    read = sources.read_edi(path)
    assert read.table.loc[0, "edi"] == -1.2
    with pytest.raises(GeographyError, match="the areas of 'edi' are iris"):
        read.to_current()


def test_inputs_of_fdep(tmp_path: Path) -> None:
    wide = write_text(
        tmp_path / "base-cc-diplomes-formation-2022.CSV", ["CODGEO;P22_NSCOL15P;P22_NSCOL15P_BAC", "01053;100.25;17"]
    )
    read = sources.read_diplomas(wide)
    assert read.vintage == "2022"
    assert read.table.loc[0, ["p22_nscol15p", "p22_nscol15p_bac"]].tolist() == [100.25, 17]
    assert set(read.info["kind"]) == {"code", "count"}
    long = write_text(
        tmp_path / "DS_RP_DIPLOMES_data.csv",
        [
            "GEO;GEO_OBJECT;TIME_PERIOD;SEX;EDUC;OBS_VALUE",
            "01053;COM;2021;_T;350T351_RP;12.5",
            "84;REG;2021;_T;200_RP;9",
        ],
    )
    melodi = sources.read_melodi_diplomas(long)
    assert melodi.table[["code_commune", "year", "education", "persons"]].to_numpy().tolist() == [
        ["01053", "2021", "350T351_RP", 12.5]
    ]
    assert melodi.notes == ("1 of 2 row(s) are set aside: kept are geo_object = COM.",)
    work = write_text(
        tmp_path / "DS_RP_EMPLOI_LR_COMP_data.csv",
        ["GEO;GEO_OBJECT;TIME_PERIOD;AGE;EMPSTA_ENQ;PCS;OBS_VALUE", "01053;COM;2021;Y15T64;1T2;6;812"],
    )
    assert sources.read_melodi_employment(work).table.loc[0, "persons"] == 812
    active = write_text(
        tmp_path / "base-cc-emploi-pop-active-2021.CSV", ["CODGEO;P21_ACT1564;C21_ACT1564_CS6", "01053;9;2"]
    )
    assert sources.read_employment(active).table.columns.tolist() == ["code_commune", "p21_act1564", "c21_act1564_cs6"]


def test_filosofi_official_layout_with_withheld_values(tmp_path: Path) -> None:
    lines = ["CODGEO;NBMENFISC21;NBPERSMENFISC21;MED21;PIMP21;TP6021;D121;D921;RD21",
             "01053;18000;39000;21000;52,5;17,0;11000;36000;3,3", "01001;346;895;25820;s;s;nd;nd;s"]  # fmt: skip
    read = sources.read_filosofi(write_text(tmp_path / "cc_filosofi_2021_COM.csv", lines))
    assert read.vintage == "2021"
    assert read.table["poverty_rate_60_pct"].tolist()[0] == 17.0
    assert read.table.loc[1, ["pct_households_taxed", "poverty_rate_60_pct", "decile1_eur"]].isna().all()


def test_filosofi_iris_official_layout(tmp_path: Path) -> None:
    names = "pimp tp60 incert q1 med q3 eq d1 d2 d3 d4 d6 d7 d8 d9 rd s80s20 gi pact ptsa pcho pben ppen paut note"
    heading = ";".join(["IRIS", *(f"DEC_{name.upper()}21" for name in names.split())])
    row = ";".join(["010530101", "43,0", "so", "2", *(["10,5"] * 21), "0"])
    read = sources.read_filosofi_iris(write_text(tmp_path / "BASE_TD_FILO_IRIS_2021_DEC.csv", [heading, row]))
    assert read.table.loc[0, "gi"] == 10.5
    assert pd.isna(read.table.loc[0, "tp60"])


def test_zonings_density_and_iris_workbooks(tmp_path: Path) -> None:
    heading = ["CODGEO", "LIBGEO", "ARR", "ZE2020", "UU2020", "TUU2017", "TDUU2017", "AAV2020", "CATEAAV2020", "BV2022"]
    notes = [["Table d'appartenance"]] * 5
    row = ["01001", "L'Abergement", "012", "8405", "01000", "0", "00", "524", "20", "01093"]
    book = write_book(
        tmp_path / "table-appartenance-geo-communes-2025.xlsx",
        {"COM": [*notes, heading, row], "ARM": [*notes, heading, ["75101", "Paris 1er", *row[2:]]]},
    )
    read = sources.read_zonings(book)
    assert read.table["code_commune"].tolist() == ["01001", "75101"]
    assert read.table["bv2022"].tolist()[0] == "01093"
    assert (read.vintage, read.geography) == ("2025", "2025")
    grid = write_book(
        tmp_path / "grille_densite_7_niveaux_2024.xlsx",
        {"Maille communale": [["a"]] * 4 + [["CODGEO", "LIBGEO", "DENS", "LIBDENS", "PMUN21"],
                                            ["01053", "Bourg-en-Bresse", 2, "Centres urbains intermédiaires", 41365]]},
    )  # fmt: skip
    density = sources.read_density_grid(grid)
    assert density.table.loc[0, ["density_level", "population"]].tolist() == ["2", 41_365]
    iris = write_book(
        tmp_path / "reference_IRIS_geo2024.xlsx",
        {"Emboitements_IRIS": [["a"]] * 5 + [["CODE_IRIS", "LIB_IRIS", "TYP_IRIS", "GRD_QUART", "DEPCOM", "DEP"],
                                             ["010530101", "Pont", "H", "0105301", "01053", "01"]]},
    )  # fmt: skip
    assert sources.read_iris(iris).table.loc[0, "code_commune"] == "01053"


def test_codes_that_a_spreadsheet_made_numbers_are_refused(tmp_path: Path) -> None:
    book = write_book(
        tmp_path / "grille_densite_7_niveaux_2024.xlsx",
        {"x": [["a"]] * 4 + [["CODGEO", "LIBGEO", "DENS"], [1053, "Bourg", 2], [75056, "Paris", 1]]},
    )
    with pytest.raises(DataError, match=r"code_commune: 2 code\(s\) are numbers that lost their leading zeros"):
        sources.read_density_grid(book)


def test_apl_has_one_sheet_a_year_a_line_of_units_and_a_trailing_blank(tmp_path: Path) -> None:
    path = write_apl(tmp_path)
    read = sources.read_apl(path, vintage="2022")
    assert (read.vintage, read.table["apl"].tolist()) == ("2022", [2.2, 3.1])
    assert read.table["apl_65_and_under"].tolist() == [2.0, 2.9]
    assert read.table["code_commune"].tolist() == ["01001", "75101"]
    assert sources.read_apl(tmp_path, vintage="2023").table["apl"].tolist() == [2.4, 3.1]
    with pytest.raises(ParameterError, match="has 3 sheets"):
        sources.read_apl(path)


def test_icpe_official_shapefile_is_windows_1252(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame(
        {
            "code_aiot": ["0006516611", "0006500001"], "x": [660163, 660200], "y": [6872619, 6872700],
            "code_epsg": ["2154", "2154"], "nom_ets": ["Société d'œuvres – Épinay", "USINE"], "num_dep": ["93", "93"],
            "cd_insee": ["93007", "93031"], "cd_postal": ["93150", "93800"], "commune": ["Le Blanc-Mesnil", "Épinay"],
            "cd_regime": ["E", "A"], "lib_regime": ["Enregistrement", "Autorisation"], "seveso": ["3", "1"],
            "lib_seveso": ["Non Seveso", "Seveso seuil haut"],
        },
        geometry=[Point(660163, 6872619), Point(660200, 6872700)], crs=2154,
    )  # fmt: skip
    path = tmp_path / "InstallationsClassees_France.shp"
    frame.to_file(path, encoding="windows-1252")
    path.with_suffix(".cpg").unlink(missing_ok=True)
    read = sources.read_icpe(path)
    assert read.table.loc[0, "nom_ets"] == "Société d'œuvres – Épinay"
    assert read.table["lib_seveso"].tolist() == ["Non Seveso", "Seveso seuil haut"]
    assert read.table.crs.to_epsg() == 2154
    path.with_suffix(".dbf").unlink()
    with pytest.raises(DataError, match="is not beside"):
        sources.read_icpe(path)


def test_irep_members_of_the_yearly_zip_and_their_checked_coordinates(tmp_path: Path) -> None:
    path = write_irep(tmp_path)
    read = sources.read_irep_establishments(path)
    assert (read.vintage, len(read.table)) == ("2021", 4)
    located = sources.locate_irep(read)
    assert located.table["location_check"].tolist() == ["in_commune", "elsewhere", "no_commune", "no_coordinates"]
    assert located.table["code_commune"].tolist() == ["38185", "01053", None, "2A004"]
    assert located.table.loc[0, ["lon", "lat"]].astype(float).round(1).tolist() == [5.7, 45.2]
    emissions = sources.read_irep_emissions(path)
    assert emissions.table[["milieu", "polluant", "quantite"]].to_numpy().tolist() == [
        ["Air", "Plomb (Pb)", 12.5], ["Eau (direct)", "Zinc (Zn)", 300.0],
    ]  # fmt: skip
    assert "not zero" in emissions.layout.absent


def test_water_below_detection_is_handled_as_asked(tmp_path: Path) -> None:
    write_water(tmp_path)
    results = sources.read_water_results(tmp_path)
    nitrate = results.table[results.table["parameter"] == "NO3"]
    assert nitrate["value"].tolist() == [12.5, 0.5]
    assert nitrate["below_detection"].tolist() == [False, True]
    assert results.table.loc[2:, "value"].isna().all(), "a word, and '>', are no measure"
    parts = sources.read_water_networks(tmp_path), sources.read_water_samples(tmp_path), results
    for rule, mean in (("zero", 6.25), ("half", 6.375), ("limit", 6.5)):
        table = sources.summarise_water(*parts, ["NO3"], below_detection=rule).table
        assert table.to_numpy().tolist() == [["01001", "NO3", mean, 2, 1], ["01002", "NO3", mean, 2, 1]]
    with pytest.raises(ParameterError, match="below_detection"):
        sources.summarise_water(*parts, ["NO3"], below_detection="none")
    with pytest.raises(ParameterError, match="PEST: no result"):
        sources.summarise_water(*parts, ["NO3", "PEST"], below_detection="zero")


def test_pesticides_are_shared_only_by_a_rule(tmp_path: Path) -> None:
    name = "BNVD_TRACABILITE_20221016_ACHAT_CP_SUBSTANCE_ARA_2021.csv"
    heading = "annee;code_postal_acheteur;substance;classification;quantite_substance"
    lines = [heading, "2021;01400;glyphosate;Autres;10,0", "2021;01400;soufre;Autres;2,0", "2021;99999;x;Autres;5"]
    bought = sources.read_pesticides_postal(write_text(tmp_path / name, lines))
    pairs = ["code_commune,code_postal,source,code_commune_current", "01001,01400,t,01001", "01093,01400,t,01093"]
    (tmp_path / "postal_codes.csv.gz").write_bytes(__import__("gzip").compress("\n".join(pairs).encode()))
    postal = sources.read_postal_codes(tmp_path)
    equal = sources.share_purchases(bought, postal, rule="equal")
    assert equal.table[["code_commune", "kg"]].to_numpy().tolist() == [["01001", 6.0], ["01093", 6.0]]
    people = sources.share_purchases(bought, postal, rule="population")
    assert people.table["kg"].sum() == pytest.approx(12, rel=1e-12)
    assert people.table.set_index("code_commune").loc["01093", "kg"] > 8, "Châtillon has more inhabitants"
    assert any("5.0 kg" in note for note in people.notes)
    with pytest.raises(ParameterError, match="rule is None"):
        sources.share_purchases(bought, postal, rule=None)


def test_postal_codes_that_lost_their_zero_upstream_are_refused(tmp_path: Path) -> None:
    name = "BNVD_TRACABILITE_20221016_ACHAT_CP_SUBSTANCE_ARA_2021.csv"
    heading = "annee;code_postal_acheteur;substance;classification;quantite_substance"
    path = write_text(tmp_path / name, [heading, "2021;1400;glyphosate;Autres;10"])
    with pytest.raises(DataError, match="lost their leading zeros"):
        sources.read_pesticides_postal(path)


def test_finess_records_without_a_heading(tmp_path: Path) -> None:
    read = sources.read_finess(write_finess(tmp_path))
    first = read.table.set_index("finess_et").loc["380780080"]
    assert (first["code_commune"], first["category_code"]) == ("38185", "355")
    assert (round(first["lon"], 1), round(first["lat"], 1)) == (5.8, 45.2)
    overseas = read.table.set_index("finess_et").loc["970100228"]
    assert pd.isna(overseas["code_commune"])
    assert math.isnan(overseas["lon"]), "another projection than Lambert-93 is not guessed"
    lines = ["finess;etalab", "etablissement;1;2"]
    with pytest.raises(DataError, match="unknown type"):
        sources.read_finess(write_text(tmp_path / "etalab-cs1100502-stock-20240110.csv", lines, "latin-1"))


def test_official_cog_movements_births_and_population(tmp_path: Path) -> None:
    cog = write_text(
        tmp_path / "v_commune_2025.csv",
        ["TYPECOM,COM,REG,DEP,CTCD,ARR,TNCC,NCC,NCCENR,LIBELLE,CAN,COMPARENT",
         "COM,01001,84,01,01D,012,5,ABERGEMENT CLEMENCIAT,Abergement-Clémenciat,L'Abergement-Clémenciat,0108,",
         "COMD,01015,,,,,1,ARBIGNIEU,Arbignieu,Arbignieu,,01015",
         "COM,01015,84,01,01D,011,1,ARBOYS,Arboys,Arboys,0104,"],
    )  # fmt: skip
    read = sources.read_cog_communes(cog)
    assert read.geography == "2025"
    assert read.table["parent_code"].tolist() == [None, "01015", None]
    sides = ",".join(
        f"{name}_{side}" for side in ("AV", "AP") for name in ["TYPECOM", "COM", "TNCC", "NCC", "NCCENR", "LIBELLE"]
    )
    head = f"MOD,DATE_EFF,{sides}"
    for heading in (head, head.lower()):
        path = write_text(
            tmp_path / "v_mvt_commune_2025.csv", [heading, "32,2025-01-01,COM,01187,0,A,A,A,COM,01187,0,B,B,B"]
        )
        assert sources.read_movements(path).table.loc[0, ["mod", "com_av"]].tolist() == ["32", "01187"]
    births = write_text(tmp_path / "base_naissances_2023.csv", ["CODGEO;NAISD22;NAISD23", "01053;600;590"])
    assert sources.read_births_communes(births).table.loc[0, "naisd23"] == 590
    people = write_text(
        tmp_path / "base-cc-evol-struct-pop-2022.CSV", ["CODGEO;P22_POP;P22_H0014;LIB", "01053;41000;3500.5;x"]
    )
    assert sources.read_population_communes(people).table.columns.tolist() == ["code_commune", "p22_pop", "p22_h0014"]


@pytest.mark.parametrize("name", ["former_sites", "agriculture", "reference_centres"])
def test_layouts_that_are_not_verified_are_refused_politely(name: str) -> None:
    with pytest.raises(DataError, match="no reader is offered"):
        read_layout(name)


def test_split_communes_are_set_aside_or_refused(tmp_path: Path) -> None:
    # 45117 was split: it has two communes of today.
    rows = ["45117;x;10;1;1;1;1;1;1;1;1;1;1;1", "01053;y;20;1;1;1;1;1;1;1;1;1;1;1"]
    read = sources.read_air_communes(write_air(tmp_path, rows))
    today = read.to_current(weights="population")
    assert today.table["code_commune"].tolist() == ["01053"]
    assert any("1 row(s) without a single commune" in note for note in today.notes)
    with pytest.raises(GeographyError, match="1 of 2"):
        read.to_current(weights="population", on_ambiguous="refuse")


def test_what_is_not_listed_is_filled_only_where_the_producer_says_zero(tmp_path: Path) -> None:
    read = sources.read_air_communes(write_air(tmp_path)).to_current(weights="population")
    with pytest.raises(DataError, match="is missing, not zero"):
        read.fill_unlisted()
    absent = read.missing_areas
    assert len(absent) == 34_875 - 3
    assert set(absent["meaning"]) == {"missing"}

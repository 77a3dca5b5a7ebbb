"""Small files written in the documented layouts."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl

AIR = "Indicateurs_QualiteAir_France_Commune_2015_Ineris_v.Dec2024.csv"
APL = "Indicateur d'accessibilité potentielle localisée (APL) aux médecins généralistes.xlsx"


def write_text(path: Path, lines: Sequence[str], encoding: str = "utf-8") -> Path:
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


def write_book(path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def write_air(folder: Path, rows: Sequence[str] = (), encoding: str = "latin-1") -> Path:
    """INERIS: one line before the heading, 14 columns known by order."""
    heading = (
        "Code INSEE;Commune;Population;Moyenne NO2;NO2 pond. population;Moyenne O3;O3 pond.;SOMO 35;SOMO35 pond.;"
        "AOT 40;Moyenne PM10;PM10 pond.;Moyenne PM25;PM25 pond."
    )
    lines = rows or [
        "01001;L'Abergement-Clémenciat;771;10,5;10,7;55,1;55,0;5100;5090;17000;15,1;15,2;9,4;9,5",
        "01003;Amareins;300;12,5;12,7;54,1;54,0;5000;4990;16000;16,1;16,2;9,8;9,9",
        "2A004;Ajaccio;65000;9,1;11,7;60,2;;6000;5900;20000;17,0;17,4;;",
    ]
    return write_text(folder / AIR, ["Indicateurs de qualité de l'air", heading, *lines], encoding)


def write_apl(folder: Path) -> Path:
    """DREES: eight lines, the heading (one has a trailing blank), a line of units; one sheet a year."""

    def sheet(year: int, value: float) -> list[list[Any]]:
        heading = [
            "Code commune INSEE", "Commune", "APL aux médecins généralistes",
            "APL aux médecins généralistes de 65 ans et moins ", "APL aux médecins généralistes de 62 ans et moins",
            "APL aux médecins généralistes de 60 ans et moins",
            f"Population standardisée {year} pour la médecine générale", f"Population totale {year}",
        ]  # fmt: skip
        units = ["", "", "en nb de C/an/hab.", "C/an/hab.", "C/an/hab.", "C/an/hab.", "habitants", "habitants"]
        rows = [["01001", "L'Abergement", value, 2.0, 1.9, 1.8, 760.5, 771], ["75101", "Paris 1", 3.1, 2.9, 2, 1, 1, 2]]
        return [[f"note {line}"] for line in range(8)] + [heading, units, *rows]

    return write_book(
        folder / APL, {"Paramètres": [["lisez-moi"]], "APL 2022": sheet(2022, 2.2), "APL 2023": sheet(2023, 2.4)}
    )


def write_irep(folder: Path) -> Path:
    """Géorisques: a zip of one year; one point in its commune, one in another, one without a name we know."""
    heading = (
        "identifiant;nom_etablissement;numero_siret;adresse;code_postal;commune;departement;region;"
        "coordonnees_x;coordonnees_y;code_epsg;code_ape;libelle_ape;code_eprtr;libelle_eprtr"
    )
    rows = [
        "0061.00001;USINE A;1;;38000;GRENOBLE CEDEX 1;ISERE;ARA;913000;6458000;2154;;;;",
        "0061.00002;USINE B;2;;01000;BOURG EN BRESSE;AIN;ARA;913000;6458000;2154;;;;",
        "0061.00003;USINE C;3;;38000;NULLE PART;ISERE;ARA;913000;6458000;2154;;;;",
        "0061.00004;USINE D;4;;20000;AJACCIO;CORSE;CORSE;;;2154;;;;",
    ]
    emissions = [
        "identifiant;nom_etablissement;annee_emission;milieu;polluant;quantite;unite",
        "0061.00001;USINE A;2021;Air;Plomb (Pb);12,5;kg/an",
        "0061.00001;USINE A;2021;Eau (direct);Zinc (Zn);300;kg/an",
    ]
    path = folder / "2021.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("etablissements.csv", "\n".join([heading, *rows]) + "\n")
        archive.writestr("emissions.csv", "\n".join(emissions) + "\n")
        archive.writestr("rejets.csv", "a;b\n1;2\n")
    return path


def write_water(folder: Path) -> None:
    write_text(
        folder / "DIS_COM_UDI_2023.txt",
        ["inseecommune,nomcommune,quartier,cdreseau,nomreseau,debutalim",
         "01001,A,,001000123,R1,2010-01-01", "01002,B,,001000123,R1,2010-01-01",
         "01001,A,Bourg,001000123,R1,2010-01-01"],
    )  # fmt: skip
    write_text(
        folder / "DIS_PLV_2023.txt",
        ["cddept,cdreseau,inseecommuneprinc,referenceprel,dateprel", "001,001000123,01001,P1,2023-03-01",
         "001,001000123,01001,P2,2023-06-01"],
    )  # fmt: skip
    write_text(
        folder / "DIS_RESULT_2023.txt",
        ["cddept,referenceprel,cdparametresiseeaux,rqana,cdunitereferencesiseeaux", '001,P1,NO3,"12,5",mg/L',
         '001,P2,NO3,"<0,5",mg/L', "001,P1,ASPECT,Aspect normal,", "001,P1,COLI,>100,n/100mL"],
    )  # fmt: skip


def write_finess(folder: Path) -> Path:
    def establishment(number: str, name: str, commune: str, dept: str) -> str:
        fields = [""] * 31
        fields[:4] = ["structureet", number, "310000633", name]
        fields[12], fields[13], fields[18], fields[19] = commune, dept, "355", "Centre hospitalier"
        return ";".join(fields)

    lines = [
        "finess;etalab;90;2024-01-10",
        establishment("380780080", "CHU GRENOBLE ALPES", "185", "38"),
        establishment("970100228", "CHU DE LA GUADELOUPE", "105", "9A"),
        "geolocalisation;380780080;917000.0;6459000.0;1,ATLASANTE,100,IGN,BD_ADRESSE,V2.2,LAMBERT_93;2024-01-10",
        "geolocalisation;970100228;650000.0;1790000.0;1,ATLASANTE,100,IGN,BD_ADRESSE,V2.2,UTM_N20;2024-01-10",
    ]
    return write_text(folder / "etalab-cs1100507-stock-20240110-0338.csv", lines, "latin-1")

"""Each bad file gets its sentence, and never a value from inside."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from epi.errors import DataError, EpiError, ParameterError
from epi.sources import open_data as sources
from epi.sources.open_data import read_layout
from open_data.written import write_air, write_book, write_irep, write_text

RADON = [
    "nom_comm;nom_dept;insee_com;classe_potentiel;reg",
    "Bourg-en-Bresse;AIN;01053;1;ARA",
    "Épieds;AISNE;02280;1;HDF",
]
HTML = b"<!DOCTYPE html><html><head><title>404</title></head></html>"


def radon(folder: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    return write_text(folder / "radon.csv", lines, encoding)


BAD = {
    "wrong separator": ([line.replace(";", ",") for line in RADON], r"look separated by ','"),
    "a column missing": ([line.rsplit(";", 2)[0] for line in RADON], r"radon_class \(classe_potentiel\) is not there"),
    "codes as numbers": ([RADON[0], "Bourg;AIN;1053;1;ARA"], "1 code.s. are numbers that lost their leading zeros"),
    "codes as decimals": ([RADON[0], "Bourg;AIN;1053.0;1;ARA"], "lost their leading zeros"),
    "malformed codes": ([RADON[0], "Bourg;AIN;FR053;1;ARA"], r"code_commune: 1 code\(s\) are malformed"),
    "no rows": ([RADON[0]], "has no row of data"),
    "fields too many": ([*RADON, "a;b;01001;1;r;more;and more"], "more fields than the heading"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_texts(tmp_path: Path, name: str) -> None:
    lines, sentence = BAD[name]
    with pytest.raises(DataError, match=sentence) as caught:
        sources.read_radon(radon(tmp_path, lines))
    assert "radon.csv" in str(caught.value)
    assert "1053.0" not in str(caught.value)
    assert "FR053" not in str(caught.value)


def test_wrong_encoding_both_ways(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not in UTF-8: it may be in Latin-1"):
        sources.read_radon(radon(tmp_path, RADON, "latin-1"))
    with pytest.raises(DataError, match=r"is in UTF-8\. Expected: latin-1"):
        sources.read_air_communes(write_air(tmp_path, encoding="utf-8"))


def test_web_page_empty_file_and_absent_file(tmp_path: Path) -> None:
    path = tmp_path / "radon.csv"
    path.write_bytes(HTML)
    with pytest.raises(DataError, match="is a web page, not data"):
        sources.read_radon(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"radon\.csv is empty"):
        sources.read_radon(path)
    path.write_bytes(b"\n\n")
    with pytest.raises(DataError, match="is empty once unpacked"):
        sources.read_radon(path)
    path.unlink()
    with pytest.raises(DataError, match=r"radon\.csv is not there"):
        sources.read_radon(path)
    with pytest.raises(DataError, match=r"static.data.gouv.fr.*epi data add FILE"):
        sources.read_radon(tmp_path)


def test_truncated_archives(tmp_path: Path) -> None:
    whole = gzip.compress(b"code_commune,code_postal,source,code_commune_current\n01001,01400,x,01001\n" * 50)
    path = tmp_path / "postal_codes.csv.gz"
    for cut in (5, len(whole) // 2, len(whole) - 4):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match="is cut short or damaged"):
            sources.read_postal_codes(path)
    path.write_bytes(gzip.compress(HTML))
    with pytest.raises(DataError, match="is a web page"):
        sources.read_postal_codes(path)
    zipped = write_irep(tmp_path)
    zipped.write_bytes(zipped.read_bytes()[:200])
    with pytest.raises(DataError, match="is cut short or damaged"):
        sources.read_irep_establishments(zipped)


def test_workbooks_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "grille_densite_7_niveaux_2024.xlsx"
    path.write_bytes(b"CODGEO;DENS\n01001;6\n")
    with pytest.raises(DataError, match=r"is not an .xlsx workbook"):
        sources.read_density_grid(path)
    zonings = write_book(tmp_path / "table-appartenance-geo-communes-2025.xlsx", {"COM": [["x"]]})
    with pytest.raises(DataError, match="lacks the sheet ARM"):
        sources.read_zonings(zonings)


def test_another_vintage_is_not_taken_for_the_one_asked_for(tmp_path: Path) -> None:
    path = write_air(tmp_path)
    with pytest.raises(DataError, match=r"is of 2015. Expected: the vintage 2019"):
        sources.read_air_communes(path, vintage="2019")
    with pytest.raises(DataError, match="no file of 2019"):
        sources.read_air_communes(tmp_path, vintage="2019")
    path.with_name(path.name.replace("2015", "2016")).write_bytes(path.read_bytes())
    with pytest.raises(ParameterError, match="2 files of 'air_communes'"):
        sources.read_air_communes(tmp_path)
    assert sources.read_air_communes(tmp_path, vintage="2016").vintage == "2016"
    nameless = tmp_path / "air.csv"
    nameless.write_bytes(path.read_bytes())
    assert sources.read_air_communes(nameless).vintage == "not stated"
    with pytest.raises(DataError, match="does not state its year"):
        sources.read_air_communes(nameless, vintage="2015")


def test_columns_known_by_order_must_be_as_many(tmp_path: Path) -> None:
    path = write_air(tmp_path)
    lines = path.read_bytes().decode("latin-1").splitlines()
    write_text(path, [lines[0], *(line.rsplit(";", 1)[0] for line in lines[1:])], "latin-1")
    with pytest.raises(DataError, match=r"has 13 column\(s\). Expected: 14"):
        sources.read_air_communes(path)


def test_numbers_that_are_words_negative_counts_and_rows_twice(tmp_path: Path) -> None:
    good = "01001;x;771;10,5;10,7;55,1;55,0;5100;5090;17000;15,1;15,2;9,4;9,5"
    path = write_air(tmp_path, [good, good.replace("01001", "01002").replace("10,5", "beaucoup").replace("771", "-3")])
    with pytest.raises(DataError) as caught:
        sources.read_air_communes(path)
    assert "no2_ugm3: 1 row(s) are not numbers" in str(caught.value), "all faults at once"
    assert "population: 1 count(s) are negative" in str(caught.value)
    assert "beaucoup" not in str(caught.value)
    with pytest.raises(DataError, match=r"1 row\(s\) have the code_commune of another row"):
        sources.read_air_communes(write_air(tmp_path, [good, good]))


def test_infinite_numbers_are_refused(tmp_path: Path) -> None:
    path = write_air(tmp_path, ["01001;x;771;inf;10,7;55,1;55,0;5100;5090;17000;15,1;15,2;9,4;9,5"])
    with pytest.raises(DataError, match="no2_ugm3"):
        sources.read_air_communes(path)


def test_zip_without_the_member(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "2021.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("autre.csv", "a;b\n")
    with pytest.raises(DataError, match=r"has 0 member\(s\)"):
        sources.read_irep_emissions(path)


def test_unknown_layouts_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match="radon"):
        read_layout("radonn")
    monkeypatch.delenv("EPI_OPEN_DATA", raising=False)
    with pytest.raises(EpiError, match="nothing says where open data are"):
        sources.read_radon()
    monkeypatch.setenv("EPI_OPEN_DATA", str(tmp_path / "absent"))
    with pytest.raises(DataError, match="is not a folder"):
        sources.read_radon()


def test_air_columns_in_another_order_are_refused(tmp_path: Path) -> None:
    # PM10 and PM2.5 exchanged.
    path = write_air(tmp_path, ["01001;x;771;10,5;10,7;55,1;55,0;5100;5090;17000;9,4;9,5;15,1;15,2"])
    with pytest.raises(DataError, match=r"(?s)documented order.*more pm25_ugm3 than pm10_ugm3"):
        sources.read_air_communes(path)
    path = write_air(tmp_path, ["01001;x;771;10,5;55,1;10,7;55,0;5100;5090;17000;15,1;15,2;9,4;9,5"])
    with pytest.raises(DataError, match=r"no2 weighted by population far from the plain one"):
        sources.read_air_communes(path)

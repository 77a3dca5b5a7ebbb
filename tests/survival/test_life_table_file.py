"""Published life tables: every layout, written small with made figures, and what is refused."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from openpyxl import Workbook

from epi.errors import DataError, ParameterError
from epi.survival import life_table, read_life_table
from epi.survival.infancy import mean_infant_age
from epi.survival.life_table import LifeTable

FOLDER = os.environ.get("EPI_OPEN_DATA")
LT = "  Year          Age         mx       qx    ax      lx      dx      Lx       Tx     ex"


def force(sex, year, age):
    """Made mortality a year: infancy, then a straight line on the scale of logarithms."""
    base = 0.004 if age == 0 else 2e-4 + 3e-5 * np.exp(0.095 * age)
    return float(base * (1.4 if sex == "M" else 1.0) * (1 - 0.01 * (year - 2000)))


def hmd(folder, sex, years=(2000, 2001, 2002), ages=range(111), measure="1x1", words=None, change=lambda line: line):
    name = {"F": "Females", "M": "Males", "B": "Total"}[sex] if words is None else words
    lines = [f"Island, Total Population, Life tables (period {measure}), {name}\tLast modified: 1 Jan 2024", "", LT]
    for year in years:
        for age in ages:
            m = force("F" if sex == "B" else sex, int(str(year)[:4]), age)
            q = 1.0 if age == 110 else -np.expm1(-m)
            open_ = "+" if age == 110 else " "
            lines.append(change(f"  {year}  {age:>9}{open_}  {m:.9f} {q:.9f} 0.50 100000 100 99950 8000000 80.00"))
    path = folder / f"{sex.lower()}ltper_{measure}.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rates(folder, file="Mx_1x1.txt", ages=range(111), years=(2000, 2001), value=lambda sex, year, age: None):
    lines = ["Island, Death rates (period 1x1), \tLast modified: 1 Jan 2024", "", "  Year  Age  Female  Male  Total"]
    for year in years:
        for age in ages:
            cells = []
            for sex in "FM":
                given = value(sex, year, age)
                cells.append(f"{force(sex, year, age):.9f}" if given is None else given)
            lines.append(f"  {year}  {age}{'+' if age == 110 else ''}  {cells[0]}  {cells[1]}  .")
    path = folder / file
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def yearly(table: LifeTable):
    return {(sex, year, age): table.hazards[0, k, year - table.first_year, age] * table.year_length
            for k, sex in enumerate("FM") for year in range(table.first_year, table.last_year + 1)
            for age in range(table.oldest + 1)}  # fmt: skip


def test_human_mortality_tables_of_both_sexes(tmp_path):
    table = read_life_table([hmd(tmp_path, "F"), hmd(tmp_path, "M")])
    assert (table.first_year, table.last_year, table.oldest, table.name) == (2000, 2002, 110, "Island")
    for (sex, year, age), hazard in yearly(table).items():
        assert hazard == pytest.approx(force(sex, year, age), rel=2e-5), "the open age takes its rate"
    zipped = tmp_path / "fltper_1x1.txt.gz"
    zipped.write_bytes(gzip.compress((tmp_path / "fltper_1x1.txt").read_bytes()))
    same = read_life_table([zipped, tmp_path / "mltper_1x1.txt"], name="here", years=(2001, 2001), oldest=90)
    assert (same.hazards == table.hazards[:, :, 1:2, :91]).all() and same.name == "here"
    isles = read_life_table(
        {"east": [zipped, tmp_path / "mltper_1x1.txt"], "west": rates(tmp_path)}, years=(2000, 2001)
    )
    assert isles.territories == ("east", "west")


def test_rates_become_hazards_and_infancy_keeps_its_rate(tmp_path):
    table = read_life_table(rates(tmp_path, value=lambda _s, _y, age: "." if age > 105 else None))
    assert table.oldest == 105 and any("older than 105" in note for note in table.notes)
    for (sex, year, age), hazard in yearly(table).items():
        if age:
            assert hazard == pytest.approx(force(sex, year, age), rel=1e-5)
    # Deaths of the first year over the time lived in it are the rate that was read.
    day = int((np.datetime64("2000-01-01") - np.datetime64("1970-01-01")).astype(int))
    days = np.arange(365)
    hazard = table.hazard(["F"] * 365, days, np.full(365, day))
    alive = np.exp(-np.concatenate([[0.0], np.cumsum(hazard)]))
    lived = ((alive[1:] + alive[:-1]) / 2).sum() / 365.25
    assert (1 - alive[-1]) / lived == pytest.approx(force("F", 2000, 0), rel=2e-3)
    assert mean_infant_age((), 365.0) == pytest.approx(0.5)


def test_periods_of_five_years_hold_for_each_of_them(tmp_path):
    years = ("1990-1994", "1995-1999")
    files = [hmd(tmp_path, sex, years, measure="1x5") for sex in "FM"]
    table = read_life_table(files)
    assert (table.first_year, table.last_year) == (1990, 1999)
    assert (table.hazards[:, :, :5] == table.hazards[:, :, :1]).all() and "whole period" in " ".join(table.notes)


def t68(folder, years=(2017, 2018, 2019), oldest=99, factor=1e5, title="Table de mortalité des années {0} - {1}",
        age="Âge", extra=(), name="fe_t68.xlsx", unit="pour 100 000"):  # fmt: skip
    book = Workbook()
    book.remove(book.active)
    book.create_sheet("Lisez-moi").append(["Champ : une île"])
    for year in years:
        sheet = book.create_sheet(str(year))
        sheet.append([title.format(year - 2, year)])
        sheet.append(["Champ : une île"])
        sheet.append([])
        sheet.append([None, "Sexe masculin", None, None, "Sexe féminin", None, None, "Ensemble", None, None])
        measures = ["Survivants à l'âge x : S(x)", f"Quotients de mortalité {unit} : Q(x)", "Espérance de vie E(x)"]
        sheet.append([age, *(measures * 3)])
        alive = {"M": 100_000.0, "F": 100_000.0}
        for at in range(oldest + 1):
            row = [f"{at} ans ou plus" if at == oldest and extra else at]
            for sex in "MF":
                q = -np.expm1(-force(sex, year - 1, at))
                row += [round(alive[sex]), round(q * factor, 3), 50.0]
                alive[sex] *= 1 - q
            sheet.append([*row, 1, 2, 3])
        sheet.append(["Source : statistiques de l'état civil"])
    path = folder / name
    book.save(path)
    return path


def test_insee_tables_of_three_years_stand_at_their_middle(tmp_path):
    table = read_life_table(t68(tmp_path))
    assert (table.first_year, table.last_year, table.oldest) == (2016, 2018, 99)
    for (sex, year, age), hazard in yearly(table).items():
        assert hazard == pytest.approx(force(sex, year, age), rel=1e-3, abs=1e-8)
    assert "a year's mortality is that of the 3 years around it" in table.notes
    alone = read_life_table(t68(tmp_path, (2019,)))
    assert (alone.first_year, alone.last_year) == (2017, 2019), "nothing overlaps: each of its years"
    silent = t68(tmp_path, title="Table de mortalité")
    with pytest.raises(DataError, match="triennial=True or triennial=False"):
        read_life_table(silent)
    assert (read_life_table(silent, triennial=True).hazards == table.hazards).all()
    assert read_life_table(silent, triennial=False).first_year == 2017
    wrong = t68(tmp_path, unit="pour 10 000")
    with pytest.raises(DataError, match="10 times what its survivors say"):
        read_life_table(wrong)
    assert (read_life_table(wrong, per=1e5).hazards == table.hazards).all()
    with pytest.raises(DataError, match="no heading says for how many"):
        read_life_table(t68(tmp_path, unit=""))


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_insee_long_csv(tmp_path, encoding):
    lines = ["Sexe;Année;Âge révolu;Survivants S(x);Décès d(x);Quotient Q(x) pour 100 000;Territoire"]
    for place in ("Nord", "Sud"):
        for sex in ("Hommes", "Femmes", "Ensemble"):
            for year in (2001, 2002):
                for age in range(100):
                    q = f"{-np.expm1(-force('M' if sex == 'Hommes' else 'F', year, age)) * 1e5:,.2f}"
                    q = q.replace(",", " ").replace(".", ",")
                    lines.append(f"{sex};{year};{age} ans;;;{q};{place}")
    path = tmp_path / "tables.csv"
    path.write_bytes("\n".join(lines).encode(encoding))
    table = read_life_table(path, triennial=False)
    assert table.territories == ("Nord", "Sud") and table.name == "tables" and table.oldest == 99
    for (sex, year, age), hazard in yearly(table).items():
        assert hazard == pytest.approx(force(sex, year, age), rel=1e-3, abs=1e-7)


def new_year(year):
    return int(np.datetime64(f"{year}-01-01").astype("datetime64[D]").astype(int))


def reached_file(folder, table, years, oldest, across):
    """Write what INSEE publishes by age reached: deaths of generations, from whole lives through the table."""
    book = Workbook()
    book.active.title = "populationF"
    for sex in "FM":
        sheet = book.create_sheet("hyp_mortalite" + ("H" if sex == "M" else "F"))
        sheet.append(["Quotients de mortalité pour 10 000, âge atteint dans l'année"])
        quotients = {}
        for year in years:
            start, stop = new_year(year), new_year(year + 1)
            for age in range(oldest + 1):
                births = np.arange(new_year(year - age), new_year(year - age + 1), 5)
                who, since = [sex] * len(births), np.maximum(births, start)
                total = table.cumulative_hazard(who, births, since, np.full(len(births), stop))
                # Those born early in the year before have lost more infants when the year begins.
                begun = births if age == 1 else since
                alive = np.exp(-table.cumulative_hazard(who, births, begun, since))
                quotients[year, age] = float((alive * -np.expm1(-total)).sum() / alive.sum() * 1e4)
        if across:
            sheet.append(["Âge au 31/12", *years])
            for age in range(oldest + 1):
                sheet.append([age, *(quotients[year, age] for year in years)])
        else:
            sheet.append(["Année", *(f"{age} an{'s' * (age > 1)}" for age in range(oldest + 1))])
            for year in years:
                sheet.append([year, *(quotients[year, age] for age in range(oldest + 1))])
    path = folder / "projections.xlsx"
    book.save(path)
    return path


@pytest.mark.parametrize("across", [True, False])
def test_ages_reached_in_the_year_are_brought_to_completed_ages(tmp_path, across):
    truth, years = life_table(), (2010, 2011)
    found = read_life_table(reached_file(tmp_path, truth, years, 60, across))
    assert found.oldest == 59 and any("two generations" in note for note in found.notes)
    mine, real = found.hazards[0], truth.hazards[0, :, 2010 - 1976 : 2012 - 1976, :60]
    assert mine[..., 0] == pytest.approx(real[..., 0], rel=0.03), "the first year, from its share in the year of birth"
    # Where mortality falls or moves fast from one age to the next a mean over three ages smooths it.
    assert mine[..., 2:].sum() == pytest.approx(real[..., 2:].sum(), rel=0.01)
    assert mine[..., 40:] == pytest.approx(real[..., 40:], rel=0.05)
    assert np.abs(mine[..., 1] * 365.25 - real[..., 1] * 365.25).max() < 1e-4
    other = reached_file(tmp_path, truth, (2010,), 3, across)
    wrong = read_life_table(other, reached=False)
    assert (wrong.hazards[0, :, 0, 0] < 0.9 * real[:, 0, 0]).all(), "taken as completed, infants would not die enough"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda s, _y, a: "." if s == "M" and 30 < a < 33 else None, "M, 2000: ages 31-32 are absent or without value"),
        (lambda _s, y, a: "." if a > 80 and y == 2000 else None, "2 tables end at age 80, such as that of F, 2000"),
        (lambda _s, _y, a: "-0.1" if a == 7 else None, "4 rates below 0, the first for F, 2000, age 7"),
        (lambda _s, _y, a: "x" if a == 7 else None, "2 values of column Female of Mx_1x1.txt are no numbers"),
        (lambda s, y, _a: "." if (s, y) == ("F", 2001) else None, "F, 2001: no age has a value"),
    ],
)
def test_values_that_are_absent_or_wrong_are_told(tmp_path, value, said):
    with pytest.raises(DataError, match=said):
        read_life_table(rates(tmp_path, value=value))


def test_what_is_no_life_table_is_told(tmp_path):
    women, men = hmd(tmp_path, "F"), hmd(tmp_path, "M")
    odd, broken = tmp_path / "odd", tmp_path / "broken"
    odd.mkdir()
    broken.mkdir()
    for files, said in (
        (women, "has no men"), ([women, women, men], "333 cells are there twice, the first for F, 2000, age 0"),
        (tmp_path / "absent.txt", "absent.txt is not there"), (hmd(tmp_path, "B"), "both sexes together"),
        (rates(tmp_path, "gap.txt", years=(2000, 2002)), "no table for 2001"),
        (rates(tmp_path, "Mx_5x1.txt", ages=["0", "1-4", "5-9"], value=lambda *_: "0.01"), "in bands, such as 1-4"),
        ([hmd(broken, "F", change=lambda line: line.replace(" 0.00", " 1.50")), men], "probabilities outside 0 to 1"),
        (hmd(odd, "F", words="Females (cohort)"), "tables of generations"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=said):
            read_life_table(files)
    assert read_life_table(rates(tmp_path, value=lambda s, y, age: "." if age > 80 and y == 2000 else None),
                           oldest=80).oldest == 80  # fmt: skip
    with pytest.raises(DataError, match="has no year from 1950 to 1960"):
        read_life_table(rates(tmp_path), years=(1950, 1960))
    with pytest.raises(DataError, match="territories do not have the same years"):
        read_life_table({"east": rates(tmp_path, "a.txt"), "west": rates(tmp_path, "b.txt", years=(2000,))})
    for wrong in ({"years": (2001, 2000)}, {"oldest": 0}, {"infant": [(7, 1.5)]}, {"reached": True}):
        with pytest.raises(ParameterError):
            read_life_table(rates(tmp_path), **wrong)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "code;value\n1;2\n", "in no known layout; it begins with: code, value"),
        ("a.csv", "sexe;annee;age;survivants\nF;2000;0;100000\n", "has columns sexe, annee, age, survivants"),
        ("a.csv", "annee;age;quotient\n2000;0;0.1\n", "neither headings nor name of a.csv say whose"),
        ("a.csv", "sexe;age;quotient\nF;0;0.1\n", "does not say its years"),
        ("a.csv", "sexe;annee;age;quotient\nX;2000;0;0.1\n", "a sex is written x"),
        ("a.csv", "sexe;annee;age;quotient\n", "no age beneath it"),
        ("Qmort-F.csv", "Année;0 an;1 an\n2000;300;20\n", "go up to 300 and no heading says"),
        ("Qmort-F.csv", "Quotients pour 100 000\nAnnée;0 an;1 an\n2000;300;20\n", "which age it means"),
        ("a.xls", "", "save the workbook as .xlsx"),
        ("a.xlsx", "no workbook", "a.xlsx is no Excel workbook"),
        ("a.txt", "Country\n\nYear Age Female Total\n2000 0 1 1\n", "has columns Year, Age, Female, Total"),
        ("a.txt", "Country\n\nYear Age Female Male Total\n2000 0 1\n", "1 of 1 lines of a.txt have another number"),
    ],
)  # fmt: skip
def test_unknown_layouts_are_told_with_what_arrived(tmp_path, name, text, said):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_life_table(path, triennial=None if name.endswith(".txt") else False)


@pytest.mark.skipif(FOLDER is None, reason="needs the open French data")
def test_the_real_table_of_france_is_the_one_of_the_package():
    table = read_life_table(Path(FOLDER) / "life_tables_france_1977_2022.csv.gz", triennial=True)
    ours = life_table()
    assert (table.first_year, table.last_year, table.oldest) == (1976, 2021, 99)
    # The file gives probabilities of a year of 365.2422 days and seven digits.
    assert table.hazards == pytest.approx(ours.hazards, rel=1e-4)

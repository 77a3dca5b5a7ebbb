"""Every code of every 1 January since 1943 is resolved or explained; sums are conserved to the unit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from epi import geography
from epi.geography.harmonisation import PLACED
from epi.geography.lineage import communes_since_1943, parts
from epi.geography.vintages import read_vintage
from validation.proof import Proof, Row, Setting

YEARS = range(1943, 2027)


def every_code(setting: Setting) -> Iterator[Row]:
    """Bring every code valid on each 1 January to today, and today's to each year and home again."""
    lineage, today = communes_since_1943(), geography.read_communes()["insee_code"]
    current = set(today)
    codes = placed = explained = wrong = 0
    for year in YEARS:
        day = read_vintage(year)
        alive = parts().query("start <= @day < end")["code"].unique()
        table = geography.harmonise(lineage.valid_at(day).union(pd.Index(alive)), year).table
        single = table["status"].isin(PLACED)
        several = table["status"].isin(["split", "ambiguous"]) & table["reason"].notna()
        inside = table["candidates"].dropna().str.split("|").map(lambda many: set(many) <= current)
        codes, placed, explained = codes + len(table), placed + int(single.sum()), explained + int(several.sum())
        wrong += int((~single & ~several).sum() + (~inside).sum())
        wrong += int((~table.loc[single, "insee_code"].isin(current)).sum())
    yield (
        "codes of communes, associated and delegated ones, on each 1 January 1943 to 2026",
        f"{codes:,} codes: {placed:,} with one commune, {explained:,} with candidates and a reason, {wrong} neither",
        wrong == 0 and placed + explained == codes,
    )
    home = astray = 0
    for year in YEARS:
        back = geography.harmonise(today, 2026, year).table
        single = back["insee_code"].notna()
        again = geography.harmonise(back.loc[single, "insee_code"], year).table
        one = again["insee_code"].notna()
        home += int((again.loc[one, "insee_code"] == today[single][one]).sum())
        astray += int((again.loc[one, "insee_code"] != today[single][one]).sum())
    same = geography.harmonise(today, 2026).table["insee_code"]
    yield (
        "communes of today, from today to today; to each year where they have one answer, and back",
        f"{int((same == today).sum()):,} of {len(today):,} unchanged; {home:,} home, {astray} astray",
        bool((same == today).all()) and astray == 0,
    )


def conserved_sums(setting: Setting) -> Iterator[Row]:
    """Carry random tables of counts between random years, forward."""
    random = np.random.Generator(np.random.PCG64(1943))
    lineage, lost, apart, persons = communes_since_1943(), 0, 0, 0
    for number in range(setting.replicates):
        start, end = sorted(random.choice(YEARS, 2))
        codes = lineage.valid_at(read_vintage(int(start))).to_numpy()
        table = pd.DataFrame({"code": codes, "persons": random.poisson(random.gamma(0.5, 2_000, len(codes)))})
        carried = geography.carry_table(
            table.sample(frac=random.uniform(0.1, 1), random_state=number),
            "code",
            from_vintage=int(start),
            to_vintage=int(end),
            counts=["persons"],
            divide="population" if number % 2 else "refuse",
            unplaced="apart",
        )
        report = carried.report.iloc[0]
        lost += int(report["total_before"] != report["total_after"] + report["total_apart"])
        apart += int(report["total_apart"])
        persons += int(report["total_before"])
    yield (
        f"{setting.replicates} random tables between two random years, forward",
        f"{persons:,} persons, {apart / persons:.4%} set apart with their reason; sums differ in {lost} tables",
        lost == 0,
    )


def contours(setting: Setting) -> Iterator[Row]:
    """Join the contours with the communes."""
    shapes = geography.read_contours("commune")
    codes = geography.read_communes()["insee_code"]
    found = int(codes.isin(shapes["code"]).sum())
    yield ("current communes with a contour", f"{found:,} of {len(codes):,}", found == len(codes) == len(shapes))


PROOFS: list[Proof] = [
    ("Geography: every code since 1943", every_code),
    ("Geography: sums carried between years", conserved_sums),
    ("Geography: contours", contours),
]

"""Reading a raw registry: this package against a plain-pandas peer, wall time and peak memory.

The registry is made here, seeded, with 2 diagnoses, 2 cares and 8 activities for each patient and
one fault in a hundred rows or so. Each reader runs in a process of its own, whose peak memory is
taken. The peer reads the same files with pandas, converts types and values, and applies V01 to
V05: what an analyst would write, holding everything in memory. It makes no order, no precision of
dates, no reasons for each row and no V06, so it does less.

    python benchmarks/read_registry.py --patients 100000 --threads 2 --memory-limit 1GB
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from epi.sources.bndmr.tables import DECLARED
from epi.sources.bndmr.values import VALUE_SETS

EXTRACTED = "2025-06-30"
SLICE = 200_000


def codes(name: str, size: int, rng: np.random.Generator) -> pa.Array:
    official = np.array(VALUE_SETS[name].codes)
    return pa.array(official[rng.integers(0, len(official), size)])


def names(letter: str, start: int, size: int) -> np.ndarray:
    return np.char.add(letter, np.char.zfill(np.arange(start, start + size).astype(str), 9))


def days(first: str, last: str, size: int, rng: np.random.Generator) -> np.ndarray:
    low, high = np.datetime64(first).astype(int), np.datetime64(last).astype(int)
    return rng.integers(low, high, size).astype("datetime64[D]")


def spoil(cells: np.ndarray, value: str, share: float, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(len(cells)) < share, value, cells)


class Writer:
    """Appends slices of a table to its CSV file."""

    def __init__(self, folder: Path, table: str) -> None:
        self.columns = DECLARED[table].columns
        self.handle = (folder / f"{table}.csv").open("wb")
        self.handle.write((";".join(self.columns) + "\n").encode())

    def add(self, size: int, **cells: object) -> None:
        """Append rows; columns that are not given stay empty."""
        empty = pa.nulls(size, pa.string())
        arrays = [pa.array(cells[c]).cast(pa.string()) if c in cells else empty for c in self.columns]
        options = pacsv.WriteOptions(include_header=False, delimiter=";", quoting_style="none")
        pacsv.write_csv(pa.table(arrays, names=list(self.columns)), self.handle, options)
        self.handle.flush()


def make(folder: Path, patients: int, seed: int) -> None:
    """Write a registry."""
    rng = np.random.Generator(np.random.PCG64(seed))
    sites = 1200
    site_codes = np.char.add("S", np.char.zfill(np.arange(sites).astype(str), 4))
    hospitals = np.char.add("H", np.arange(sites // 10).astype(str))
    finess = np.char.zfill(np.arange(690_000_000, 690_000_000 + len(hospitals)).astype(str), 9)
    Writer(folder, "hospital").add(len(hospitals), hospital_code=hospitals, finess_ej=finess, finess_et=finess)
    Writer(folder, "site").add(
        sites,
        site_code=site_codes,
        site_name=site_codes,
        centre_type=codes("CentreType", sites, rng),
        fsmr=codes("Fsmr", sites, rng),
        hospital_code=np.repeat(hospitals, 10),
        label_start=np.full(sites, "2017-01-01"),
        label_end=np.full(sites, "2027-12-31"),
    )
    tables = ("patient", "opposition", "care", "activity", "activity_objective", "diagnosis")
    out = {name: Writer(folder, name) for name in tables}
    for start in range(0, patients, SLICE):
        make_slice(out, start, min(SLICE, patients - start), site_codes, rng)
    for writer in out.values():
        writer.handle.close()
    (folder / "extract.json").write_text(json.dumps({"extraction_date": EXTRACTED}))


def make_slice(out: dict[str, Writer], start: int, n: int, sites: np.ndarray, rng: np.random.Generator) -> None:
    patient = names("P", start, n)
    birth = days("1940-01-01", "2006-01-01", n, rng).astype("datetime64[M]")
    died = rng.random(n) < 0.05
    death = np.where(died, np.datetime_as_string(days("2024-01-01", "2025-01-01", n, rng)), "")
    out["patient"].add(
        n,
        patient_id=spoil(patient, patient[0], 0.001, rng),
        nir_available=np.full(n, "false"),
        sex=codes("Sex", n, rng),
        birth_year=spoil(birth.astype(str).astype("U4"), "19", 0.001, rng),
        birth_month=(birth.astype(int) % 12 + 1).astype(str),
        residence_commune=spoil(np.char.zfill(rng.integers(1001, 95_000, n).astype(str), 5), "1001", 0.001, rng),
        residence_country=np.full(n, "FR"),
        vital_status=np.where(died, "deceased", "alive"),
        death_date=death,
        is_fetus=np.full(n, "false"),
        file_created=np.datetime_as_string(days("2010-01-01", "2015-01-01", n, rng)),
        file_updated=np.datetime_as_string(days("2015-01-01", "2025-01-01", n, rng)),
        source=codes("RecordSource", n, rng),
    )
    out["opposition"].add(
        n,
        patient_id=patient,
        bamara_informed=np.full(n, "true"),
        bndmr_note_given=np.where(rng.random(n) < 0.7, "true", "false"),
        bndmr_opposed=np.where(rng.random(n) < 0.05, "true", "false"),
    )
    n2 = 2 * n
    care = names("C", 2 * start, n2)
    out["care"].add(
        n2,
        care_id=care,
        patient_id=spoil(np.repeat(patient, 2), "PX", 0.001, rng),
        site_code=sites[rng.integers(0, len(sites), n2)],
        inclusion_date=np.datetime_as_string(days("2008-01-01", "2020-01-01", n2, rng)).astype("U7"),
        referred_by=codes("PatientAdressePar", n2, rng),
        out_of_label=np.full(n2, "false"),
    )
    n8 = 8 * n
    activity = names("A", 8 * start, n8)
    seen = np.datetime_as_string(days("2008-01-01", "2024-01-01", n8, rng))
    official = np.array(VALUE_SETS["ContexteActivite"].codes)
    chosen = rng.integers(1, len(official), n8)
    out["activity"].add(
        n8,
        activity_id=activity,
        care_id=np.repeat(care, 4),
        activity_date=spoil(spoil(seen, "2031-01-01", 0.002, rng), "2015-21-03", 0.002, rng),
        context=spoil(official[chosen], "unknown code", 0.001, rng),
        performer_profession=codes("ProfessionPersonnelActivite", n8, rng),
    )
    out["activity_objective"].add(n8, activity_id=activity, objective=codes("ObjectifActivite", n8, rng))
    confirmed = rng.random(n2) < 0.6
    out["diagnosis"].add(
        n2,
        diagnosis_id=names("D", 2 * start, n2),
        patient_id=np.repeat(patient, 2),
        status=np.where(confirmed, "255545003", "385651009"),
        orpha_code=np.where(confirmed, rng.integers(1, 9999, n2).astype(str), ""),
        diagnosis_date=np.datetime_as_string(days("2008-01-01", "2024-01-01", n2, rng)),
        entry_appreciation=codes("AppreciationDiagnosticCentre", n2, rng),
        first_signs_moment=np.full(n2, "767023003"),
        first_signs_age=rng.integers(0, 40, n2).astype(str),
        clinical_diag_moment=np.full(n2, "767023003"),
        clinical_diag_age=rng.integers(40, 80, n2).astype(str),
        genetic_diag_moment=codes("Age", n2, rng),
        age_unit=np.full(n2, "year"),
    )


def read_ours(folder: Path, out: Path, threads: int, memory_limit: str) -> dict[str, int]:
    from epi.sources.bndmr import read_registry

    report = read_registry(folder, out, threads=threads, memory_limit=memory_limit)
    return dict(report.flow[["table", "rows_rejected"]].itertuples(index=False))


def pandas_date(cells: pd.Series) -> pd.Series:
    month = cells.str.len() == 7
    return pd.to_datetime(cells.where(~month, cells + "-15"), format="%Y-%m-%d", errors="coerce")


def pandas_table(folder: Path, table: str) -> tuple[pd.DataFrame, pd.Series]:
    declared = DECLARED[table]
    frame = pd.read_csv(folder / f"{table}.csv", sep=";", dtype="string")
    bad = frame.duplicated(list(declared.key or declared.columns), keep=False)
    for field in declared.fields:
        cells = frame[field.name]
        if field.kind in ("enum", "enums"):
            typed = cells.map(VALUE_SETS[field.value_set].enum_of)
        elif field.kind == "bool":
            typed = cells.map({"true": True, "false": False}).astype("boolean")
        elif field.kind == "date":
            typed = pandas_date(cells)
        elif field.kind in ("int", "float"):
            typed = pd.to_numeric(cells, errors="coerce")
            if field.low is not None:
                typed = typed.where(typed >= field.low)
            if field.high is not None:
                typed = typed.where(typed <= field.high)
        elif field.pattern:
            typed = cells.where(cells.str.fullmatch(field.pattern))
        else:
            typed = cells
        bad |= cells.notna() & typed.isna()
        if field.need == "R":
            bad |= cells.isna()
        frame[field.name] = typed
    return frame, bad.astype(bool)


def read_pandas(folder: Path, out: Path) -> dict[str, int]:
    extraction = pd.Timestamp(EXTRACTED)
    kept: dict[str, pd.DataFrame] = {}
    rejected = {}
    (out / "tidy").mkdir(parents=True)
    for table, declared in DECLARED.items():
        if not (folder / f"{table}.csv").exists():
            continue
        frame, bad = pandas_table(folder, table)
        for key in declared.foreign:
            if key.table in kept:
                bad |= frame[key.column].notna() & ~frame[key.column].isin(kept[key.table][key.target])
        if table == "patient":
            born = frame["birth_year"] * 12 + frame["birth_month"] - 1 - 1970 * 12
            months = born.to_numpy(dtype="float64", na_value=np.nan)
            known = ~np.isnan(months)
            births = np.full(len(frame), np.datetime64("NaT"), dtype="datetime64[M]")
            births[known] = months[known].astype("int64").astype("datetime64[M]")
            frame["birth"] = births.astype("datetime64[ns]")
            bad |= (frame["death_date"] < frame["birth"]) | (
                (frame["vital_status"] == "deceased") != frame["death_date"].notna()
            )
        if table == "care":
            known = kept["patient"].set_index("patient_id")[["birth", "death_date"]]
            frame = frame.join(known, on="patient_id")
            bad |= frame["inclusion_date"] < frame["birth"]
        if table == "activity":
            frame = frame.join(kept["care"].set_index("care_id")[["birth", "death_date"]], on="care_id")
            date = frame["activity_date"]
            bad |= (date < frame["birth"]) | (date > frame["death_date"] + pd.Timedelta(days=30))
            bad |= (date > extraction) | (date < pd.Timestamp("1990-01-01"))
        kept[table] = frame[~bad]
        rejected[table] = int(bad.sum())
        kept[table].to_parquet(out / "tidy" / f"{table}.parquet", compression="zstd")
    return rejected


def measure(reader: str, arguments: argparse.Namespace, folder: Path, out: Path) -> dict[str, object]:
    """Run one reader in a process of its own."""
    command = [sys.executable, __file__, "--run", reader, "--raw", str(folder), "--out", str(out)]
    command += ["--threads", str(arguments.threads), "--memory-limit", arguments.memory_limit]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run(arguments: argparse.Namespace) -> None:
    start = time.perf_counter()
    if arguments.run == "epi":
        rejected = read_ours(arguments.raw, arguments.out, arguments.threads, arguments.memory_limit)
    else:
        rejected = read_pandas(arguments.raw, arguments.out)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": round(seconds, 2), "peak_mb": round(peak), "rejected": rejected}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-limit", default="1GB")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    parser.add_argument("--run", choices=("epi", "pandas"), help=argparse.SUPPRESS)
    parser.add_argument("--raw", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run(arguments)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        raw = Path(place) / "raw"
        raw.mkdir()
        make(raw, arguments.patients, arguments.seed)
        size = sum(file.stat().st_size for file in raw.iterdir()) / 1e6
        results = {reader: measure(reader, arguments, raw, Path(place) / reader) for reader in ("epi", "pandas")}
    rows = {name: result["rejected"] for name, result in results.items()}
    print(
        f"{arguments.patients:,} patients, {size:,.0f} MB of CSV, {arguments.threads} threads, {arguments.memory_limit}"
    )
    print(f"{'reader':<10}{'seconds':>10}{'peak MB':>10}{'rejected':>12}")
    for name, result in results.items():
        total = sum(rows[name].values())
        print(f"{name:<10}{result['seconds']:>10}{result['peak_mb']:>10}{total:>12,}")
    print(json.dumps({"patients": arguments.patients, "csv_mb": round(size), **results}))


if __name__ == "__main__":
    main()

"""Derive the geography that travels inside the package from the open data folder.

Usage: python scripts/derive_geography.py [--data FOLDER] [--out FOLDER]

FOLDER defaults to the environment's EPI_OPEN_DATA, then to ``../shared/data`` beside the project.
The same input gives the same bytes (with the same pyarrow). Sources and licences are written in
``src/epi/geography/data/SOURCES.md``.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely

from epi.files import atomic_path

ROOT = Path(__file__).resolve().parents[1]
GRID_M = 20
ZONES = {"bassin_de_vie": "bv2022", "urban_unit": "uu2020", "catchment_area": "aav2020"}


def read_source(folder: Path, name: str) -> pd.DataFrame:
    """Read one file of the open data folder, every column as text."""
    return pd.read_csv(folder / name, dtype=str, keep_default_na=False)


def write_table(path: Path, table: pa.Table, encodings: dict[str, str] | None = None) -> None:
    """Write Parquet without pandas metadata, so that bytes depend on the rows alone."""
    with atomic_path(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata(None),
            temporary,
            compression="zstd",
            compression_level=19,
            use_dictionary=[name for name in table.column_names if name not in (encodings or {})],
            column_encoding=encodings,
            write_statistics=False,
        )
    print(f"{path.name:28} {table.num_rows:7,} rows {path.stat().st_size / 1000:9,.0f} kB")


def project(lon: pd.Series, lat: pd.Series, epsg: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Project points, each in its territory's legal projection."""
    x, y = np.zeros(len(lon)), np.zeros(len(lon))
    for code in sorted(epsg.unique()):
        rows = (epsg == code).to_numpy()
        transformer = pyproj.Transformer.from_crs(4326, int(code), always_xy=True)
        x[rows], y[rows] = transformer.transform(lon[rows].to_numpy(), lat[rows].to_numpy())
    return x, y


def area_given_up(folder: Path, source: pd.DataFrame) -> pd.Series:
    """Give the hectares that each commune still counts though a re-established commune took them.

    The official area of a commune split after the survey is that of before; the area of the communes
    that left it comes from their polygons. Without this they would be counted twice.
    """
    movements = read_source(folder, "commune_movements_1943_2025.csv.gz")
    area = (pd.to_numeric(source["area_km2"]) * 100).set_axis(source["code_commune"])
    young = set(source.loc[source["area_source"] == "polygon", "code_commune"])
    left = movements[
        (movements["mod"] == "21")
        & (movements["typecom_av"] == "COM")
        & (movements["com_av"] != movements["com_ap"])
        & movements["com_ap"].isin(young)
        & (movements["date_eff"] >= "2025-01-01")
    ]
    taken = area[left["com_ap"]].groupby(left["com_av"].to_numpy()).sum()
    return source["code_commune"].map(taken).fillna(0).round().astype("Int32")


def derive_communes(folder: Path) -> pd.DataFrame:
    """Put communes and municipal arrondissements in one table with every level they belong to."""
    source = read_source(folder, "communes_2026.csv.gz")
    zones = read_source(folder, "commune_zonages_2025.csv.gz").set_index("code_commune")
    home = source["parent_code"].where(source["parent_code"] != "", source["code_commune"])
    whole = source.set_index("code_commune").loc[home].reset_index(drop=True)
    table = pd.DataFrame(
        {
            "insee_code": source["code_commune"],
            "name": source["name"],
            "type": source["type"].replace({"arrondissement_municipal": "municipal_arrondissement"}),
            "parent_code": source["parent_code"],
            "departement": source["dept_code"],
            "region": source["region_code"],
            "arrondissement": whole["arr_code"],
            "epci": whole["epci_code"],
        }
    )
    for level, column in ZONES.items():
        table[level] = zones.loc[home, column].to_numpy()
    table["population"] = source["population_2023"].astype("int32")
    table["area_ha"] = (pd.to_numeric(source["area_km2"]) * 100).round().astype("Int32")
    lon, lat = pd.to_numeric(source["lon"]), pd.to_numeric(source["lat"])
    table["area_ha"] -= area_given_up(folder, source)
    table["lon_e5"] = (lon * 1e5).round().astype("int32")
    table["lat_e5"] = (lat * 1e5).round().astype("int32")
    table["epsg"] = whole["epsg_local"].astype("int32")
    x, y = project(lon, lat, table["epsg"])
    given = source["x_local_m"] != ""
    drift = np.abs(x[given] - source.loc[given, "x_local_m"].astype(float))
    if drift.max() > 2 or (table["epsg"] == 0).any():
        raise SystemExit("projected centroids disagree with the source")
    table["x_m"], table["y_m"] = np.round(x).astype("int32"), np.round(y).astype("int32")
    return table.sort_values("insee_code", ignore_index=True)


def derive_areas(folder: Path) -> pd.DataFrame:
    """List the name of every area of every level above the commune."""
    communes = read_source(folder, "communes_2026.csv.gz")
    zones = read_source(folder, "commune_zonages_2025.csv.gz")
    pairs = [
        ("departement", communes, "dept_code", "dept_name"),
        ("region", communes, "region_code", "region_name"),
        ("epci", communes, "epci_code", "epci_name"),
        ("arrondissement", zones[zones["arr"] != "ZZZZ"], "arr", "lib_arr"),
        *((level, zones, column, f"lib_{column}") for level, column in ZONES.items()),
    ]
    parts = [
        frame[[code, name]].set_axis(["code", "name"], axis=1).query("code != ''").drop_duplicates().assign(level=level)
        for level, frame, code, name in pairs
    ]
    table = pd.concat(parts).sort_values(["level", "code"], ignore_index=True)
    if table.duplicated(["level", "code"]).any():
        raise SystemExit("an area has two names")
    return table[["level", "code", "name"]]


def derive_events(folder: Path) -> pd.DataFrame:
    """Keep of the official events what a code needs: no name, and no change of name alone."""
    source = read_source(folder, "commune_movements_1943_2025.csv.gz")
    table = pd.DataFrame(
        {
            "mod": source["mod"].astype("int8"),
            "day": pd.to_datetime(source["date_eff"]).to_numpy().astype("datetime64[D]").astype("int32"),
            "type_before": source["typecom_av"],
            "before": source["com_av"],
            "type_after": source["typecom_ap"],
            "after": source["com_ap"],
        }
    )
    columns = ["day", "mod", "before", "after", "type_before", "type_after"]
    return table[table["mod"] != 10].drop_duplicates().sort_values(columns, ignore_index=True)[columns]


def derive_former_populations(folder: Path, events: pd.DataFrame, communes: pd.DataFrame) -> pd.DataFrame:
    """Count people by communes that are no longer what they were, in the geographies of 2013 and 2024.

    The census file of 2011 lost the thousands mark: 1,310 stands there as 1.31, which no count can be.
    """
    census = read_source(folder, "census_2011_csp_activity_25_54_communes.csv.gz").set_index("code_commune")
    cells = census[[column for column in census if column.endswith("employed")]].apply(pd.to_numeric)
    persons_2011 = cells.where(cells % 1 == 0, cells * 1000).sum(axis=1).round()
    income = read_source(folder, "filosofi_2021_communes.csv.gz").set_index("code_commune")
    persons_2021 = pd.to_numeric(income["n_persons_tax_households"]).dropna()
    # Communes made again on 1 January 2024 are listed with nobody: those that they left may count them still.
    made_again = events[(events["day"] == int(np.datetime64("2024-01-01").astype(int))) & (events["mod"] == 21)]
    persons_2021 = persons_2021.drop(made_again["before"].unique(), errors="ignore")
    whole = communes["type"] == "commune"
    current, inner = (set(communes.loc[kind, "insee_code"]) for kind in (whole, ~whole))
    parts = []
    for source, year, persons in (
        ("census_2011_active_25_54", 2013, persons_2011),
        ("filosofi_2021_persons", 2024, persons_2021),
    ):
        since = int(np.datetime64(f"{year}-01-01").astype(int))
        touched = events[(events["day"] > since) & (events["type_before"] == "COM")]
        wanted = (set(touched["before"]) | set(touched["after"]) | (set(persons.index) - current)) - inner
        kept = persons[persons.index.isin(wanted)]
        parts.append(pd.DataFrame({"source": source, "code": kept.index, "persons": kept.astype("int32").to_numpy()}))
    return pd.concat(parts).sort_values(["source", "code"], ignore_index=True)


def faulty(shapes: np.ndarray, epsg: np.ndarray) -> np.ndarray:
    """Tell which polygons are invalid or no longer share their borders exactly."""
    wrong = ~shapely.is_valid(shapes)
    for code in np.unique(epsg):
        rows = epsg == code
        wrong[rows] |= ~shapely.is_empty(shapely.coverage_invalid_edges(shapes[rows]))
    return wrong


def quantise(shapes: np.ndarray, epsg: np.ndarray) -> np.ndarray:
    """Round vertices to the grid; those of the few polygons that this would break, to the metre."""
    points = np.round(shapely.get_coordinates(shapes))
    owner = np.repeat(np.arange(len(shapes)), shapely.get_num_coordinates(shapes))
    keys = points[:, 0] + 1j * points[:, 1] + np.repeat(epsg, shapely.get_num_coordinates(shapes)) * 1e8
    fine = np.zeros(len(points), dtype=bool)
    for _ in range(10):
        rounded = np.where(fine[:, None], points, np.round(points / GRID_M) * GRID_M)
        result = shapely.set_coordinates(shapes.copy(), rounded)
        wrong = faulty(result, epsg)
        if not wrong.any():
            print(f"{fine.sum():,} of {len(fine):,} vertices kept to the metre")
            return result
        # Neighbours must move together: a vertex is fine for all the polygons that share it.
        fine |= np.isin(keys, keys[wrong[owner]])
    raise SystemExit("the polygons cannot be quantised without breaking a shared border")


def derive_contours(folder: Path, communes: pd.DataFrame) -> pa.Table:
    """Store each commune's polygons as rings of whole metres in its local projection."""
    whole = communes[communes["type"] == "commune"].set_index("insee_code")
    source = pq.read_table(folder / "communes_geometry_2025.parquet").to_pandas()
    source = source.set_index("code_commune").loc[whole.index]
    degrees = shapely.from_wkb(source["geometry"].to_numpy())
    epsg = whole["epsg"].to_numpy()
    shapes = np.empty(len(degrees), dtype=object)
    for code in np.unique(epsg):
        rows = epsg == code
        transformer = pyproj.Transformer.from_crs(4326, int(code), always_xy=True)
        shapes[rows] = shapely.transform(
            degrees[rows], lambda at, to=transformer: np.column_stack(to.transform(at[:, 0], at[:, 1]))
        )
    shapes = shapely.normalize(quantise(shapes, epsg))
    polygons, commune = shapely.get_parts(shapes, return_index=True)
    rings, polygon = shapely.get_rings(polygons, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    closing = np.append(ring[1:] != ring[:-1], True)
    cells = np.round(points[~closing] / GRID_M)
    rest = np.round(points[~closing] - cells * GRID_M)
    offsets = np.append(0, np.cumsum(np.bincount(ring[~closing])))
    lists = {
        name: pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values, kind))
        for name, values, kind in (
            ("x", cells[:, 0], pa.int32()),
            ("y", cells[:, 1], pa.int32()),
            ("rest_x", rest[:, 0], pa.int8()),
            ("rest_y", rest[:, 1], pa.int8()),
        )
    }
    starts = np.append(-1, polygon[:-1]) != polygon
    return pa.table(
        {
            "insee_code": pa.array(whole.index.to_numpy()[commune[polygon]], pa.string()),
            "shell": pa.array(starts),
            **lists,
        }
    ).cast(
        pa.schema(
            [("insee_code", pa.string()), ("shell", pa.bool_())]
            + [(n, pa.list_(pa.int32() if len(n) == 1 else pa.int8())) for n in lists]
        )
    )


def derive_births(folder: Path) -> pd.DataFrame:
    """Keep the live births of France by year, and say which are provisional."""
    source = pd.read_csv(folder / "births_deaths_france_1982_2021.csv.gz")
    # 2014 stands twice, without and with Mayotte: the larger number is that of the France of later years.
    source = source[source["live_births"].notna()].sort_values(["year", "live_births"])
    source = source.drop_duplicates("year", keep="last")
    return pd.DataFrame(
        {
            "birth_year": source["year"].astype("int16"),
            "births": source["live_births"].astype("int32"),
            "provisional": source["status"].eq("p"),
        }
    ).reset_index(drop=True)


def main() -> None:
    """Derive every file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("EPI_OPEN_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--out", default=ROOT / "src" / "epi" / "geography" / "data")
    options = parser.parse_args()
    folder, out = Path(options.data), Path(options.out)
    if not (folder / "communes_2026.csv.gz").exists():
        raise SystemExit(f"no open data in {folder}: set EPI_OPEN_DATA")
    communes = derive_communes(folder)
    numbers = {"population", "area_ha", "lon_e5", "lat_e5", "x_m", "y_m"}
    write_table(
        out / "communes.parquet",
        pa.Table.from_pandas(communes, preserve_index=False),
        dict.fromkeys(sorted(numbers), "DELTA_BINARY_PACKED") | {"insee_code": "DELTA_BYTE_ARRAY"},
    )
    write_table(out / "areas.parquet", pa.Table.from_pandas(derive_areas(folder), preserve_index=False))
    events = derive_events(folder)
    write_table(
        out / "events.parquet",
        pa.Table.from_pandas(events, preserve_index=False),
        {"day": "DELTA_BINARY_PACKED", "before": "DELTA_BYTE_ARRAY", "after": "DELTA_BYTE_ARRAY"},
    )
    former = derive_former_populations(folder, events, communes)
    write_table(
        out / "former_populations.parquet",
        pa.Table.from_pandas(former, preserve_index=False),
        {"persons": "DELTA_BINARY_PACKED", "code": "DELTA_BYTE_ARRAY"},
    )
    write_table(out / "births.parquet", pa.Table.from_pandas(derive_births(folder), preserve_index=False))
    postal = sorted(set(read_source(folder, "postal_codes.csv.gz")["code_postal"]))
    write_table(out / "postal_codes.parquet", pa.table({"postal_code": postal}), {"postal_code": "DELTA_BYTE_ARRAY"})
    write_table(
        out / "contours.parquet",
        derive_contours(folder, communes),
        {"insee_code": "DELTA_BYTE_ARRAY"} | {f"{axis}.list.element": "DELTA_BINARY_PACKED" for axis in ("x", "y")},
    )


if __name__ == "__main__":
    main()

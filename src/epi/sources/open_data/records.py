"""What a declaration cannot say: files without a heading, and rows to set aside before the key is checked."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pandas as pd

from epi.errors import DataError

# Order of the fields of FINESS records, as its producer documents them.
_ESTABLISHMENT = {"finess_et": 1, "finess_ej": 2, "name": 3, "commune": 12, "dept_code": 13}
_CATEGORY = {"category_code": 18, "category": 19}
_PLACE = {"finess_et": 1, "x": 2, "y": 3, "coordinate_source": 4}


def _read_finess(text: str, name: str) -> pd.DataFrame:
    """Read typed FINESS records: one row for each establishment, with its coordinates where recorded."""
    lines = list(csv.reader(io.StringIO(text), delimiter=";"))
    establishments = [line for line in lines if line and line[0] == "structureet"]
    located = [line for line in lines if line and line[0] == "geolocalisation"]
    strange = sorted({line[0][:20] for line in lines[1:] if line} - {"structureet", "geolocalisation"})
    if not establishments or strange:
        raise DataError(
            f"{name}: {len(establishments)} record(s) of type structureet"
            + (f" and {len(strange)} unknown type(s)" if strange else ""),
            "a file header, then records of type structureet and geolocalisation, separated by ';'",
            "take the file as published",
        )
    short = sum(len(line) <= max(_CATEGORY.values()) for line in establishments)
    short += sum(len(line) <= max(_PLACE.values()) for line in located)
    if short:
        raise DataError(f"{name}: {short} record(s) have too few fields", "records of the documented length")
    fields = {**_ESTABLISHMENT, **_CATEGORY}
    frame = pd.DataFrame([{key: line[place].strip() for key, place in fields.items()} for line in establishments])
    inside = frame["dept_code"].str.fullmatch("[0-9]{2}|2[AB]") & frame["commune"].str.fullmatch("[0-9]{3}")
    frame["code_commune"] = (frame["dept_code"] + frame["commune"]).where(inside, "")
    places = pd.DataFrame(
        [{key: line[place].strip() for key, place in _PLACE.items()} for line in located], columns=list(_PLACE)
    )
    if places["finess_et"].duplicated().any():
        raise DataError(f"{name}: establishments have two places", "one geolocalisation for each")
    frame = frame.drop(columns="commune").merge(places, on="finess_et", how="left")
    frame = frame.fillna("")
    return frame.assign(**_degrees(frame))


def _degrees(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Give degrees where the record says that its coordinates are in Lambert-93; elsewhere none."""
    from pyproj import Transformer

    lambert = frame["coordinate_source"].str.upper().str.contains("LAMBERT_93", regex=False)
    x, y = (pd.to_numeric(frame[axis].where(lambert), errors="coerce") for axis in ("x", "y"))
    lon, lat = Transformer.from_crs(2154, 4326, always_xy=True).transform(x.to_numpy(float), y.to_numpy(float))
    known = (x.notna() & y.notna()).to_numpy()
    return {
        "lon": pd.Series(lon, index=frame.index).round(6).where(known, "").astype(object),
        "lat": pd.Series(lat, index=frame.index).round(6).where(known, "").astype(object),
    }


def _tidy_radon(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Set aside rows without code, and every row of a code that stands for two communes."""
    nameless = frame["code_commune"].isna()
    shared = frame["code_commune"].duplicated(keep=False) & ~nameless
    notes = []
    if nameless.any():
        notes.append(f"{int(nameless.sum())} row(s) without a code are set aside.")
    if shared.any():
        codes = ", ".join(sorted(frame.loc[shared, "code_commune"].unique()))
        notes.append(f"{int(shared.sum())} row(s) share the code of another commune ({codes}) and are set aside.")
    return frame[~nameless & ~shared], notes


def _mend_thousands(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Give back the thousands mark that the offline copy of the census lost: 1,310 stands there as 1.31.

    A count of persons that is no whole number can be nothing else; an exact thousand, which stands there as 1, cannot
    be told from 1 and stays.
    """
    counts = frame.select_dtypes("number")
    broken = counts.mod(1) != 0
    broken &= counts.notna()
    mended = (counts.where(~broken, counts * 1_000)).round(6)
    lost = int((mended.mod(1) != 0).to_numpy().sum() - mended.isna().to_numpy().sum())
    if lost:
        raise DataError(
            f"{lost} count(s) are no whole numbers, nor thousands that lost their mark", "counts of persons"
        )
    cells = int(broken.to_numpy().sum())
    note = f"{cells} cell(s) had lost their thousands mark (1,310 written 1.31) and are multiplied by 1,000."
    return frame.assign(**{str(name): mended[name] for name in counts}), [note] if cells else []


def _check_air(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Refuse air columns that are not in the documented order: they are known by it alone.

    PM2.5 is a part of PM10, so that its mean cannot be the larger one; what is weighted by population
    stays near what is not.
    """
    faults = []
    for part, whole in (("pm25_ugm3", "pm10_ugm3"), ("pm25_popw_ugm3", "pm10_popw_ugm3")):
        over = int((frame[part] > frame[whole]).sum())
        if over > 0.05 * frame[[part, whole]].notna().all(axis=1).sum():
            faults.append(f"{over} row(s) have more {part} than {whole}")
    for name in ("no2", "o3", "pm10", "pm25"):
        plain, weighted = frame[f"{name}_ugm3"], frame[f"{name}_popw_ugm3"]
        far = ~(weighted / plain.where(plain > 0)).between(1 / 3, 3) & (plain > 0) & weighted.notna()
        if int(far.sum()) > 0.05 * len(frame):
            faults.append(f"{int(far.sum())} row(s) have a {name} weighted by population far from the plain one")
    if faults:
        raise DataError(
            "the columns of air pollutants are not in the documented order", "14 columns, known by their order",
            "compare the heading with: epi data list air", faults=faults,
        )  # fmt: skip
    return frame, []


RECORDS: dict[str, Callable[[str, str], pd.DataFrame]] = {"finess": _read_finess}
"""Readers of texts without a heading, by layout."""

TIDY: dict[str, Callable[[pd.DataFrame], tuple[pd.DataFrame, list[str]]]] = {
    "radon": _tidy_radon,
    "air_communes": _check_air,
    "census_csp": _mend_thousands,
}
"""What is set aside before the key is checked, by layout."""

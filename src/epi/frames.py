"""Frames that one notebook of a study makes and a later one needs: declared, private, told apart by content.

In a run they lie in its private part, as Parquet, and are part of the step that made them: a step
that needs a frame is run again when the frame changed, and not when the notebook that made it did
and gave the same. Outside a run they lie in a private folder among temporary files, one for each working
folder. They are rows of persons: nothing of them is ever shown, exported or put on a site.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from epi.disclosure.door import read_granted
from epi.disclosure.ledger import KEPT, NOTEBOOK, run_folder
from epi.errors import DataError, ParameterError, ProtocolError
from epi.files import atomic_path, digest_text, storage_faults

if TYPE_CHECKING:
    from epi.protocol import Notebook

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")


def keep(frame: pd.DataFrame, name: str) -> Path:
    """Keep a frame for later notebooks of the study.

    Parameters
    ----------
    frame : pandas.DataFrame or geopandas.GeoDataFrame
        What to keep; its index is 0, 1, 2…, its columns have different names, all text.
    name : str
        Its name, which the protocol lists in ``keeps`` of this notebook.

    Returns
    -------
    Path
        Where it lies: in the run's private part, or among temporary files where nothing is run.

    Raises
    ------
    ParameterError
        If it is not a frame that a file can hold whole.
    ProtocolError
        If a run's protocol does not declare it.
    StorageError
        If the disk is full.

    Examples
    --------
    >>> import pandas as pd
    >>> path = keep(pd.DataFrame({"age": [31, 47]}), "ages")
    >>> kept("ages")["age"].tolist()
    [31, 47]
    """
    _check_name(name)
    if not isinstance(frame, pd.DataFrame):
        raise ParameterError(
            f"{type(frame).__name__} cannot be kept", "a DataFrame or a GeoDataFrame: no pickled object"
        )
    labels = list(frame.columns)
    faults = []
    if not all(isinstance(label, str) for label in labels) or len(set(labels)) < len(labels):
        faults.append("columns need different names, all text")
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        faults.append("the index would be lost: frame.reset_index()")
    if faults:
        raise ParameterError(f"frame '{name}' cannot be kept as it is", faults=faults)
    _check_declared(name, "keeps")
    path = _place() / f"{name}.parquet"
    with storage_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with atomic_path(path) as part, storage_faults(path):
        try:
            frame.to_parquet(part, index=False)
        except (TypeError, ValueError) as error:
            # The library's message quotes the value that it could not write.
            raise ParameterError(
                f"frame '{name}' holds values of mixed kinds in a column", "one type for each column"
            ) from error
    return path


def kept(name: str) -> pd.DataFrame:
    """Read a frame that an earlier notebook of the study kept.

    Parameters
    ----------
    name : str
        Its name, which the protocol lists in ``needs`` of this notebook.

    Returns
    -------
    pandas.DataFrame or geopandas.GeoDataFrame
        The frame as it was.

    Raises
    ------
    ProtocolError
        If a run's protocol does not declare it.
    DataError
        If nothing of that name was kept.

    See Also
    --------
    keep : with an example.
    """
    _check_name(name)
    _check_declared(name, "needs")
    path = _place() / f"{name}.parquet"
    if not path.is_file():
        there = sorted(other.stem for other in path.parent.glob("*.parquet"))
        raise DataError(
            f"no frame '{name}' was kept", f"one of {', '.join(there)}" if there else "a frame kept before",
            "run the notebook that keeps it first",
        )  # fmt: skip
    import pyarrow.parquet

    if b"geo" in (pyarrow.parquet.read_schema(path).metadata or {}):
        import geopandas as gpd

        return gpd.read_parquet(path)
    return pd.read_parquet(path)


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ParameterError("the name of a frame is not one", "small letters, digits and _, such as 'follow_up'")


def _check_declared(name: str, what: str) -> None:
    notebook = _running()
    if notebook is not None and name not in getattr(notebook, what):
        raise ProtocolError(
            f"{notebook.file} does not declare that it {what} '{name}'",
            f"{what}: [{', '.join([*getattr(notebook, what), name])}] for that notebook in protocol.yml",
        )


def _running() -> Notebook | None:
    file, protocol = os.environ.get(NOTEBOOK), read_granted()
    if not file or protocol is None:
        return None
    return next((notebook for notebook in protocol.notebooks if notebook.file == file), None)


def _place() -> Path:
    run = run_folder()
    if run is not None:
        return run / KEPT
    owner = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(tempfile.gettempdir()) / f"epi-kept-{owner}"
    with storage_faults(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or (hasattr(os, "getuid") and folder.stat().st_uid != os.getuid()):
        raise DataError("the private folder for kept frames belongs to somebody else", "a folder of one's own")
    folder.chmod(0o700)
    # Notebooks of one folder share their frames, and those of two studies never mix.
    return folder / digest_text(str(Path.cwd().resolve()))[:16]

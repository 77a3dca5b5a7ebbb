"""DuckDB with tables of its own: bounded memory, spilling beside the output, our errors for its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from epi.errors import DataError, ParameterError, StorageError
from epi.sources.bndmr.conversion import text


@contextmanager
def open_engine(scratch: Path, memory_limit: str, threads: int | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB with nothing in it; its errors become ours, without its words.

    Parameters
    ----------
    scratch : Path
        Folder for what spills.
    memory_limit : str
        What may be held in memory.
    threads : int or None
        By default the environment's ``EPI_THREADS``, else all cores.

    Yields
    ------
    duckdb.DuckDBPyConnection
        Open while the block lasts.

    Raises
    ------
    DataError
        If a file cannot be read.
    StorageError
        If disk or memory are not enough.
    ParameterError
        If memory or threads are not such.
    """
    count = threads if threads is not None else int(os.environ.get("EPI_THREADS") or os.cpu_count() or 1)
    if count < 1:
        raise ParameterError(f"threads is {count}", "a number from 1")
    connection = duckdb.connect()
    try:
        try:
            connection.execute(f"SET memory_limit = {text(memory_limit)}")
        except duckdb.Error:
            raise ParameterError("memory_limit is not a size", "such as 1GB or 800MB") from None
        connection.execute(f"SET threads = {count}")
        connection.execute(f"SET temp_directory = {text(str(scratch / 'spill'))}")
        connection.execute("SET preserve_insertion_order = true")
        connection.execute("SET autoinstall_known_extensions = false")
        # Tables are held compressed, and go to the spill folder when memory runs short.
        connection.execute("ATTACH ':memory:' AS registry (COMPRESS)")
        connection.execute("USE registry")
        yield connection
    except duckdb.OutOfMemoryException:
        raise StorageError(
            f"the registry does not fit in {memory_limit} of memory and the room left on disk",
            "more memory, or room to spill",
            "raise memory_limit, or free space beside the output; nothing half-written is left",
        ) from None
    except duckdb.IOException as error:
        if "No space left" in str(error) or "too large" in str(error):
            raise StorageError(
                "the disk is full: the tidy registry could not be written",
                "room for it and for its working files",
                "free space beside the output, then read again; nothing half-written is left",
            ) from None
        raise DataError(
            "a file of the registry could not be read to its end",
            "whole CSV or Parquet files",
            "copy it again from where it came",
        ) from None
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.OutOfRangeException) as error:
        raise DataError(
            f"a file of the registry could not be read ({type(error).__name__})",
            "files laid out as the mapping says",
            "check separator, quotes and encoding",
        ) from None
    finally:
        connection.close()

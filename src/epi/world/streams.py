"""Independent streams of random numbers, one for each thing that is drawn.

A stream depends on the seed and on its name alone: adding a column to one table leaves the
others as they were, and nothing depends on the order in which tables are made.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MASK = np.uint64(0xFFFFFFFFFFFFFFFF)


def open_stream(seed: int, *names: str) -> np.random.Generator:
    """Open the stream of a name.

    Parameters
    ----------
    seed : int
        Seed of the world.
    *names : str
        What is drawn.

    Returns
    -------
    numpy.random.Generator
        The same numbers for the same seed and names.

    Examples
    --------
    >>> int(open_stream(1, "care").integers(1000)) == int(open_stream(1, "care").integers(1000))
    True
    """
    key = zlib.crc32("/".join(names).encode())
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, key])))


def choose(generator: np.random.Generator, weights: ArrayLike, size: int) -> NDArray[np.int64]:
    """Draw positions with probabilities in proportion to weights.

    Parameters
    ----------
    generator : numpy.random.Generator
        The stream.
    weights : array-like
        Non-negative weights.
    size : int
        How many.

    Returns
    -------
    numpy.ndarray
        Positions in `weights`, with repetition.

    Examples
    --------
    >>> choose(open_stream(1, "x"), [0.0, 1.0, 0.0], 3).tolist()
    [1, 1, 1]
    """
    total = np.cumsum(np.asarray(weights, dtype=float))
    found = np.searchsorted(total, generator.random(size) * total[-1], side="right")
    return np.minimum(found, len(total) - 1)


def scramble(numbers: NDArray[Any], seed: int, name: str) -> NDArray[np.uint64]:
    """Turn numbers into 64 bits that show nothing of their order: a keyed bijection.

    Parameters
    ----------
    numbers : numpy.ndarray
        Distinct non-negative integers.
    seed : int
        Seed of the world.
    name : str
        Kind of identifier.

    Returns
    -------
    numpy.ndarray
        As many distinct numbers.

    Examples
    --------
    >>> len(set(scramble(np.arange(1000), 1, "patient").tolist()))
    1000
    """
    key = open_stream(seed, "identifiers", name).integers(0, 2**63, dtype=np.uint64)
    with np.errstate(over="ignore"):
        x = (np.asarray(numbers).astype(np.uint64) + key) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


_HEX = np.frombuffer(b"".join(b"%02x" % i for i in range(256)), dtype=np.uint16)


def hexadecimal(bits: NDArray[np.uint64]) -> NDArray[np.bytes_]:
    """Write 64-bit numbers as 16 hexadecimal characters.

    Parameters
    ----------
    bits : numpy.ndarray
        Unsigned 64-bit integers.

    Returns
    -------
    numpy.ndarray
        Bytes of length 16.

    Examples
    --------
    >>> hexadecimal(np.array([255], dtype=np.uint64)).tolist()
    [b'00000000000000ff']
    """
    big = np.ascontiguousarray(bits.astype(">u8")).view(np.uint8).reshape(-1, 8)
    return np.ascontiguousarray(_HEX[big]).view("S16").ravel()

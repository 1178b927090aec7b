"""Weights and other arrays in files: NumPy's own format, nothing pickled, whole or not there."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.files import atomic_write

Arrays = dict[str, npt.NDArray[Any]]


def save_array(path: Path, array: npt.NDArray[np.generic]) -> None:
    """Write an array to a file that appears whole or not at all."""
    with atomic_write(path) as partial, partial.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays by their names to a file that appears whole or not at all."""
    with atomic_write(path) as partial, partial.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def read_arrays(data: bytes) -> Arrays:
    """All arrays of a file of plain arrays. Raises ValueError and zipfile.BadZipFile."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}

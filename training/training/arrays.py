"""Weights and other arrays in files: NumPy's own format, nothing pickled, whole or not there."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays to a file that appears whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    partial.replace(path)


def read_arrays(data: bytes) -> Arrays:
    """All arrays of a file of plain arrays. Raises ValueError and zipfile.BadZipFile."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}

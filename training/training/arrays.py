"""Files of arrays: NumPy's own format, nothing pickled, written atomically; and short hashes for their folders."""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]


def hash_text(text: str) -> str:
    """A short hash for the name of a folder."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A path to write to, which replaces `path` when the block ends without an error; it has the same suffix, for
    Keras.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"partial-{os.getpid()}-{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def save_array(path: Path, array: npt.NDArray[np.generic]) -> None:
    """Write an array to a file, atomically."""
    with atomic_write(path) as partial, partial.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays by their names to a file, atomically."""
    with atomic_write(path) as partial, partial.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def read_arrays(data: bytes) -> Arrays:
    """All arrays of a file of plain arrays. Raises ValueError and zipfile.BadZipFile."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}

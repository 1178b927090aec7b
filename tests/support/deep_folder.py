"""A folder that is deeper than Python's recursion limit."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LEVELS = 1_200


@contextmanager
def make_deep(folder: Path) -> Iterator[Path]:
    """The lowest of the folders below `folder`, all of which are gone at the end with the files in it."""
    deepest = str(folder)
    for _ in range(_LEVELS):
        deepest += "/d"
        os.mkdir(deepest)  # noqa: PTH102
    try:
        yield Path(deepest)
    finally:
        for name in os.listdir(deepest):  # noqa: PTH208
            os.unlink(f"{deepest}/{name}")  # noqa: PTH108
        os.removedirs(deepest)

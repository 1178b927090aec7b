"""Reads captions without their photos: gzip files with lines of `id<TAB>caption`; lines with one id are captions of one
photo.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.errors import DatasetError


def read_texts(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Ids, different ones in different files, and captions. Raises DatasetError, naming file and line."""
    for path in paths:
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for number, line in enumerate(lines, start=1):
                    photo, tab, caption = line.partition("\t")
                    if not tab:
                        raise DatasetError(f"{path}, line {number}: expected id<tab>caption, but found {line[:60]!r}")
                    yield f"{path.name} {photo}", caption.strip()
        except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
            raise DatasetError(f"{path}: {error}") from error


def digest_text(path: Path) -> str:
    """The sha256 of a file, in hex. Raises DatasetError where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}") from error

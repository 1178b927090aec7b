"""The file that a run writes to, with the rows of earlier runs.

CSV and JSON lines get a row for each photo: a run that is killed loses at most the row that it was writing, and the
next run continues from there.
"""

import contextlib
import csv
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from photocaption.cli.destination import Destination, DestinationError, Existing
from photocaption.cli.outcome import Outcome, Status
from photocaption.cli.output import Layout, Write, name_columns, open_writer
from photocaption.cli.photo import Photo
from photocaption.cli.replacement import lock, replacing

ANY_NAME = "surrogateescape"  # names of files are bytes, and are written as they were read
_DIGITS = 64
_BEGIN = b'{"file": "'


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of a photo from an earlier run; `confidence` of one that was left to a person."""

    sha256: str
    reason: str
    confidence: float | None


class Record(Destination):
    """Writes rows in the order of the photos."""

    def __init__(self, write: Write, rows: dict[str, Row], min_confidence: float = 0.0) -> None:
        """`write`: appends a row; `rows`: those of earlier runs, by the name of the photo; `min_confidence`: below it
        a photo that was left to a person stays so."""
        self._write = write
        self._rows = rows
        self._min_confidence = min_confidence

    def find(self, photo: Photo) -> Outcome | None:
        """The outcome of the same photo in an earlier run, unless it should be tried again."""
        row = self._rows.get(photo.name)
        if row is None or row.sha256 != photo.sha256:
            return None
        if not row.reason:
            return Outcome(photo.name, Status.KEPT, row.sha256)
        if row.confidence is None or row.confidence >= self._min_confidence:
            return None
        return Outcome(photo.name, Status.UNSURE, row.sha256, reason=row.reason, confidence=row.confidence)

    def note(self, outcome: Outcome) -> None:
        """Append a row, unless the last one on this photo says the same. Raises OSError."""
        row = self._rows.get(outcome.name)
        known = row is not None and (row.sha256, row.reason) == (outcome.sha256, outcome.reason)
        if outcome.status is not Status.KEPT and not known:
            self._write(outcome)


@contextmanager
def open_record(path: Path | None, layout: Layout, existing: Existing, min_confidence: float = 0.0) -> Iterator[Record]:
    """The record in this file, or on the standard output. Raises OSError, DestinationError."""
    if path is None:
        yield Record(open_writer(sys.stdout, layout), {})
    elif existing == "replace" or (existing == "skip" and layout.format == "text"):
        with _open_anew(path) as stream:
            yield Record(open_writer(stream, layout), {})
    else:
        with path.open("a+b") as file, _as_text(file) as stream:
            lock(file, path)
            rows = _resume(file, path, layout)
            write = open_writer(stream, layout, header=file.tell() == 0)
            yield Record(write, rows if existing == "skip" else {}, min_confidence)


def read_record(path: Path | None, layout: Layout, existing: Existing, min_confidence: float = 0.0) -> Record:
    """The rows that `open_record` would read, without writing. Raises OSError, DestinationError."""
    rows: dict[str, Row] = {}
    if path is not None and path.is_file() and existing == "skip" and layout.format != "text":
        rows, _ = _read_rows(path.read_bytes(), path, layout)
    return Record(lambda _: None, rows, min_confidence)


@contextmanager
def _open_anew(path: Path) -> Iterator[TextIO]:
    """A file that takes the place of `path` in the end; what is no file, such as /dev/null, is written to."""
    with path.open("wb") if path.exists() and not path.is_file() else replacing(path) as file, _as_text(file) as stream:
        yield stream
        stream.flush()


@contextmanager
def _as_text(file: BinaryIO) -> Iterator[TextIO]:
    stream = io.TextIOWrapper(file, encoding="utf-8", errors=ANY_NAME, newline="")
    try:
        yield stream
    finally:
        with contextlib.suppress(ValueError):  # it is closed already
            stream.detach()


def _resume(file: BinaryIO, path: Path, layout: Layout) -> dict[str, Row]:
    """The rows that are in the file, which ends with a whole one from here on, where more can be appended."""
    file.seek(0)
    data = file.read()
    if layout.format == "text":
        return {}
    rows, length = _read_rows(data, path, layout)
    if length < len(data):
        file.truncate(length)
    if length and data[length - 1] != ord("\n"):
        file.write(b"\r\n" if layout.format == "csv" else b"\n")
    file.seek(0, os.SEEK_END)
    return rows


def _read_rows(data: bytes, path: Path, layout: Layout) -> tuple[dict[str, Row], int]:
    """The rows by the names of their photos, and how many bytes the whole ones take."""
    if not data:
        return {}, 0
    return _read_csv(data, path, layout.alternatives) if layout.format == "csv" else _read_json_lines(data, path)


def _read_json_lines(data: bytes, path: Path) -> tuple[dict[str, Row], int]:
    rows = {}
    length = 0
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        try:
            values = json.loads(line)
            name = str(values["file"])
            error = str(values.get("error", ""))
            sha256 = str(values["sha256"] or "" if error else values["image"]["sha256"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            if line.startswith(_BEGIN[: len(line)]) and not line.endswith(b"\n"):
                break  # an incomplete row of a run that was killed
            msg = f"{path}: line {number} was not written by this program; --existing replace rewrites the file"
            raise DestinationError(msg) from None
        rows[name] = Row(sha256, error, values.get("confidence") if error else None)
        length += len(line)
    return rows, length


def _read_csv(data: bytes, path: Path, alternatives: int) -> tuple[dict[str, Row], int]:
    consumed = 0

    def read_lines() -> Iterator[str]:
        nonlocal consumed
        for line in io.StringIO(data.decode("utf-8", ANY_NAME), newline=""):
            consumed += len(line.encode("utf-8", ANY_NAME))
            yield line

    columns = name_columns(alternatives)
    if ",".join(columns).encode().startswith(data):
        return {}, 0
    csv.field_size_limit(sys.maxsize)  # a file that is not ours may have larger ones
    reader = csv.reader(read_lines())
    if next(reader) != columns:
        msg = f"{path}: its columns are not {','.join(columns)}; --existing replace rewrites the file"
        raise DestinationError(msg)
    rows = {}
    length = consumed
    for fields in reader:
        values = dict(zip(columns, fields, strict=False))
        if len(fields) == len(columns) and (data[consumed - 1 : consumed] == b"\n" or len(fields[-1]) == _DIGITS):
            rows[values["file"]] = Row(values["sha256"], values["error"], _read_share(values["confidence"]))
        elif consumed == len(data):
            break  # an incomplete row of a run that was killed
        length = consumed
    return rows, length


def _read_share(text: str) -> float | None:
    with contextlib.suppress(ValueError):
        return float(text)
    return None

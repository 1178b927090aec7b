"""Reads the bytes of photos, each once, from files of their own, from the rows of Parquet files, and from tars.

A unit's photos come in the order of their files. The rows of a Parquet file are read as they pass, a few at a time, so
that the file does not have to fit into memory.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import BinaryIO, Self, cast

import pyarrow as pa
import pyarrow.parquet as pq

from batch import storage
from batch.photo import Photo

Load = Callable[[], bytes]

_ROWS = 16
_BUFFER_BYTES = 2**20  # read at once; by itself, pyarrow reads the column in all groups of rows ahead


class TooLargeError(Exception):
    """The file is larger than photos may be; the message is for people."""


class UnreadableError(Exception):
    """There is no such file, it may not be read, or what holds it is damaged; the message is for people."""


class Reader:
    """Reads photos of at most `max_bytes`, inside `with`. Ask for them in the manifest's order, and from one thread."""

    def __init__(self, max_bytes: int, column: str | None) -> None:
        """`column`: where Parquet files hold the photos."""
        self._max_bytes = max_bytes
        self._column = column
        self._cells: _Cells | None = None
        self._tar: tuple[str, BinaryIO] | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def find(self, photo: Photo) -> Load:
        """What gives the photo's bytes, at any time and in any thread; it raises TooLargeError and UnreadableError."""
        if photo.kind == "file":
            return lambda: self._check(_read_file(photo.uri, self._max_bytes))
        try:
            if photo.fault is not None:
                raise UnreadableError(photo.fault)
            data = self._read_cell(photo) if photo.kind == "table" else self._read_member(photo)
        except UnreadableError as error:
            return _raiser(error)
        return lambda: self._check(data)

    def _close(self) -> None:
        """One file is open at a time, whatever its kind."""
        self._cells = self._tar = None
        self._open.close()

    def _check(self, data: bytes) -> bytes:
        if len(data) > self._max_bytes:
            raise TooLargeError(f"The file is larger than {self._max_bytes} bytes.")
        return data

    def _read_member(self, photo: Photo) -> bytes:
        try:
            if self._tar is None or self._tar[0] != photo.holder:
                self._close()
                self._tar = (photo.holder, self._open.enter_context(storage.open_ahead(photo.holder)))
            self._tar[1].seek(photo.start)
            data = self._tar[1].read(min(photo.size, self._max_bytes + 1))
        except OSError as error:
            self._close()
            raise UnreadableError(f"The archive cannot be read: {_explain(error)}") from error
        if len(data) < min(photo.size, self._max_bytes + 1):
            raise UnreadableError("The archive is shorter than it was.")
        return data

    def _read_cell(self, photo: Photo) -> bytes:
        try:
            if self._cells is None or not self._cells.reaches(photo):
                self._close()
                stream = self._open.enter_context(storage.open_file(photo.holder))
                self._cells = _Cells(photo.holder, stream, str(self._column), photo.start)
            data = self._cells.read(photo.start)
        except (OSError, pa.ArrowException, StopIteration) as error:
            self._close()
            raise UnreadableError(f"The table cannot be read: {_explain(error)}") from error
        if data is None:
            raise UnreadableError("The cell is empty.")
        return data


class _Cells:
    """A column of a Parquet file, read forwards from the group of rows that holds row `start`."""

    def __init__(self, holder: str, stream: pa.NativeFile, column: str, start: int) -> None:
        self.holder = holder
        table = pq.ParquetFile(stream, pre_buffer=False, buffer_size=_BUFFER_BYTES)
        group, self._next = _find_group(table.metadata, start)
        groups = list(range(group, table.metadata.num_row_groups))
        self._batches: Iterator[pa.RecordBatch] = table.iter_batches(_ROWS, groups, columns=[column])
        self._ahead: list[bytes | None] = []

    def reaches(self, photo: Photo) -> bool:
        """Whether the photo lies in this file, and ahead."""
        return self.holder == photo.holder and self._next <= photo.start

    def read(self, row: int) -> bytes | None:
        """The cell of a row; those before it are passed over. Raises OSError, ArrowException and StopIteration."""
        while self._next + len(self._ahead) <= row:
            self._next += len(self._ahead)
            self._ahead = next(self._batches).column(0).to_pylist()
        passed = row - self._next
        cell = self._ahead[passed]
        self._ahead = self._ahead[passed + 1 :]
        self._next = row + 1
        return cell


def _find_group(metadata: pq.FileMetaData, row: int) -> tuple[int, int]:
    """The group of rows that holds a row, and the first row of that group."""
    first = 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if row < first + rows:
            return group, first
        first += rows
    raise OSError("it has fewer rows than it had")


def _read_file(uri: str, most: int) -> bytes:
    try:
        return storage.read(uri, most)
    except (OSError, ValueError) as error:  # pyarrow says ValueError of a URI that it does not understand
        raise UnreadableError(f"The file cannot be read: {_explain(error)}") from error


def _raiser(error: UnreadableError) -> Load:
    def load() -> bytes:
        raise error

    return load


def _explain(error: BaseException) -> str:
    text = cast("str | None", getattr(error, "strerror", None)) or str(error) or type(error).__name__
    return " ".join(text.split())

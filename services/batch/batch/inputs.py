"""Turns what the command names into photos: folders, globs, single files, and the rows of Parquet files.

    photos/  s3://bucket/photos/  'photos/**/*.webp'  dog.jpg     a file is a photo
    table.parquet with --uri-column                               a cell names a photo
    table.parquet with --bytes-column                             a cell is a photo
    samples.tar                                                   each photo in it, as WebDataset has them

Nothing is decoded or even opened here, but the tables, of these only the column of names, and the headers of tars.
"""

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from batch.errors import InputError
from batch.listing import File, expand, find, is_glob, walk
from batch.photo import Photo, make_id
from batch.storage import open_file
from batch.tars import list_samples
from photocaption.cli.folders import PHOTO_SUFFIXES

_TABLE = ".parquet"
_TAR = ".tar"
_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of Parquet files names photos, or holds them; without either, Parquet files are no input."""

    uri: str | None = None
    bytes: str | None = None

    @property
    def given(self) -> str | None:
        """The one that was named."""
        return self.uri or self.bytes


def list_photos(inputs: Sequence[str], columns: Columns) -> Iterator[Photo]:
    """Every photo that the inputs name, in their order; twice, where two of them do. Raises InputError."""
    for name in inputs:
        count = 0
        for photo in _list_input(name, columns):
            count += 1
            yield photo
        if count == 0:
            raise InputError(f"{name}: no photos here{_advise(name, columns)}")


def _advise(name: str, columns: Columns) -> str:
    if name.endswith(_TABLE) and columns.given is None:
        return "; say which column has them, with --uri-column or --bytes-column"
    return ""


def _list_input(name: str, columns: Columns) -> Iterator[Photo]:
    if is_glob(name):
        for file in expand(name):
            yield from _read_file(file, columns)
    elif (single := find(name)) is not None:
        yield from _read_file(single, columns)
    else:
        for file in walk(name):
            if _suffix(file) in PHOTO_SUFFIXES | {_TAR} or (columns.given and _suffix(file) == _TABLE):
                yield from _read_file(file, columns)


def _read_file(file: File, columns: Columns) -> Iterator[Photo]:
    if _suffix(file) == _TAR:
        yield from _read_tar(file)
    elif _suffix(file) != _TABLE:
        yield Photo(make_id(file.uri, file.size, file.modified), file.uri, "file", file.uri)
    elif columns.given:
        yield from _read_table(file, columns)


def _suffix(file: File) -> str:
    return PurePosixPath(file.uri).suffix.lower()


def _read_tar(file: File) -> Iterator[Photo]:
    try:
        yield from list_samples(file, PHOTO_SUFFIXES)
    except (OSError, tarfile.TarError) as error:
        raise InputError(f"{file.uri}: cannot be read as a tar: {' '.join(str(error).split())}") from error


def _read_table(file: File, columns: Columns) -> Iterator[Photo]:
    try:
        with open_file(file.uri) as stream, pq.ParquetFile(stream) as table:
            _check_column(file, table.schema_arrow, columns)
            yield from _name_rows(file, table) if columns.bytes else _read_names(table, str(columns.uri))
    except (OSError, ValueError, pa.ArrowException) as error:  # ValueError: text that is not UTF-8
        raise InputError(f"{file.uri}: cannot be read as Parquet: {' '.join(str(error).split())}") from error


def _check_column(file: File, schema: pa.Schema, columns: Columns) -> None:
    name = str(columns.given)
    if name not in schema.names:
        raise InputError(f"{file.uri}: has no column {name}, but {', '.join(schema.names)}")
    if schema.names.count(name) > 1:
        raise InputError(f"{file.uri}: has more than one column {name}")
    kind = schema.field(name).type
    wanted = (pa.types.is_binary, pa.types.is_large_binary) if columns.bytes else (
        pa.types.is_string, pa.types.is_large_string
    )  # fmt: skip
    if not any(fits(kind) for fits in wanted):
        raise InputError(f"{file.uri}: its column {name} holds {kind}, not {'bytes' if columns.bytes else 'text'}")


def _name_rows(file: File, table: pq.ParquetFile) -> Iterator[Photo]:
    for row in range(table.metadata.num_rows):
        uri = f"{file.uri}#{row}"
        yield Photo(make_id(uri, file.size, file.modified), uri, "table", file.uri, row)


def _read_names(table: pq.ParquetFile, column: str) -> Iterator[Photo]:
    """The photos that cells name. Of the files nothing is known yet: another version of one is not told apart."""
    for rows in table.iter_batches(_ROWS, columns=[column]):
        for uri in rows.column(0).to_pylist():
            if uri:
                yield Photo(make_id(uri), uri, "file", uri)

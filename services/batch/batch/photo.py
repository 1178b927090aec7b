"""What a manifest says of a photo: which it is, and where its bytes lie."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, Literal

import pyarrow as pa

Kind = Literal["file", "table", "tar"]

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("uri", pa.string()),
        ("kind", pa.string()),
        ("holder", pa.string()),
        ("start", pa.int64()),
        ("size", pa.int64()),
        ("fault", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of the input.

    `id`: 32 hex digits, by which runs know it again; `uri`: its name for people; `kind` and `holder`: a file of its
    own, or the Parquet file that has it in its row `start`, or the tar that has it in `size` bytes from `start`;
    `fault`: what was seen to be wrong with it when it was listed.
    """

    id: str
    uri: str
    kind: Kind
    holder: str
    start: int = 0
    size: int = 0
    fault: str | None = None


def make_id(uri: str, *version: object) -> str:
    """The id of what is at `uri` in this version, told by its size and time; another version is another photo."""
    text = "\0".join((uri, *map(str, version)))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def to_table(photos: Sequence[Photo]) -> pa.Table:
    """Photos as a table of `SCHEMA`."""
    rows = zip(*map(astuple, photos), strict=True) if photos else [()] * len(SCHEMA)
    return pa.table([pa.array(column, field.type) for column, field in zip(rows, SCHEMA, strict=True)], schema=SCHEMA)


def from_table(table: pa.Table) -> Iterable[Photo]:
    """What `to_table` made."""
    columns: list[list[Any]] = [table.column(field.name).to_pylist() for field in fields(Photo)]
    return (Photo(*row) for row in zip(*columns, strict=True))

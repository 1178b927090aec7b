"""What a run is to do: the photos of the input that are not in the output yet, cut into units.

    photos ──▶ listing ──anti-join with what is written──▶ manifest, a group of rows for each unit

A unit is done by one actor, and gives one file of rows. Its photos are neighbours in the listing, so that a Parquet
file is read in one go. Nothing here is in memory as a whole but a mark for each photo.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from batch import storage
from batch.photo import SCHEMA, Photo, from_table, to_table
from batch.to_do import Ids, Marks, mark_to_do

_AT_ONCE = 10_000
_MIN_ROWS = 50
_MAX_ROWS = 1000
_UNITS_EACH = 4  # so that the actors end at about the same time


class Listing:
    """The photos of the input in a file of an empty folder; `count` of them, those that are listed twice counted
    twice.
    """

    def __init__(self, photos: Iterable[Photo], folder: Path) -> None:
        """Write them as they come. Raises what `photos` raises."""
        self.count = 0
        self._folder = folder
        self._path = folder / "listing.parquet"
        remaining = iter(photos)
        with pq.ParquetWriter(self._path, SCHEMA) as writer:
            while some := list(islice(remaining, _AT_ONCE)):
                writer.write_table(to_table(some))
                self.count += len(some)

    def mark_to_do(self, written: Iterable[Ids]) -> Marks:
        """For each photo whether it is left to do when those of `written` are done."""
        buckets = self._folder / "buckets"
        buckets.mkdir()
        return mark_to_do(self._read_ids(), written, buckets)

    def write_manifest(self, marks: Marks, rows: int, place: str) -> int:
        """Write the marked photos to `place`, `rows` of them in a unit; how many units those are. Raises OSError."""
        spool = self._folder / "manifest.parquet"
        with pq.ParquetWriter(spool, SCHEMA) as writer:
            for unit in _cut(self._choose(marks), rows):
                writer.write_table(unit, row_group_size=len(unit))
        with pa.memory_map(str(spool)) as written:
            storage.publish(place, written.read_buffer())
        return math.ceil(int(marks.sum()) / rows)

    def _read_ids(self) -> Iterator[Ids]:
        with pq.ParquetFile(self._path) as listing:
            for rows in listing.iter_batches(_AT_ONCE, columns=["id"]):
                yield np.array(rows.column(0).to_pylist(), "S32")

    def _choose(self, marks: Marks) -> Iterator[pa.Table]:
        position = 0
        with pq.ParquetFile(self._path) as listing:
            for rows in listing.iter_batches(_AT_ONCE):
                mask = pa.array(marks[position : position + len(rows)])
                yield pa.Table.from_batches([rows]).filter(mask)
                position += len(rows)


def choose_rows(photos: int, actors: int) -> int:
    """Photos in a unit: a thousand of many, fewer where there would not be enough units for all to work to the end."""
    return min(_MAX_ROWS, max(_MIN_ROWS, math.ceil(photos / (_UNITS_EACH * actors))))


def read_unit(manifest: pq.ParquetFile, unit: int) -> list[Photo]:
    """The photos of a unit."""
    return list(from_table(manifest.read_row_group(unit)))


def _cut(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    waiting = SCHEMA.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        while len(waiting) >= rows:
            yield waiting.slice(0, rows)
            waiting = waiting.slice(rows)
    if len(waiting):
        yield waiting

"""What the rows of a run say as a whole: how sure they are, what failed, and a few of them to look at.

Rows are read file by file, and what is kept of them has a size that does not depend on how many there are.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from batch import storage

BINS = 20

_SAMPLE = 24
_EXAMPLES = 5
_COLUMNS = ["id", "uri", "alt_text", "confidence", "width", "height", "error_type", "error_detail"]


@dataclass(frozen=True, slots=True)
class Captioned:
    """A row that has a caption."""

    id: str
    uri: str
    alt_text: str
    confidence: float
    width: int
    height: int


@dataclass(slots=True)
class Failures:
    """How many rows failed in one way, and the first of them: URI and detail."""

    count: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Survey:
    """`confidence`: rows in each of `BINS` steps from 0 to 1; `failures`: by kind; `sample`: rows, by chance."""

    confidence: list[int]
    failures: dict[str, Failures]
    sample: list[Captioned]


def survey(files: list[str], seed: str) -> Survey:
    """Read the rows of a run; the same seed takes the same sample. Raises OSError."""
    chance = random.Random(seed)  # noqa: S311  # it chooses what to show
    counts = np.zeros(BINS, np.int64)
    failures: dict[str, Failures] = {}
    sample: list[Captioned] = []
    seen = 0
    for row in _read(files):
        if row["error_type"]:
            _add_failure(failures.setdefault(row["error_type"], Failures()), row)
            continue
        counts[min(BINS - 1, int(row["confidence"] * BINS))] += 1
        seen += 1
        place = len(sample) if len(sample) < _SAMPLE else chance.randrange(seen)  # Vitter's algorithm R
        if place < _SAMPLE:
            sample[place : place + 1] = [_to_captioned(row)]
    ordered = dict(sorted(failures.items(), key=lambda item: -item[1].count))
    return Survey(counts.tolist(), ordered, sorted(sample, key=lambda row: -row.confidence))


def _read(files: list[str]) -> Iterator[dict[str, Any]]:
    for uri in files:
        with storage.open_file(uri) as stream:
            yield from pq.read_table(stream, columns=_COLUMNS).to_pylist()


def _add_failure(failures: Failures, row: dict[str, Any]) -> None:
    failures.count += 1
    if len(failures.examples) < _EXAMPLES:
        failures.examples.append((row["uri"], row["error_detail"]))


def _to_captioned(row: dict[str, Any]) -> Captioned:
    return Captioned(row["id"], row["uri"], row["alt_text"], row["confidence"], row["width"], row["height"])

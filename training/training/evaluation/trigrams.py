"""Looks for what no person would say: sequences of three words in captions that people's captions hardly hold.

A sequence counts as found when two captions of the text have it that are not the same, word by word: the same caption
often stands in two collections.
"""

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.words import tokenise
from training.errors import DatasetError

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Trigrams:
    """Of `captions` captions with `sequences` different sequences, those that are rare with their number of captions,
    and the captions that have one.
    """

    captions: int
    sequences: int
    rare: dict[str, int]
    captions_with_rare: int

    def to_table(self) -> str:
        """The counts as people read them, with the most frequent."""
        shown = ", ".join(sorted(self.rare, key=lambda sequence: (-self.rare[sequence], sequence))[:_SHOWN])
        return (
            f"{len(self.rare)} of {self.sequences} sequences of three words stand in fewer than two different captions "
            f"of the training text; {self.captions_with_rare} of {self.captions} captions have one"
            f"{f' ({shown})' if shown else ''}"
        )

    def to_content(self) -> dict[str, Any]:
        """The counts as other programs read them."""
        return {
            "captions": self.captions,
            "captions_with_rare": self.captions_with_rare,
            "sequences": self.sequences,
            "rare": self.rare,
        }


def find_rare(captions: Sequence[str], text: Iterable[str]) -> Trigrams:
    """The sequences of `captions` that fewer than two different captions of `text` hold."""
    written = [_sequences(tokenise(caption)) for caption in captions]
    counts = Counter(sequence for sequences in written for sequence in sequences)
    found: Counter[str] = Counter()
    for caption in {" ".join(tokenise(caption)) for caption in text}:
        found.update(_sequences(caption.split()) & counts.keys())
    rare = {sequence: count for sequence, count in counts.items() if found[sequence] < 2}
    return Trigrams(len(captions), len(counts), rare, sum(not rare.keys().isdisjoint(of_one) for of_one in written))


def read_texts(paths: Iterable[Path]) -> Iterator[str]:
    """The captions of gzip files with lines of `id<TAB>caption`. Raises DatasetError, naming file and line."""
    for path in paths:
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for number, line in enumerate(lines, start=1):
                    _, tab, caption = line.partition("\t")
                    if not tab:
                        raise DatasetError(f"{path}, line {number}: expected id<tab>caption, but found {line[:60]!r}")
                    yield caption
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise DatasetError(f"{path}: {error}") from error


def _sequences(words: Sequence[str]) -> set[str]:
    return {" ".join(words[begin : begin + 3]) for begin in range(len(words) - 2)}

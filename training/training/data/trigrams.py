"""Finds rare sequences of three words: those that occur in fewer than two different captions by people.

Captions with the same words count once, because the same caption is often part of two datasets.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from photocaption.model.trigrams import Sequence3, Trigrams
from photocaption.model.vocabulary import Vocabulary
from training.data.photo import Photo
from training.data.words import TOKENS, tokenise

_SHOWN = 5
_MIN_EXPECTED = 5  # expected occurrences below which a low count is not significant
_AVOIDED = 0.25  # of the expected occurrences: "in a table" has a hundredth, "in a street" nearly half


@dataclass(frozen=True, slots=True)
class RareSequences:
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


def find_common(text: Iterable[str]) -> frozenset[str]:
    """The sequences that two different captions of `text` hold, or more."""
    captions = {" ".join(tokenise(caption)) for caption in text}
    found = Counter(sequence for caption in captions for sequence in sequences_of(caption.split()))
    return frozenset(sequence for sequence, count in found.items() if count > 1)


def list_known(
    photos: Iterable[Photo],
    text: Iterable[str],
    vocabulary: Vocabulary,
    skipped: Collection[str] = (),
    known: Trigrams | None = None,
) -> Trigrams:
    """The sequences of tokens, the end of a caption included, that have no cost in serving.

    Those in two different captions of `photos` and `text`, or in a caption that two photos have, unless their pairs of
    words would make one expect them far more often ("in a table"); all of the same captions without the words
    `skipped`; and those `known` already, of a vocabulary with which this one begins.
    """
    holders = Counter(caption for photo in photos for caption in {" ".join(tokenise(one)) for one in photo.captions})
    holders.update({" ".join(tokenise(caption)) for caption in text} - holders.keys())
    kept = known.list_sequences() if known else []
    for absent in {frozenset[str](), frozenset(skipped)}:
        kept += _list_written(holders, vocabulary, absent)
    return Trigrams.of(kept, len(vocabulary))


def _list_written(holders: Mapping[str, int], vocabulary: Vocabulary, absent: Collection[str]) -> list[Sequence3]:
    """Those of captions, without the words `absent`, each with the number of photos that have it or of texts."""
    words, pairs, sequences = Counter[int](), Counter[tuple[int, int]](), Counter[Sequence3]()
    for caption, holding in holders.items():
        present = [word for word in caption.split() if word not in absent]
        tokens, weight = [*vocabulary.encode(present), TOKENS.end], min(holding, 2)
        for token in tokens:
            words[token] += weight
        for pair in pairwise(tokens):
            pairs[pair] += weight
        for three in zip(tokens, tokens[1:], tokens[2:], strict=False):
            sequences[three] += weight
    return [
        one
        for one, count in sequences.items()
        if count > 1 and TOKENS.unknown not in one and (absent or not _is_avoided(count, one, pairs, words))
    ]


def _is_avoided(count: int, one: Sequence3, pairs: Mapping[tuple[int, int], int], words: Mapping[int, int]) -> bool:
    """Whether a sequence is much rarer than expected from its two pairs of words, so that it is probably an error."""
    expected = pairs[one[:2]] * pairs[one[1:]] / words[one[1]]
    return expected >= _MIN_EXPECTED and count < _AVOIDED * expected


def find_rare(captions: Sequence[str], text: Iterable[str]) -> RareSequences:
    """The sequences of `captions` that fewer than two different captions of `text` hold."""
    written = [sequences_of(tokenise(caption)) for caption in captions]
    counts = Counter(sequence for sequences in written for sequence in sequences)
    found: Counter[str] = Counter()
    for caption in {" ".join(tokenise(caption)) for caption in text}:
        found.update(sequences_of(caption.split()) & counts.keys())
    rare = {sequence: count for sequence, count in counts.items() if found[sequence] < 2}
    with_rare = sum(not rare.keys().isdisjoint(of_one) for of_one in written)
    return RareSequences(len(captions), len(counts), rare, with_rare)


def sequences_of(words: Sequence[str]) -> set[str]:
    """The sequences of three words in a caption."""
    return {" ".join(words[begin : begin + 3]) for begin in range(len(words) - 2)}

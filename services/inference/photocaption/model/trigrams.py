"""The sequences of three words that people write, against sentences that nobody would: "a man is in a beach". They may
also hold sequences of captions without some words: without articles, "standing on a camera" is one of three.

A bundle that learnt from enough captions holds them as `trigrams.bin`: 64-bit little-endian integers, compressed by
zlib. They are the differences between the ascending keys of the sequences; the key of the tokens a, b, c is
(a × V + b) × V + c, where V is the size of the vocabulary. The end of a caption is a token like the others.
"""

import zlib
from bisect import bisect_left
from collections.abc import Iterable
from typing import Self

import numpy as np
import numpy.typing as npt

_MAX_SEQUENCES = 2**22  # sequences in a file, 32 MB of memory: what a hostile one may take
_BYTES = 8
_MIN_SEQUENCES = 60  # about what a word has that people wrote 200 times in 216,000 captions

Sequence3 = tuple[int, int, int]


class Trigrams:
    """Sequences of three tokens of a vocabulary of V `words`."""

    def __init__(self, keys: npt.NDArray[np.int64], words: int, fewest: int = _MIN_SEQUENCES) -> None:
        """`keys` [N], ascending, each once; N may be 0. Words that stand in less than `fewest` sequences are too rare
        to tell what may stand beside them. Raises ValueError for what cannot be keys.
        """
        if np.any((keys < 0) | (keys >= words**3)) or np.any(np.diff(keys) <= 0):
            msg = "holds what is no sequence of three words"
            raise ValueError(msg)
        self._keys, self._words = keys, words
        self._ascending = keys.data  # whose elements are Python's integers, which compare faster than NumPy's
        self._begins = np.searchsorted(keys, np.arange(words + 1, dtype=np.int64) * words**2).tolist()
        self._is_frequent = (np.bincount(np.concatenate(self._split()), minlength=words) >= fewest).tolist()

    @classmethod
    def of(cls, sequences: Iterable[Sequence3], words: int, fewest: int = _MIN_SEQUENCES) -> Self:
        """Those of these tokens."""
        return cls(np.array(sorted({(a * words + b) * words + c for a, b, c in sequences}), np.int64), words, fewest)

    @classmethod
    def from_bytes(cls, data: bytes, words: int) -> Self:
        """Those of a file. Raises ValueError for one that is damaged, or holds more than 2²²."""
        inflating = zlib.decompressobj()
        try:
            raw = inflating.decompress(data, _MAX_SEQUENCES * _BYTES)
        except zlib.error as error:
            msg = "is not compressed by zlib"
            raise ValueError(msg) from error
        if not inflating.eof or inflating.unused_data or len(raw) % _BYTES:
            msg = f"is cut short, or holds more than {_MAX_SEQUENCES} sequences"
            raise ValueError(msg)
        return cls(np.cumsum(np.frombuffer(raw, "<i8"), dtype=np.int64), words)

    def to_bytes(self) -> bytes:
        """The content of a file."""
        return zlib.compress(np.diff(self._keys, prepend=0).astype("<i8").tobytes(), level=9)

    def list_sequences(self) -> list[Sequence3]:
        """The tokens of each sequence, in ascending order."""
        return list(zip(*(tokens.tolist() for tokens in self._split()), strict=True))

    def _split(self) -> tuple[npt.NDArray[np.int64], ...]:
        """The first, second and third tokens [N]."""
        return self._keys // self._words**2, self._keys // self._words % self._words, self._keys % self._words

    def is_rare(self, sequence: Sequence3) -> bool:
        """Whether a sequence is not among these. Never one with a word that is itself too rare to tell."""
        if not all(map(self._is_frequent.__getitem__, sequence)):
            return False
        first, second, third = sequence
        key = (first * self._words + second) * self._words + third
        place = bisect_left(self._ascending, key, self._begins[first], self._begins[first + 1])
        return place == len(self._ascending) or self._ascending[place] != key

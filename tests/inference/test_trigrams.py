"""The sequences of three words that people write: their file, and what they say of words."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photocaption.model.trigrams import Trigrams

WORDS = 50
tokens = st.integers(0, WORDS - 1)
sequences = st.sets(st.tuples(tokens, tokens, tokens), max_size=40)


def pack(*differences: int) -> bytes:
    return zlib.compress(np.array(differences, "<i8").tobytes())


@given(known=sequences)
def test_a_file_holds_the_same_sequences(known: set[tuple[int, int, int]]) -> None:
    read = Trigrams.from_bytes(Trigrams.of(known, WORDS).to_bytes(), WORDS)

    assert read.list_sequences() == sorted(known)


@given(known=sequences, sequence=st.tuples(tokens, tokens, tokens))
def test_a_sequence_is_rare_when_it_is_not_known(
    known: set[tuple[int, int, int]], sequence: tuple[int, int, int]
) -> None:
    trigrams = Trigrams.of(known, WORDS, fewest=0)

    assert trigrams.is_rare(sequence) == (sequence not in known)
    assert not any(map(trigrams.is_rare, known))


@pytest.mark.parametrize(("sequence", "is_rare"), [((8, 8, 7), True), ((8, 8, 9), False), ((8, 9, 7), False)])
def test_a_word_that_is_rare_itself_makes_no_sequence_rare(sequence: tuple[int, int, int], is_rare: bool) -> None:
    known = [(7, 8, token) for token in range(4)] + [(9, 8, 7)]

    assert Trigrams.of(known, WORDS, fewest=4).is_rare(sequence) is is_rare


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no such file", "zlib"),
        (pack(1, 2, 3)[:-4], "cut short"),
        (pack(1, 2, 3) + b"more", "cut short"),
        (zlib.compress(b"123"), "cut short"),
        (zlib.compress(bytes(8 * (2**22 + 1))), "more than"),
        (pack(1, 0), "no sequence"),
        (pack(5, -1), "no sequence"),
        (pack(-1, 3), "no sequence"),
        (pack(2**62, 2**62), "no sequence"),
        (pack(WORDS**3), "no sequence"),
    ],
)
def test_a_damaged_file_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Trigrams.from_bytes(data, WORDS)

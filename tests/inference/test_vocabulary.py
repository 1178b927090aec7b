"""Token ids and their words."""

import pytest
from support.tiny_bundle import TOKENS, WORDS

from photocaption.model.vocabulary import Vocabulary

VOCABULARY = Vocabulary(WORDS, TOKENS)


def test_words_and_ids_are_each_others_inverse() -> None:
    ids = VOCABULARY.encode(["a", "red", "square"])

    assert ids == [4, 5, 10]
    assert VOCABULARY.decode(ids) == ["a", "red", "square"]
    assert len(VOCABULARY) == len(WORDS)


def test_a_word_is_known_in_lower_case_and_spelt_as_it_is_written() -> None:
    vocabulary = Vocabulary((*WORDS, "Hund"), TOKENS)

    ids = vocabulary.encode(["a", "hund"])

    assert vocabulary.decode(ids) == ["a", "hund"]
    assert vocabulary.spell(ids) == ["a", "Hund"]
    assert "hund" in vocabulary
    assert "katze" not in vocabulary


def test_a_word_that_is_not_in_the_vocabulary_is_the_unknown_token() -> None:
    assert VOCABULARY.encode(["a", "zebra"]) == [4, TOKENS.unknown]


def test_an_id_outside_the_vocabulary_is_an_error() -> None:
    with pytest.raises(IndexError):
        VOCABULARY.decode([len(WORDS)])

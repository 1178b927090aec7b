"""Captions become words as the metrics read them."""

import pytest

from photocaption.model.vocabulary import Vocabulary
from training.data.words import (
    TOKENS,
    build_vocabulary,
    encode_caption,
    extend_vocabulary,
    spell_vocabulary,
    tokenise,
)
from training.errors import DatasetError


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A dog runs through the grass .", "a dog runs through the grass"),
        ("A man's T-shirt.", "a man 's t-shirt"),
        ("A man 's hat", "a man 's hat"),
        ("The boy\u2019s ball", "the boy 's ball"),
        ("Two dogs, one ball!", "two dogs one ball"),
        ('A "quoted" word', "a quoted word"),
        ("café in 2 towns", "café in 2 towns"),
        (" . ", ""),
        ("कुत्ता घास में दौड़ रहा है।", "कुत्ता घास में दौड़ रहा है"),
        ("الكَلْبُ يجري", "الكَلْبُ يجري"),
        ("สุนัข วิ่ง", "สุนัข วิ่ง"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # noqa: RUF001 - Persian
        ("Ein Hund la\u0308uft.", "ein hund läuft"),
        ("一只狗在跑。", "一 只 狗 在 跑"),
        ("ラーメンを食べる", "ラーメン を 食 べ る"),
    ],
)
def test_a_caption_becomes_lower_case_words_without_punctuation(caption: str, words: str) -> None:
    assert tokenise(caption) == words.split()


def test_the_vocabulary_holds_frequent_words_in_order_of_frequency_then_alphabet() -> None:
    captions = [["a", "dog"], ["a", "cat"], ["a", "dog"], ["the", "cat"]]

    vocabulary = build_vocabulary(captions, min_count=2)

    assert vocabulary.words == ("<padding>", "<start>", "<end>", "<unknown>", "a", "cat", "dog")


def test_words_are_spelt_as_most_captions_write_them_where_no_sentence_begins() -> None:
    captions = ["Ein Hund läuft. Hunde laufen.", "Der Hund", "Ein grosser hund", "Am Strand", "Laufen Hunde"]
    vocabulary = build_vocabulary([tokenise(caption) for caption in captions], 1)

    spelt = spell_vocabulary(vocabulary, captions)

    assert set(spelt.words[4:]) == {
        "Hund", "Hunde", "Strand", "am", "der", "ein", "grosser", "laufen", "läuft",
    }  # fmt: skip
    assert spelt.decode(range(len(spelt))) == list(vocabulary.words)


def test_words_that_nobody_writes_any_more_keep_their_spelling() -> None:
    known = Vocabulary((*build_vocabulary([["x"]], 1).words[:4], "Hund"), TOKENS)
    vocabulary = extend_vocabulary(known, [["die", "katze"]], 1)

    assert vocabulary.words[4:] == ("hund", "die", "katze")
    assert spell_vocabulary(vocabulary, ["Die Katze"], known).words[4:] == ("Hund", "die", "Katze")


def test_captions_without_a_frequent_word_are_refused_with_what_helps() -> None:
    with pytest.raises(DatasetError, match=r"no word stands 2 times .* lower vocabulary\.min_count"):
        build_vocabulary([["one", "two"], ["three"]], min_count=2)


def test_a_caption_is_encoded_between_start_and_end_with_unknown_words_marked() -> None:
    vocabulary = build_vocabulary([["a", "dog"]], 1)

    assert encode_caption(["a", "big", "dog"], vocabulary, 5) == [TOKENS.start, 4, TOKENS.unknown, 5, TOKENS.end]


def test_a_caption_that_is_cut_has_no_end_because_it_does_not_end_there() -> None:
    vocabulary = build_vocabulary([["a", "dog"]], 1)

    assert encode_caption(["a", "dog", "a"], vocabulary, 2) == [TOKENS.start, 4, 5]

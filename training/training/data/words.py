"""Captions as words: the one tokenisation of training, and the vocabulary that is built from it.

It gives what the Penn Treebank tokeniser of the metrics gives on such captions, once punctuation is gone: lower case,
hyphenated words kept whole, the possessive 's a word of its own.

Of other languages too: letters keep their combining marks, in composed form (NFC), and a character of Chinese or
Japanese is a word of its own, as in Unicode's word boundaries (UAX #29). Thai, Lao, Khmer and Burmese need a dictionary
there: their words are those that stand apart.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import regex

from photocaption.model.manifest import SpecialTokens
from photocaption.model.vocabulary import Vocabulary
from training.errors import DatasetError

TOKENS = SpecialTokens(padding=0, start=1, end=2, unknown=3)
_SPECIAL_WORDS = ("<padding>", "<start>", "<end>", "<unknown>")

# Joiners between the letters of Persian and Indian words are part of a word, as marks are.
_LETTERS = r"[\p{L}\p{N}\p{M}\u200C\u200D--[\p{Han}\p{Hiragana}]]+"
_WORD = regex.compile(rf"'s\b|{_LETTERS}(?:-{_LETTERS})*|[\p{{Han}}\p{{Hiragana}}]\p{{M}}*", regex.VERSION1)


_SENTENCE_END = regex.compile(r"[.!?।。]")


def tokenise(caption: str) -> list[str]:
    """The words of a caption: "A man's T-shirt." → ["a", "man", "'s", "t-shirt"]."""
    return _find_words(caption.lower())


def _find_words(text: str) -> list[str]:
    words: list[str] = _WORD.findall(unicodedata.normalize("NFC", text).replace("\u2019", "'"))
    return words


def split_words(captions: Sequence[str]) -> list[str]:
    """Captions as CIDEr reads them: words separated by spaces."""
    return [" ".join(tokenise(caption)) for caption in captions]


def build_vocabulary(captions: Iterable[Sequence[str]], min_count: int) -> Vocabulary:
    """The special words, then every word seen at least `min_count` times: the most frequent first, ties in alphabetical
    order.

    Raises DatasetError when there is no such word.
    """
    known = _list_frequent(captions, min_count)
    if not known:
        raise DatasetError(
            f"no word stands {min_count} times in the training captions: add photos and captions, "
            "or lower vocabulary.min_count"
        )
    return Vocabulary((*_SPECIAL_WORDS, *known), TOKENS)


def extend_vocabulary(known: Vocabulary, captions: Iterable[Sequence[str]], min_count: int) -> Vocabulary:
    """A vocabulary, in lower case, then the words that captions have at least `min_count` times and it has not."""
    new = [word for word in _list_frequent(captions, min_count) if word not in known]
    return Vocabulary((*known.decode(range(len(known))), *new), TOKENS)


def spell_vocabulary(vocabulary: Vocabulary, captions: Iterable[str], known: Vocabulary | None = None) -> Vocabulary:
    """The same words as most captions write them where no sentence begins: "ein Hund", "an American flag".

    A word that no caption has there stays as it is, or as it is in `known`, whose words come first.
    """
    spellings: dict[str, Counter[str]] = {}
    for caption in captions:
        for sentence in _SENTENCE_END.split(caption):
            for word in _find_words(sentence)[1:]:
                spellings.setdefault(word.lower(), Counter())[word] += 1
    words = [*(known.words if known else ()), *vocabulary.words[len(known or ()) :]]
    forms = (spellings.get(word.lower(), {word: 1}) for word in words)
    return Vocabulary(tuple(max(one, key=lambda form: (one[form], form)) for one in forms), vocabulary.tokens)


def _list_frequent(captions: Iterable[Sequence[str]], min_count: int) -> list[str]:
    counts = Counter(word for caption in captions for word in caption)
    return sorted(
        (word for word, count in counts.items() if count >= min_count), key=lambda word: (-counts[word], word)
    )


def encode_caption(words: Sequence[str], vocabulary: Vocabulary, max_length: int) -> list[int]:
    """Token ids of a caption, start and end included.

    A caption longer than `max_length` words is cut, and then has no end, for it does not end there.
    """
    ids = [TOKENS.start, *vocabulary.encode(words[:max_length])]
    return ids if len(words) > max_length else [*ids, TOKENS.end]


def known_words(words: Iterable[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Those of some words that a vocabulary has."""
    return tuple(word for word in words if word in vocabulary)

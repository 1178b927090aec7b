"""Writes the words that the search found as the sentence that a person would write."""

import re
from collections.abc import Sequence

# Tokenizers set these off with spaces; people do not.
_SPACE_BEFORE = re.compile(r"\s+(?=[,.;:!?)\]%]|'(?:s|re|ve|ll|d|m)\b|n't\b)")
_SPACE_AFTER = re.compile(r"(?<=[(\[])\s+")
_SPACED_HYPHEN = re.compile(r"(?<=\w)\s+-\s+(?=\w)")
# The letter tells the sound but for "a European", "a one-way street", "a uniform", "a used car", "a utility".
_A_BEFORE_VOWEL = re.compile(r"\ba(?=\s+(?i:(?!eu|on(?:e|ce)\b|uni(?![mn])|us[ei]|uti|ub|uk)[aeiou]))")
_LONE_I = re.compile(r"\bi\b")
# A bundle that began with an English one knows "the" all its life: articles tell what it has learnt to write since.
_ARTICLES_OF_OTHERS = re.compile(
    r"\b(?:una?|uno|une|uma?|el|las?|los|les?|il|gli|del|della|des|eine?|einen|einem|einer|der|das|dem|een|het|ett)\b",
    re.IGNORECASE,
)
_ENDS = (".", "!", "?")
# What captions say in lower case and people write otherwise. Words that may also mean something else stay as they are:
# polish, turkey, china, march.
_NAMES = {
    **{
        name: name.capitalize()
        for name in (
            "african", "american", "asian", "australian", "british", "canadian", "chinese", "english", "european",
            "french", "german", "indian", "irish", "italian", "japanese", "korean", "mexican", "russian", "scottish",
            "spanish", "christmas", "easter", "halloween", "santa", "claus", "america", "boston", "florida", "oklahoma",
            "dalmatian", "doberman", "labrador", "rottweiler", "jeep", "batman", "spiderman", "superman",
        )
    },
    "atv": "ATV", "bmx": "BMX", "dj": "DJ", "suv": "SUV", "tv": "TV",
}  # fmt: skip
_WORD = re.compile(r"[a-z]+")


def agree_articles(words: Sequence[str]) -> list[str]:
    """Words of a sentence, with "an" in the place of "a" before a vowel where they may be English."""
    text = " ".join(words)
    return (text if _ARTICLES_OF_OTHERS.search(text) else _A_BEFORE_VOWEL.sub("an", text)).split(" ")


def write_alt_text(words: Sequence[str], *, english: bool = True) -> str:
    """Words, as the vocabulary spells them, as a sentence: a capital, a full stop, punctuation where it belongs.

    `english`: whether they may be English; such sentences get names as they are written, and "an" before a vowel.
    """
    text = _SPACE_BEFORE.sub("", " ".join(words))
    text = _SPACED_HYPHEN.sub("-", _SPACE_AFTER.sub("", text))
    if english and not _ARTICLES_OF_OTHERS.search(text):
        text = _LONE_I.sub("I", _A_BEFORE_VOWEL.sub("an", text))
        text = _WORD.sub(lambda word: _NAMES.get(word[0], word[0]), text)
    text = text.rstrip(" ,;:-")
    text = text[:1].upper() + text[1:]
    return text if text.endswith(_ENDS) else f"{text}."

"""Words for the animals that the class layer knows and no tag names: "lion", which few training captions contain.

A decoder can write them without having been trained on them, as in Deep Compositional Captioning (Hendricks et al.
2016): a new word gets the vector of the word for the most similar class, its *sibling*, so that it is written where
that one would be. Its evidence comes from its classes alone, and decides between the two.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from photocaption.model.runtime import Floats
from photocaption.model.vocabulary import Vocabulary
from training.arrays import Arrays
from training.data.labelled import LabelledPhoto
from training.data.words import TOKENS, tokenise
from training.fit.pretrained import Pretrained
from training.progress import say

_ANIMALS = "n0266"  # WordNet 3.0 numbers nouns by subject: those for animals are below, from n0131 on
_LEAST_CAPTIONS = 5  # that contain a word; people rather use another name for what it names
_NAMES = 2  # of a class, the usual ones; the others are rare or Latin
# What a name says of a part, or a likeness: a Gila monster is none. In captions, a puma is a brand of shoes.
_MISNOMERS = frozenset({"doctor", "dragon", "hopper", "monster", "needle", "puma"})
_NEVER = -20.0  # the tagger's log-odds for a word that it was not trained for


def add_class_words(start: Pretrained, classes: Sequence[LabelledPhoto], captions: Iterable[str]) -> Pretrained:
    """The start with a word and a tag for each animal among its classes that no tag names and `captions` contain.

    `classes`: a labelled photo of each, in the order of synsets. If they are not as many as the start's, it stays as
    it is.
    """
    if not start.vocabulary or not start.classes or start.classes != len(classes):
        return start
    tags = start.vocabulary.decode(start.tags)
    names = start.decoder["evidence/names"] > 0
    words = _choose_words(classes, np.flatnonzero(~names.any(axis=1)), set(tags), captions)
    if not words:
        return start
    animals = np.array([one.synset < _ANIMALS for one in classes])
    kernel, firsts = start.decoder["classes/kernel"], [numbers[0] for numbers in words.values()]
    siblings = _find_siblings(kernel, names & animals[:, None], firsts)
    told = [f"{word} (as {tags[tag]})" for word, tag in zip(words, siblings, strict=True)]
    say(f"Words for more classes: {', '.join(told)}")
    vectors = [start.tags[tag] for word, tag in zip(words, siblings, strict=True) if word not in start.vocabulary]
    fresh = [word for word in words if word not in start.vocabulary]
    vocabulary = Vocabulary((*start.vocabulary.words, *fresh), TOKENS)
    return replace(
        start,
        decoder=_extend(start.decoder, list(words.values()), vectors),
        vocabulary=vocabulary,
        tags=(*start.tags, *vocabulary.encode(words)),
    )


def _choose_words(
    classes: Sequence[LabelledPhoto], unnamed: Iterable[int], tags: set[str], captions: Iterable[str]
) -> dict[str, list[int]]:
    """The classes that each new word names: the first last word of a class's names that enough captions contain.

    A word that is a whole name of another class is not used for this one: a sea lion is no lion.
    """
    counts = Counter(word for caption in captions for word in set(tokenise(caption)))
    names = [[tokenise(name) for name in one.label.split(",")[:_NAMES]] for one in classes]
    owners = {name[0]: number for number, of_class in enumerate(names) for name in of_class if len(name) == 1}
    words: dict[str, list[int]] = {}
    for number in (number for number in map(int, unnamed) if classes[number].synset < _ANIMALS):
        last = [name[-1] for name in names[number] if name and owners.get(name[-1], number) == number]
        known = [word for word in last if counts[word] >= _LEAST_CAPTIONS and word not in tags | _MISNOMERS]
        if known:
            words.setdefault(known[0], []).append(number)
    return words


def _find_siblings(kernel: Floats, names: npt.NDArray[np.bool_], classes: Sequence[int]) -> list[int]:
    """For each of some classes, the most frequent tag of the most similar class that has one; `kernel` [C, K],
    `names` [K, G].
    """
    directions = kernel / np.linalg.norm(kernel, axis=0)
    similar = directions.T[classes] @ directions
    similar[:, ~names.any(axis=1)] = -np.inf
    return [int(np.flatnonzero(names[number])[0]) for number in similar.argmax(axis=1)]


def _extend(decoder: Arrays, classes: Sequence[Sequence[int]], vectors: Sequence[int]) -> Arrays:
    """A decoder with more tags, each for some classes, and more words, with the vectors of others."""
    weight, count = decoder["evidence/names"].max(), len(classes)
    names = np.zeros((len(decoder["evidence/names"]), count), np.float32)
    for column, numbers in zip(names.T, classes, strict=True):
        column[numbers] = weight
    added = {
        "tagger/kernel": np.zeros((len(decoder["tagger/kernel"]), count), np.float32),
        "tagger/bias": np.full(count, _NEVER, np.float32),
        "evidence/names": names,
        "evidence/subjects": np.ones(count, np.float32),
    }
    none = np.zeros(decoder["evidence/names"].shape[1], np.float32)
    before = {"evidence/subjects": none} | decoder
    tables = {name: decoder[name][list(vectors)] for name in ("embedding/table", "embedding/bias")}
    extended = {name: np.concatenate([before[name], more], axis=-1) for name, more in added.items()}
    return decoder | extended | {name: np.concatenate([decoder[name], more]) for name, more in tables.items()}

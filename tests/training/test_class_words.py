"""Animals that the class layer knows get words of their own, which are written where those for similar animals are."""

from pathlib import Path

import numpy as np

from photocaption.model.vocabulary import Vocabulary
from training.data.labelled import LabelledPhoto
from training.data.photo import Photo
from training.data.words import TOKENS
from training.fit.class_words import add_class_words
from training.fit.pretrained import Pretrained

WORDS = Vocabulary(("<pad>", "<start>", "<end>", "<unknown>", "a", "dog", "cat", "wolf", "house"), TOKENS)
LABELS = {
    "n01000001": "tabby, tabby cat",
    "n01000002": "beagle",
    "n01000003": "lion, king of beasts, Panthera leo",
    "n01000004": "sea lion",
    "n01000005": "Gila monster",
    "n01000006": "red fox, Vulpes vulpes",
    "n01000007": "kit fox",
    "n01000008": "timber wolf",
    "n01000009": "echidna, spiny anteater, beast",
    "n02700001": "volcano",
}
CLASSES = [LabelledPhoto(Photo(one, Path(one), (), one), LABELS[one], one, frozenset()) for one in sorted(LABELS)]
CAPTIONS = [
    f"a {word} near a house" for word in ("lion", "fox", "wolf", "monster", "beast", "volcano") for _ in range(5)
]
CAT, DOG = 0, 1


def _start() -> Pretrained:
    """With the tags "dog" and "cat". The lion's class is most like the cat's, those of foxes and wolves the dog's."""
    random = np.random.default_rng(1)
    kernel = random.normal(0, 0.1, (16, len(LABELS)))
    kernel[0, [CAT, 2]] += 1
    kernel[1, [DOG, 5, 6, 7]] += 1
    names = np.zeros((len(LABELS), 2))
    names[DOG, 0] = names[CAT, 1] = 2.0
    decoder = {
        "embedding/table": random.normal(size=(len(WORDS), 4)),
        "embedding/bias": random.normal(size=len(WORDS)),
        "tagger/kernel": random.normal(size=(16, 2)),
        "tagger/bias": random.normal(size=2),
        "classes/kernel": kernel,
        "classes/bias": np.zeros(len(LABELS)),
        "evidence/names": names,
    }
    return Pretrained(decoder=decoder, vocabulary=WORDS, tags=(5, 6))


def test_animals_without_a_tag_get_the_word_that_people_write_and_others_none() -> None:
    more = add_class_words(_start(), CLASSES, CAPTIONS)

    assert more.vocabulary
    assert more.vocabulary.words == (*WORDS.words, "lion", "fox"), "no sea lion is a lion, no volcano an animal"
    assert more.vocabulary.decode(more.tags) == ["dog", "cat", "lion", "fox", "wolf"]
    named = {
        tag: np.flatnonzero(column) for tag, column in zip(more.tags, more.decoder["evidence/names"].T, strict=True)
    }
    assert [[*named[tag]] for tag in more.tags] == [[DOG], [CAT], [2], [5, 6], [7]]
    assert more.decoder["evidence/names"].max() == 2.0
    assert more.decoder["evidence/subjects"].tolist() == [0, 0, 1, 1, 1]


def test_a_new_word_is_written_where_that_for_the_most_similar_class_would_be() -> None:
    start = _start()

    more = add_class_words(start, CLASSES, CAPTIONS)

    table, bias = more.decoder["embedding/table"], more.decoder["embedding/bias"]
    assert (table[: len(WORDS)] == start.decoder["embedding/table"]).all(), "a word that was there keeps its vector"
    assert (table[len(WORDS) :] == table[[6, 5]]).all()
    assert (bias[len(WORDS) :] == bias[[6, 5]]).all()
    assert (more.decoder["tagger/kernel"][:, 2:] == 0).all()
    assert (more.decoder["tagger/bias"][2:] < -10).all(), "only classes speak for it"


def test_what_has_words_or_other_classes_stays_as_it_is() -> None:
    start = _start()
    once = add_class_words(start, CLASSES, CAPTIONS)

    assert add_class_words(once, CLASSES, CAPTIONS) is once
    assert add_class_words(start, CLASSES[1:], CAPTIONS) is start
    assert add_class_words(start, CLASSES, ["a house"]) is start
    assert add_class_words(Pretrained(), CLASSES, CAPTIONS) == Pretrained()

"""What a tagger learns is what captions and labels say of a photo, and nothing where they are silent."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from training.config import TagsConfig
from training.data.labelled import LabelledPhoto, name_words
from training.data.photo import Photo
from training.data.tags import UNKNOWN, choose_tags, find_subjects, list_classes, name_classes, set_targets
from training.data.words import build_vocabulary, tokenise

CONFIG = TagsConfig(least_photos=2)


def _photo(name: str, *captions: str) -> Photo:
    return Photo(name, Path(name), captions, name)


def _label(name: str, label: str, accepted: str = "", synset: str = "") -> LabelledPhoto:
    words = accepted.split()
    return LabelledPhoto(_photo(name), label, synset, frozenset(words) or name_words(label), words[0] if words else "")


CAT = _label("cat", "tabby, tabby cat", "cat cats animal", synset="n2")
BUS = _label("bus", "minibus, bus", "bus vehicle", synset="n1")
TRAIN = _label("train", "train", "train vehicle bus animal")
CAR = _label("car", "sports car", "car cars", synset="n0")
STREET = _label("street", "street")
LABELS = (CAT, BUS, TRAIN, STREET)


def _choose(
    captions: Sequence[tuple[str, ...]], labels: Sequence[LabelledPhoto] = (), most: int = 99
) -> tuple[str, ...]:
    photos = [_photo(str(place), *of_photo) for place, of_photo in enumerate(captions)]
    words = [tokenise(caption) for of_photo in captions for caption in of_photo]
    return choose_tags(photos, labels, build_vocabulary(words, 1), CONFIG.model_copy(update={"most": most}))


def test_tags_are_content_words_of_several_photos_the_most_frequent_first() -> None:
    captions = [
        ("a dog on the grass", "the dog"),
        ("a dog", "a cat"),
        ("a dog on the grass",),
        ("birds birds", "birds"),
    ]

    assert _choose(captions) == ("dog", "grass")
    assert _choose(captions, most=1) == ("dog",)


def test_what_labels_accept_counts_as_seen_if_captions_have_the_word_at_all() -> None:
    assert _choose([("a dog",), ("a cat",)], [CAT]) == ("cat",)
    assert "tabby" not in _choose([("a dog",), ("a cat",)], [CAT, CAT])


def test_subjects_are_named_by_words_of_their_own_and_by_shared_ones_that_a_label_has() -> None:
    assert find_subjects(LABELS) == {"cat", "cats", "bus", "train"}, "an animal is a cat, or what a train is taken for"
    assert find_subjects([STREET]) == frozenset()


def test_classes_have_the_names_of_their_labels_and_of_their_kind_of_subject_in_the_order_of_synsets() -> None:
    classes = list_classes([CAT, BUS, STREET, CAT])

    names = name_classes(classes, ("tabby", "cat", "cats", "animal", "minibus", "bus", "vehicle", "street"))

    assert classes == [BUS, CAT]
    passenger_car = _label("coach", "passenger car, coach", "train trains", synset="n3")
    assert name_classes([CAR, passenger_car], ("car", "train", "coach")).tolist() == [[1, 0, 0], [0, 1, 1]]
    assert names.tolist() == [[0, 0, 0, 0, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0, 0, 0]]


def test_captions_say_of_every_tag_how_many_of_them_have_it() -> None:
    photos = [_photo("one", "a cat, a cat", "a man"), _photo("two", "grass")]

    shown = set_targets(photos, {}, ("cat", "man", "bus"))

    assert shown.tolist() == [[0.5, 0.5, 0], [0, 0, 0]]


def test_a_label_says_that_its_words_are_there_and_those_of_other_kinds_are_not() -> None:
    tags = ("tabby", "cat", "cats", "animal", "bus", "train", "grass", "street")
    photos = [CAT.photo, STREET.photo]

    shown = set_targets(photos, {one.photo.sha256: one for one in LABELS}, tags)

    sure, nothing = pytest.approx(0.8), UNKNOWN
    assert shown[0].tolist() == [sure, sure, sure, nothing, 0, 0, nothing, nothing]
    assert shown[1].tolist() == [nothing] * 7 + [sure]

"""What a tagger learns is what captions and labels say of a photo, and nothing where they are silent."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from training.config import TagsConfig
from training.data.dataset import Photo
from training.data.labelled import LabelledPhoto, name_words
from training.data.tags import UNKNOWN, Kinds, choose_tags, find_kinds, set_targets
from training.data.words import build_vocabulary, tokenise

CONFIG = TagsConfig(least_photos=2, kinds_weight=0.5, people_weight=0.25, people="man men")


def _photo(name: str, *captions: str) -> Photo:
    return Photo(name, Path(name), captions, name)


def _label(name: str, label: str, accepted: str = "", kind: str = "object") -> LabelledPhoto:
    words = accepted.split()
    return LabelledPhoto(
        _photo(name), label, kind, "", frozenset(words) or name_words(label), words[0] if words else ""
    )


CAT = _label("cat", "tabby, tabby cat", "cat cats animal")
BUS = _label("bus", "minibus, bus", "bus vehicle")
TRAIN = _label("train", "train", "train vehicle bus animal")
STREET = _label("street", "street", kind="scene")
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


def test_a_shared_word_names_the_kind_whose_label_has_it_and_none_where_no_label_does() -> None:
    kinds = find_kinds(LABELS, CONFIG)

    names = dict(zip(kinds.groups, kinds.names, strict=True))
    assert names == {
        CAT.accepted: {"cat", "cats"},  # an animal is a cat, or what a train is taken for
        BUS.accepted: {"bus"},
        TRAIN.accepted: {"train"},
    }
    assert kinds.people == {"man", "men"}
    assert kinds.others == ("scene",)
    assert len(kinds) == 5
    assert len(find_kinds([STREET], CONFIG)) == 0, "without clear subjects there is nothing to tell apart"


def test_a_kind_adds_to_the_words_that_name_it_and_people_to_theirs() -> None:
    kinds = find_kinds(LABELS, CONFIG)

    weights = kinds.weigh_tags(("cat", "animal", "man", "bus"), CONFIG)

    rows = {tuple(sorted(group)): row.tolist() for group, row in zip(kinds.groups, weights, strict=False)}
    assert rows[tuple(sorted(CAT.accepted))] == [0.5, 0, 0, 0]
    assert rows[tuple(sorted(BUS.accepted))] == [0, 0, 0, 0.5]
    assert weights[3].tolist() == [0, 0, 0.25, 0]
    assert weights[4].tolist() == [0, 0, 0, 0]
    assert Kinds().weigh_tags(("cat",), CONFIG).shape == (0, 1)


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        (["a cat", "a cat sits", "a pet"], "cat"),
        (["a cat", "a pet", "grass"], None),
        (["a cat", "the cats"], "cat"),
        (["a man", "two men"], "people"),
        (["a man with a cat", "a cat and a man"], "cat"),
        (["a cat on a bus", "a cat in a bus"], None),
        (["an animal", "an animal"], None),
        (["grass", "sky"], None),
    ],
)
def test_captions_say_which_kind_a_photo_shows_where_most_agree_on_one(
    captions: list[str], expected: str | None
) -> None:
    kinds = find_kinds(LABELS, CONFIG)
    places = {"cat": kinds.groups.index(CAT.accepted), "people": 3, None: -1}

    assert kinds.of_captions([tokenise(caption) for caption in captions]) == places[expected]


def test_a_label_is_of_its_kind_and_what_has_no_clear_subject_of_another() -> None:
    kinds = find_kinds(LABELS, CONFIG)

    assert kinds.of_label(BUS) == kinds.groups.index(BUS.accepted)
    assert kinds.of_label(STREET) == 4
    assert Kinds().of_label(STREET) == -1
    assert kinds.of_label(_label("boat", "boat", "boat boats")) == -1


def test_captions_say_of_every_tag_how_many_of_them_have_it() -> None:
    photos = [_photo("one", "a cat, a cat", "a man"), _photo("two", "grass")]

    targets = set_targets(photos, {}, ("cat", "man", "bus"), find_kinds(LABELS, CONFIG))

    assert targets.tags.tolist() == [[0.5, 0.5, 0], [0, 0, 0]]
    assert targets.kinds.tolist() == [-1, -1]


def test_a_label_says_that_its_words_are_there_and_those_of_other_kinds_are_not() -> None:
    tags = ("tabby", "cat", "cats", "animal", "bus", "train", "grass", "street")
    photos = [CAT.photo, STREET.photo]

    targets = set_targets(photos, {one.photo.sha256: one for one in LABELS}, tags, find_kinds(LABELS, CONFIG))

    sure, nothing = pytest.approx(0.8), UNKNOWN
    assert targets.tags[0].tolist() == [sure, sure, sure, nothing, 0, 0, nothing, nothing]
    assert targets.tags[1].tolist() == [nothing] * 7 + [sure]
    assert targets.kinds.tolist() == [find_kinds(LABELS, CONFIG).groups.index(CAT.accepted), 4]


def test_views_of_photos_show_what_the_photos_show_and_some_can_be_chosen() -> None:
    targets = set_targets([_photo("one", "a cat"), _photo("two", "a bus")], {}, ("cat", "bus"), Kinds())

    assert targets.repeat(2).tags.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
    assert targets[np.array([False, True])].tags.tolist() == [[0, 1]]
    assert targets.repeat(3).kinds.shape == (6,)

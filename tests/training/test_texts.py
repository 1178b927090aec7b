"""Captions are found for labels among what people wrote, and photos imagined for captions that have none."""

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.data.found_captions import CaptionFinder
from training.data.labelled import LabelledPhoto
from training.data.photo import Photo
from training.data.text_only import EvidenceStatistics, TextOnlyBatches
from training.data.texts import digest_text, read_texts
from training.data.words import TOKENS, build_vocabulary
from training.errors import DatasetError

TAGS = ("cat", "dog", "grass", "boat")
CAPTIONS = (
    "a cat sits there on the grass",
    "a cat and a dog are here",
    "the cats of a man on a boat",
    "there is a cat in here",
    "a kitten is on the grass there",
    "a cat",  # too short
    "a dog runs on the green grass",
    "A cat sits there on the grass!",  # as the first
)
CAT = LabelledPhoto(Photo("1", Path("1"), (), "1"), "tabby, tabby cat", "n1", frozenset({"cat", "kitten"}), "cat")


def _evidence(**strong: float) -> np.ndarray:
    return np.array([strong.get(tag, -3.0) for tag in TAGS], np.float32)


def test_captions_that_name_the_label_are_found_and_those_first_whose_words_are_likely() -> None:
    finder = CaptionFinder(CAPTIONS, TAGS)

    on_grass = finder.find(CAT, _evidence(cat=5, grass=5))
    with_dog = finder.find(CAT, _evidence(cat=5, dog=5))

    assert on_grass[0] == "there is a cat in here"
    assert set(on_grass) == {CAPTIONS[0], CAPTIONS[1], CAPTIONS[2], CAPTIONS[3]}
    assert on_grass.index(CAPTIONS[0]) < on_grass.index(CAPTIONS[1])
    assert with_dog.index(CAPTIONS[1]) < with_dog.index(CAPTIONS[0])


def test_only_the_best_are_taken() -> None:
    many = [f"a cat sits on the number {number}" for number in range(20)]

    assert len(CaptionFinder(many, TAGS).find(CAT, _evidence(cat=5))) == 5


def test_a_label_of_which_hardly_anybody_writes_gets_none() -> None:
    finder = CaptionFinder(CAPTIONS, TAGS)

    assert finder.find(replace(CAT, label="boat", subject="boat"), _evidence(boat=5)) == ()
    assert finder.find(replace(CAT, label="zebra", subject=""), _evidence()) == ()


def test_where_there_are_no_tags_captions_are_found_by_the_label_alone() -> None:
    found = CaptionFinder(CAPTIONS, ()).find(CAT, np.zeros(0, np.float32))

    assert CAPTIONS[3] in found


def test_photos_with_labels_get_captions_and_others_keep_theirs() -> None:
    other = Photo("2", Path("2"), ("a boat",), "2")
    evidence = np.stack([_evidence(), _evidence(cat=5)])

    kept, found = CaptionFinder(CAPTIONS, TAGS).caption([other, CAT.photo], {"1": CAT}, evidence)

    assert kept == other
    assert found == replace(CAT.photo, captions=CaptionFinder(CAPTIONS, TAGS).find(CAT, evidence[1]))
    assert len(found.captions) == 4


def test_evidence_is_drawn_as_it_is_where_captions_have_a_word_and_where_not() -> None:
    random = np.random.default_rng(1)
    shown = random.random((4000, 2)) < [0.5, 0.1]
    means = np.where(shown, [3.0, 1.0], [-2.0, -4.0])
    evidence = (means + random.normal(0, [0.5, 1.5], means.shape)).astype(np.float32)

    drawn = EvidenceStatistics.of(evidence, shown.astype(np.float32)).draw(shown, random)

    for tag in range(2):
        for there in (True, False):
            real, made = (values[shown[:, tag] == there, tag] for values in (evidence, drawn))
            assert made.mean() == pytest.approx(real.mean(), abs=0.15)
            assert made.std() == pytest.approx(real.std(), rel=0.15)


def test_of_a_word_in_few_photos_what_holds_for_all_words_is_believed() -> None:
    shown = np.zeros((100, 3), np.float32)
    shown[:50, 0] = 1
    evidence = np.where(shown > 0, 2.0, -2.0).astype(np.float32)

    spread = EvidenceStatistics.of(evidence, shown)

    np.testing.assert_allclose(spread.present[0], [2, 2, 2], atol=1e-5)  # the others were never seen
    np.testing.assert_allclose(spread.absent[0], [-2, -2, -2], atol=1e-5)
    assert all(np.isfinite(part).all() for pair in (spread.present, spread.absent) for part in pair)


def _imagine(captions: list[tuple[str, str]], size: int = 8) -> TextOnlyBatches:
    vocabulary = build_vocabulary([["a", "cat", "dog", "grass", "boat", "on"]], 1)
    sure = (np.full(4, 5, np.float32), np.zeros(4, np.float32))
    unlikely = (np.full(4, -5, np.float32), np.zeros(4, np.float32))
    return TextOnlyBatches(captions, vocabulary, TAGS, EvidenceStatistics(sure, unlikely), max_length=6, size=size)


def test_an_imagined_photo_shows_the_words_of_all_of_its_captions() -> None:
    batch = _imagine([("1", "a cat on grass"), ("1", "an unknown animal"), ("1", "a dog")]).draw(
        np.random.default_rng(1)
    )

    (evidence,) = batch.inputs
    assert evidence.shape == (8, 4)
    assert evidence[0].tolist() == [5, 5, 5, -5]
    assert batch.tokens.shape == batch.targets.shape == batch.weights.shape == (8, 5, 6)
    np.testing.assert_array_equal(batch.tokens[:, :, 1:], batch.targets[:, :, :-1])
    assert (batch.tokens[0, 1, :4] == [TOKENS.start, TOKENS.unknown, TOKENS.unknown, TOKENS.unknown]).all()
    assert (batch.targets[:, :3] == TOKENS.end).any(axis=2).all()
    assert (batch.tokens[:, 3:] == TOKENS.padding).all()
    assert batch.weights.sum() == pytest.approx(1)
    assert (batch.weights[batch.targets == TOKENS.padding] == 0).all()


def test_photos_are_drawn_at_random_and_the_same_for_the_same_seed() -> None:
    photos = _imagine([("1", "a cat"), ("2", "a dog"), ("3", "a boat")], size=30)

    first, again = (photos.draw(np.random.default_rng(3)).tokens for _ in range(2))

    np.testing.assert_array_equal(first, again)
    assert len({tuple(of_photo[0]) for of_photo in first.tolist()}) == 3


def test_files_of_texts_are_known_by_what_they_hold_and_damaged_ones_are_named(tmp_path: Path) -> None:
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(b"1\ta dog\n1\tthe dog\n"))
    assert list(read_texts([path, path])) == [("text.gz 1", "a dog"), ("text.gz 1", "the dog")] * 2
    assert len(digest_text(path)) == 64

    whole = path.read_bytes()
    for broken in (whole[:-9], whole[:12] + b"\xff\xff" + whole[14:]):
        path.write_bytes(broken)
        with pytest.raises(DatasetError, match=r"text\.gz"):
            list(read_texts([path]))
    with pytest.raises(DatasetError, match=r"missing\.gz: No such file"):
        digest_text(tmp_path / "missing.gz")

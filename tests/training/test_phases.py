"""What the phases share: how dev judges them, and how far the last of them goes."""

import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from photocaption.model.vocabulary import Vocabulary
from training.arrays import Arrays
from training.config import TrainingConfig
from training.data.dataset import Dataset, Source
from training.data.labelled import LabelledPhoto
from training.data.photo import Photo
from training.data.views import PhotoView
from training.data.words import TOKENS
from training.fit.checkpoint import interpolate, read_weights
from training.fit.dev_score import PENALTIES, DevScore, Tuned, score_dev
from training.fit.phases import choose_evidence_weights
from training.models.decoder import Decoder, build_decoder


class _Load:
    """Reads the features of photos, and remembers whose."""

    def __init__(self, features: dict[str, np.ndarray]) -> None:
        self._features, self.searched = features, list[str]()

    def __call__(self, batch: Sequence[PhotoView]) -> np.ndarray:
        self.searched.extend(photo.name for photo, _ in batch)
        return np.stack([self._features[photo.name] for photo, _ in batch])


@pytest.fixture
def load(features: dict[str, np.ndarray]) -> _Load:
    return _Load(features)


@pytest.fixture
def decoder(config: TrainingConfig, vocabulary: Vocabulary) -> Decoder:
    return build_decoder(len(vocabulary), 4, 6, config.decoder, seed=3)


def test_an_open_length_penalty_is_the_best_of_all(
    decoder: Decoder,
    config: TrainingConfig,
    photos: list[Photo],
    load: _Load,
    vocabulary: Vocabulary,
) -> None:
    def score(penalty: float | None) -> DevScore:
        decoding = config.decoding.model_copy(update={"length_penalty": penalty})
        dev = Dataset(Source(Path("dev"), 1.0), {"dev": tuple(photos)})
        return DevScore([dev], load, vocabulary, config.model_copy(update={"decoding": decoding}))

    _make_ends_likelier(decoder)  # or all sentences are as long as they may be, whatever the penalty
    each = {penalty: score(penalty)(decoder) for penalty in PENALTIES}
    tuned = score(None).tune(decoder)

    assert len(set(each.values())) > 1
    assert tuned.score == max(each.values())
    assert each[tuned.length_penalty] == tuned.score


def test_several_sets_count_alike_each_by_what_it_has(
    decoder: Decoder,
    config: TrainingConfig,
    photos: list[Photo],
    load: _Load,
    vocabulary: Vocabulary,
) -> None:
    words = frozenset(vocabulary.words) - {"<unknown>"}
    accepted = [words if place else frozenset({"zebra"}) for place in range(4)]
    datasets = [Dataset(Source(Path("captioned"), 1.0), {"dev": tuple(photos)}), _label(photos, accepted)]

    tuned = DevScore(datasets, load, vocabulary, config).tune(decoder)
    alone = DevScore(datasets[:1], load, vocabulary, config)
    captioned = [alone(decoder)]

    assert sorted(load.searched) == sorted([photo.name for photo in photos] * 2), (
        "a photo of two sets is captioned once"
    )
    assert tuned.scores["labelled"] == 75
    assert tuned.scores["captioned"] <= max(captioned)
    assert tuned.score == pytest.approx((tuned.scores["captioned"] + 75) / 2)
    assert str(tuned) == f"captioned {tuned.scores['captioned']:.1f}, labelled 75.0"


def test_a_label_is_named_by_any_of_its_words_and_captions_are_compared_with_their_own_photo(
    photos: list[Photo],
) -> None:
    labelled = _label(photos, [frozenset({"cat", "kitten"}), frozenset({"dog"})])

    assert score_dev(labelled, {photos[0].sha256: "a kitten", photos[1].sha256: "dogs"}) == 50
    captioned = Dataset(Source(Path("captioned")), {"dev": tuple(photos)})
    right = {photo.sha256: photo.captions[0] for photo in photos}
    wrong = dict(zip(right, [*[*right.values()][1:], "a"], strict=True))
    assert score_dev(captioned, right) > 5 * score_dev(captioned, wrong)


def test_weights_between_two_are_a_share_of_the_way(decoder: Decoder) -> None:
    before = read_weights(decoder)
    after = {path: np.add(value, 1) for path, value in before.items()}

    assert _are_alike(interpolate(before, after, 0.25), {path: np.add(value, 0.25) for path, value in before.items()})
    assert _are_alike(interpolate(before, after, 1.0), after)
    one, *others = before
    shares = {one: 1.0} | dict.fromkeys(others, 0.0)
    assert _are_alike(interpolate(before, after, shares), before | {one: after[one]})


def test_tags_are_trusted_as_far_as_dev_is_best(config: TrainingConfig, vocabulary: Vocabulary) -> None:
    evidence = build_decoder(len(vocabulary), 4, 6, config.decoder, seed=3, tags=(4, 5), classes=2).evidence
    assert evidence is not None
    assert evidence.names is not None
    evidence.write_trust(0.25)
    evidence.names.assign([[1, 0], [0, 1]])

    def tune() -> Tuned:
        weight = float(keras.ops.max(evidence.names))
        return Tuned({}, -abs(evidence.read_trust() - 1.0) - abs(weight - 2.0), 1.0)

    tuned = choose_evidence_weights(evidence, [(0.0, None), (0.5, 3.0), (0.5, 2.0), (1.0, 2.0), (1.0, 1.0)], tune)

    assert evidence.read_trust() == pytest.approx(0.75)  # a quarter from the best, as 1.25 is, which comes later
    np.testing.assert_array_equal(evidence.names, [[2, 0], [0, 2]])
    assert tuned.score == pytest.approx(-0.25)


def _label(photos: list[Photo], accepted: list[frozenset[str]]) -> Dataset:
    """The first photos as dev photos with labels, which these words name."""
    labelled = [LabelledPhoto(photo, "", "", words) for photo, words in zip(photos, accepted, strict=False)]
    labels = {one.photo.sha256: one for one in labelled}
    return Dataset(Source(Path("labelled"), 1.0), {"dev": tuple(one.photo for one in labelled)}, labels)


def _make_ends_likelier(decoder: Decoder) -> None:
    bias = np.array(keras.ops.convert_to_numpy(decoder.embedding.bias))
    bias[TOKENS.end] += 1.2
    decoder.embedding.bias.assign(bias)


def _are_alike(one: Arrays, other: Arrays) -> bool:
    return all(np.allclose(value, other[path], atol=1e-6) for path, value in one.items())

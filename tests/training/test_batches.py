"""Every photo comes once an epoch, in an order that a resumed run repeats."""

from collections.abc import Sequence

import numpy as np
import pytest

from photocaption.model.vocabulary import Vocabulary
from training.data.batches import Batches, TrainingPhotos, pad_captions
from training.data.mixture import Mixture
from training.data.photo import Photo
from training.data.views import WHOLE, PhotoView, View
from training.data.words import TOKENS


@pytest.fixture
def batches(photos: list[Photo], vocabulary: Vocabulary) -> Batches:
    def load(batch: Sequence[PhotoView]) -> np.ndarray:
        return np.array([[[int(photo.sha256), view.mirrored]] for photo, view in batch], np.float16)

    source = TrainingPhotos(photos, Mixture([6], None, 2), [[WHOLE, View(mirrored=True)]] * len(photos), load)
    return Batches(source, vocabulary, max_length=7, seed=7)


def test_an_epoch_brings_every_photo_once_with_its_own_captions(
    batches: Batches, photos: list[Photo], vocabulary: Vocabulary
) -> None:
    padded = pad_captions(photos, vocabulary, 7)
    seen = []
    for batch in batches.epoch(0):
        for features, tokens in zip(batch.inputs[0], batch.tokens, strict=True):
            place = int(features[0, 0])
            seen.append(place)
            np.testing.assert_array_equal(tokens, padded[place, :, : tokens.shape[1]])

    assert sorted(seen) == list(range(6))


def test_targets_are_the_tokens_one_place_on(batches: Batches) -> None:
    for batch in batches.epoch(0):
        np.testing.assert_array_equal(batch.tokens[:, :, 1:], batch.targets[:, :, :-1])
        assert (batch.tokens[:, :, 0] == TOKENS.start).all()


def test_the_weights_of_a_batch_are_those_of_a_mean_over_its_words(batches: Batches) -> None:
    for batch in batches.epoch(0):
        words = batch.targets != TOKENS.padding
        np.testing.assert_allclose(batch.weights, words / words.sum(), rtol=1e-6)


def test_every_view_of_a_photo_has_its_turn(batches: Batches) -> None:
    seen = {
        (int(place), bool(mirrored))
        for epoch in range(20)
        for batch in batches.epoch(epoch)
        for place, mirrored in batch.inputs[0][:, 0]
    }

    assert seen == {(place, mirrored) for place in range(6) for mirrored in (False, True)}


def test_no_caption_loses_its_end_to_the_shortened_batch(batches: Batches) -> None:
    for batch in batches.epoch(0):
        assert (batch.targets == TOKENS.end).any(axis=2).all()


def test_the_order_depends_on_the_epoch_and_on_nothing_else(batches: Batches) -> None:
    def order(epoch: int) -> list[float]:
        return [float(value) for batch in batches.epoch(epoch) for value in batch.inputs[0][:, 0, 0]]

    assert order(3) == order(3)
    assert len({tuple(order(epoch)) for epoch in range(5)}) > 1


def test_photos_may_have_different_numbers_of_captions(photos: list[Photo], vocabulary: Vocabulary) -> None:
    photos[0] = Photo("0.jpg", photos[0].path, ("a dog",), photos[0].sha256)

    padded = pad_captions(photos, vocabulary, 7)

    assert padded.shape == (6, 2, 9)
    assert (padded[0, 1] == TOKENS.padding).all()

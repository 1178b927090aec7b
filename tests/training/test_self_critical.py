"""A decoder samples captions, and those better than the others of their photo become more likely."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import pytest

from photocaption.model.vocabulary import Vocabulary
from training.config import RewardConfig, SelfCriticalConfig, TrainingConfig
from training.data.batches import TrainingPhotos
from training.data.mixture import Mixture
from training.data.photo import Photo
from training.data.views import WHOLE, PhotoView
from training.data.words import TOKENS
from training.fit.fitting import fit
from training.fit.self_critical import SampledBatches, open_rewards
from training.models.decoder import Decoder, build_decoder
from training.models.sampling import NEVER_WRITTEN, Sampler
from training.models.search_decoder import SearchDecoder

SETTINGS = SelfCriticalConfig(epochs=25, patience=25, photos_per_batch=6, samples=32, learning_rate=0.03)


@pytest.fixture
def decoder(config: TrainingConfig, vocabulary: Vocabulary) -> Decoder:
    settings = config.decoder.model_copy(update={"units": 16, "dropout": 0.0})
    return build_decoder(len(vocabulary), 4, 6, settings, seed=3)


@pytest.fixture
def source(photos: list[Photo], features: dict[str, np.ndarray]) -> TrainingPhotos:
    def load(batch: Sequence[PhotoView]) -> np.ndarray:
        return np.stack([features[photo.name] for photo, _ in batch])

    return TrainingPhotos(
        photos, Mixture([len(photos)], None, SETTINGS.photos_per_batch), [[WHOLE]] * len(photos), load
    )


@pytest.fixture
def batches(decoder: Decoder, source: TrainingPhotos, vocabulary: Vocabulary) -> Iterator[SampledBatches]:
    with open_rewards(source.photos, RewardConfig(), {}) as rewards:
        yield SampledBatches(Sampler(decoder), source, rewards, vocabulary, SETTINGS, max_length=6, seed=1)


def test_samples_are_captions_of_words_that_may_be_written(decoder: Decoder, features: dict[str, np.ndarray]) -> None:
    stacked = np.stack(list(features.values()))
    tokens = Sampler(decoder).sample((stacked,), 50, 6, np.random.default_rng(0))

    assert tokens.shape == (6, 50, 8)
    assert (tokens[:, :, 0] == TOKENS.start).all()
    for row in tokens[:, :, 1:].reshape(-1, tokens.shape[2] - 1).tolist():
        written = row[: row.index(TOKENS.end)] if TOKENS.end in row else row
        assert not {TOKENS.padding, TOKENS.start, TOKENS.unknown} & set(written)
        assert len(written) <= 7
        assert set(row[len(written) + 1 :]) <= {TOKENS.padding}


def test_words_are_drawn_as_often_as_the_decoder_thinks_them_likely(
    decoder: Decoder, features: dict[str, np.ndarray]
) -> None:
    one = features["0.jpg"][None]
    drawn = Sampler(decoder).sample((one,), 4000, 1, np.random.default_rng(0))[0, :, 1]
    start = SearchDecoder(decoder).start(one.astype(np.float32))
    state = {name: value[:, None] for name, value in start.state.items()}
    step = SearchDecoder(decoder).step(np.array([[TOKENS.start]], np.int32), start.context, state)
    expected = np.exp(step.log_probabilities[0, 0])
    expected[[TOKENS.padding, TOKENS.start, TOKENS.unknown]] = 0

    shares = np.bincount(drawn, minlength=len(expected)) / len(drawn)

    np.testing.assert_allclose(shares, expected / expected.sum(), atol=0.03)


def test_a_caption_weighs_what_its_reward_is_above_the_others(batches: SampledBatches) -> None:
    for batch in batches.epoch(0):
        words = batch.targets != TOKENS.padding
        advantages = (batch.weights.sum(axis=2) / words.sum(axis=2)) * words.sum()
        np.testing.assert_allclose(advantages.sum(axis=1), 0, atol=1e-3)  # the others' mean is the baseline
        assert (batch.weights[~words] == 0).all()
        assert batch.reward is not None
        assert batch.reward > 0


def test_the_same_epoch_of_the_same_decoder_brings_the_same_captions(batches: SampledBatches) -> None:
    first, again, other = ([batch.targets for batch in batches.epoch(number)] for number in (2, 2, 3))

    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    assert not all(np.array_equal(*pair) for pair in zip(first, other, strict=True))


def test_rewards_rise(decoder: Decoder, batches: SampledBatches, tmp_path_factory: pytest.TempPathFactory) -> None:
    scores = iter(range(25))
    folder = tmp_path_factory.mktemp("run")
    progress = fit(decoder, batches, lambda _: next(scores), SETTINGS, folder, never=NEVER_WRITTEN)
    rewards = [record.reward for record in progress.history if record.reward is not None]

    assert np.mean(rewards[-5:]) > 2 * np.mean(rewards[:5])


@pytest.mark.parametrize(("never", "learnt"), [((), True), (NEVER_WRITTEN, False)])
def test_nothing_is_learnt_of_tokens_that_are_never_drawn(
    decoder: Decoder, batches: SampledBatches, tmp_path: Path, never: tuple[int, ...], learnt: bool
) -> None:
    config = SETTINGS.model_copy(update={"epochs": 1, "weight_decay": 0.0})
    before = keras.ops.convert_to_numpy(decoder.embedding.bias)[TOKENS.unknown]

    fit(decoder, batches, lambda _: 1.0, config, tmp_path, never=never)

    assert (keras.ops.convert_to_numpy(decoder.embedding.bias)[TOKENS.unknown] != before) == learnt

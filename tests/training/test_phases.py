"""What the phases share: how dev judges them, and how far the last of them goes."""

import os
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from inference.model.vocabulary import Vocabulary
from training.config import TrainingConfig
from training.data.dataset import Photo
from training.data.words import TOKENS
from training.encoder.feature_maps import PhotoView
from training.fit.checkpoint import Arrays, read_weights, write_weights
from training.fit.dev_score import PENALTIES, DevScore
from training.fit.phases import Mixture
from training.models.decoder import Decoder, build_decoder


@pytest.fixture
def decoder(config: TrainingConfig, vocabulary: Vocabulary) -> Decoder:
    return build_decoder(len(vocabulary), 4, 6, config.decoder, seed=3)


def test_an_open_length_penalty_is_the_best_of_all(
    decoder: Decoder,
    config: TrainingConfig,
    photos: list[Photo],
    features: dict[str, np.ndarray],
    vocabulary: Vocabulary,
) -> None:
    def load(batch: Sequence[PhotoView]) -> np.ndarray:
        return np.stack([features[photo.name] for photo, _ in batch])

    def score(penalty: float | None) -> DevScore:
        decoding = config.decoding.model_copy(update={"length_penalty": penalty})
        return DevScore(photos, load, vocabulary, config.model_copy(update={"decoding": decoding}))

    _make_ends_likelier(decoder)  # or all sentences are as long as they may be, whatever the penalty
    each = {penalty: score(penalty)(decoder) for penalty in PENALTIES}
    tuned = score(None).tune(decoder)

    assert len(set(each.values())) > 1
    assert tuned.cider == max(each.values())
    assert each[tuned.length_penalty] == tuned.cider


def test_a_mixture_is_scored_without_a_trace_and_goes_a_share_of_the_way(decoder: Decoder) -> None:
    before = read_weights(decoder)
    after = {path: np.add(value, 1) for path, value in before.items()}
    mixture = Mixture(before, share=0.25)
    write_weights(decoder, after)

    def score(mixed: Decoder) -> float:
        path, value = next(iter(read_weights(mixed).items()))
        return float(np.subtract(value, before[path]).mean())

    assert mixture.scored_by(score)(decoder) == pytest.approx(0.25)
    assert _are_alike(read_weights(decoder), after)

    mixture.stir(decoder)

    assert _are_alike(read_weights(decoder), {path: np.add(value, 0.25) for path, value in before.items()})


def _make_ends_likelier(decoder: Decoder) -> None:
    bias = np.array(keras.ops.convert_to_numpy(decoder.embedding.bias))
    bias[TOKENS.end] += 1.2
    decoder.embedding.bias.assign(bias)


def _are_alike(one: Arrays, other: Arrays) -> bool:
    return all(np.allclose(value, other[path], atol=1e-6) for path, value in one.items())

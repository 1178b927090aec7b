"""The last block learns with the decoder, and what it learnt is what is exported."""

import keras
import numpy as np
import pytest
from keras import ops
from support.weights import weights_cache

from training.config import TrainingConfig
from training.encoder.export import build_encoder
from training.fit.fine_tuning import FineTuned, build_fine_tuned, read_last_block
from training.fit.fitting import SmoothedCrossEntropy
from training.models.decoder import build_decoder

SIZE, WORDS = 75, 9
CELLS, CHANNELS = 9, 2048


@pytest.fixture
def model(config: TrainingConfig) -> FineTuned:
    return build_fine_tuned(build_decoder(WORDS, CELLS, CHANNELS, config.decoder), SIZE, weights_cache(), {})


def learn(model: FineTuned, steps: int) -> list[float]:
    """Losses of some steps on one batch."""
    random = np.random.default_rng(0)
    maps = random.random((2, CELLS, 1024), np.float32)
    tokens, targets = (random.integers(4, WORDS, (2, 2, 5)).astype(np.int32) for _ in range(2))
    model.compile(optimizer=keras.optimizers.AdamW(1e-3), loss=SmoothedCrossEntropy(0.0))
    weights = np.full(targets.shape, 1 / targets.size, np.float32)
    return [float(model.train_on_batch((maps, tokens), targets, sample_weight=weights)) for _ in range(steps)]


def test_block_and_decoder_learn_and_the_statistics_of_imagenet_stay(model: FineTuned) -> None:
    before = {variable.path: ops.convert_to_numpy(variable) for variable in model.variables}

    losses = learn(model, steps=4)

    moved = {
        variable.path: not np.array_equal(before[variable.path], ops.convert_to_numpy(variable))
        for variable in model.variables
    }
    assert losses[-1] < losses[0]
    assert moved["block14_sepconv1/pointwise_kernel"]
    assert moved["block14_sepconv2/depthwise_kernel"]
    assert any(moved[path] for path in moved if path.endswith("table"))
    assert not any(moved[path] for path in moved if "_bn/" in path)


def test_the_exported_encoder_has_what_the_block_learnt(model: FineTuned) -> None:
    images = np.random.default_rng(1).integers(0, 256, (1, SIZE, SIZE, 3)).astype(np.uint8)
    untouched = build_encoder(SIZE, weights_cache(), {})
    learn(model, steps=2)
    changed = read_last_block(model.last_block, SIZE, weights_cache())

    tuned = build_encoder(SIZE, weights_cache(), changed)

    assert np.abs(ops.convert_to_numpy(tuned(images)) - ops.convert_to_numpy(untouched(images))).max() > 0.01
    exported = {variable.path: ops.convert_to_numpy(variable) for variable in tuned.variables}
    learnt = {variable.path: ops.convert_to_numpy(variable) for variable in model.last_block.trainable_variables}
    for path, array in learnt.items():
        np.testing.assert_allclose(exported[path], array, atol=1e-3)


def test_learning_goes_on_from_what_was_changed_before(model: FineTuned, config: TrainingConfig) -> None:
    learn(model, steps=2)
    changed = read_last_block(model.last_block, SIZE, weights_cache())

    again = build_fine_tuned(build_decoder(WORDS, CELLS, CHANNELS, config.decoder), SIZE, weights_cache(), changed)

    maps = np.random.default_rng(2).random((1, CELLS, 1024), np.float32)
    before, after = (ops.convert_to_numpy(one.last_block(maps)) for one in (model, again))
    np.testing.assert_allclose(after, before, rtol=0.05, atol=0.05)

"""What fine-tuning changed travels as small steps, and comes back as the same weights."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from training.arrays import Arrays, read_arrays
from training.encoder import weight_deltas


def build() -> keras.Model:
    """A network like Xception in small."""
    keras.utils.set_random_seed(1)
    picture = keras.Input((8, 8, 16))
    block = keras.layers.SeparableConv2D(128, 3, padding="same", use_bias=False, name="block1_sepconv1")(picture)
    block = keras.layers.BatchNormalization(name="block1_sepconv1_bn")(block)
    shortcut = keras.layers.Conv2D(128, 1, use_bias=False, name="shortcut_128")(picture)
    return keras.Model(picture, keras.layers.Add()([block, shortcut]))


@pytest.fixture
def changed() -> Arrays:
    after, random = build(), np.random.default_rng(0)
    for variable in after.trainable_variables:
        variable.assign_add(random.normal(0, 1e-3, variable.shape).astype(np.float32))
    return weight_deltas.measure(build(), after)


def read(network: keras.Model) -> list[np.ndarray]:
    return [ops.convert_to_numpy(variable) for variable in network.trainable_variables]


def test_the_changed_weights_are_within_a_step_of_what_they_were(changed: Arrays) -> None:
    network = build()

    weight_deltas.add(network, changed)

    moves = [now - before for now, before in zip(read(network), read(build()), strict=True)]
    expected = np.random.default_rng(0)
    for move in moves:
        np.testing.assert_allclose(move, expected.normal(0, 1e-3, move.shape), atol=1.5e-4)


def test_they_come_back_from_their_file_as_they_went_in(changed: Arrays, tmp_path: Path) -> None:
    weight_deltas.save(tmp_path / "weight_deltas.npz", changed)
    loaded = read_arrays((tmp_path / "weight_deltas.npz").read_bytes())

    assert loaded.keys() == changed.keys()
    assert all(np.array_equal(loaded[name], changed[name]) for name in changed)


def test_a_step_is_a_quarter_of_the_deviation(changed: Arrays) -> None:
    kernel = changed["block1_sepconv1/pointwise_kernel"]

    assert kernel.dtype == np.int8
    assert 3.8 < kernel.std() < 4.2
    assert changed["block1_sepconv1/pointwise_kernel:step"] == pytest.approx(0.25e-3, rel=0.1)


def test_all_that_can_be_trained_is_there_by_layer_and_name(changed: Arrays) -> None:
    names = {name for name in changed if not name.endswith(":step")}

    assert names == {
        "block1_sepconv1/depthwise_kernel",
        "block1_sepconv1/pointwise_kernel",
        "block1_sepconv1_bn/gamma",
        "block1_sepconv1_bn/beta",
        "shortcut_128/kernel",
    }

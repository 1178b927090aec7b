"""What fine-tuning changed travels as small steps, and comes back as the same weights."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from support.weights import weights_cache

from training import differences
from training.checkpoint import Arrays
from training.xception import load_xception

SIZE = 75


@pytest.fixture
def before() -> keras.Model:
    return load_xception(SIZE, weights_cache())


@pytest.fixture
def changed(before: keras.Model) -> Arrays:
    after = load_xception(SIZE, weights_cache())
    random = np.random.default_rng(0)
    for variable in after.trainable_variables:
        variable.assign_add(random.normal(0, 1e-3, variable.shape).astype(np.float32))
    return differences.measure(before, after)


def read(network: keras.Model) -> dict[str, np.ndarray]:
    """Weights in the order of the network: Keras numbers the paths of two networks differently."""
    return {str(place): ops.convert_to_numpy(variable) for place, variable in enumerate(network.trainable_variables)}


def test_the_changed_weights_are_within_a_step_of_what_they_were(before: keras.Model, changed: Arrays) -> None:
    imagenet = read(before)

    differences.add(before, changed)

    moved = [read(before)[place] - imagenet[place] for place in imagenet]
    large = [change for change in moved if change.size > 1000]
    assert all(abs(change.std() - 1e-3) < 1e-4 for change in large)


def test_adding_what_was_measured_gives_what_was_measured(before: keras.Model, changed: Arrays) -> None:
    imagenet = load_xception(SIZE, weights_cache())
    differences.add(before, changed)

    again = differences.measure(imagenet, before)
    differences.add(imagenet, again)

    for place, array in read(before).items():
        np.testing.assert_allclose(read(imagenet)[place], array, atol=2e-4)


def test_they_come_back_from_their_file_as_they_went_in(changed: Arrays, tmp_path: Path) -> None:
    differences.save(tmp_path / "differences.npz", changed)
    loaded = differences.load((tmp_path / "differences.npz").read_bytes())

    assert loaded.keys() == changed.keys()
    assert all(np.array_equal(loaded[name], changed[name]) for name in changed)


def test_a_file_takes_about_half_a_byte_a_weight(changed: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "differences.npz"
    differences.save(path, changed)

    assert path.stat().st_size < 0.56 * sum(array.size for array in changed.values())


def test_names_do_not_depend_on_what_else_the_process_built(changed: Arrays) -> None:
    assert "block14_sepconv2/pointwise_kernel" in changed
    assert {f"shortcut_{channels}/kernel" for channels in (128, 256, 728, 1024)} <= changed.keys()
    assert not any("conv2d" in name for name in changed)

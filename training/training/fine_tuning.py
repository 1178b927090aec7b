"""Fine-tuning: Xception's last block learns together with the decoder, from the trunk's maps.

ImageNet's features tell a hundred breeds of dogs apart, and say little of what people do; with the last block
fine-tuned they say more of what captions speak of. The statistics of its batch normalisation stay ImageNet's.
"""

import io
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from training.checkpoint import Arrays, read_weights
from training.decoder import Decoder, Tensor
from training.trunk import FIRST_LAYER
from training.xception import load_xception

LAST_BLOCK_WEIGHTS = "last_block.npz"
"""The file of a bundle with the fine-tuned weights as they were before int8: for comparison, and to go on from."""


class FineTuned(keras.Model):  # type: ignore[misc]  # Keras is untyped
    """The last block and the decoder as one model: from maps [P, N, M] and words to the next words."""

    def __init__(self, last_block: keras.Model, decoder: Decoder) -> None:
        super().__init__(name="fine_tuned")
        self.last_block, self.decoder = last_block, decoder

    def call(self, inputs: tuple[Tensor, Tensor], training: bool = False) -> Tensor:
        """Logits [P, C, T, V] of the word after each of `tokens` [P, C, T], given `maps` [P, N, M]."""
        maps, tokens = inputs
        return self.decoder((self.last_block(maps, training=training), tokens), training=training)

    def reseed(self, epoch: int) -> None:
        """Make the dropout of an epoch depend on the seed and the epoch alone."""
        self.decoder.reseed(epoch)


def build_fine_tuned(decoder: Decoder, size: int, cache: Path) -> FineTuned:
    """A decoder behind Xception's last block with ImageNet's weights, all of its weights created.

    `size`: side of the photo in pixels; `cache` keeps the weights. Raises WeightsError.
    """
    last_block = _build_last_block(size, cache)
    model = FineTuned(last_block, decoder)
    model((ops.zeros((1, *last_block.input_shape[1:])), ops.zeros((1, 1, 2), dtype="int32")))
    return model


def save_last_block(path: Path, arrays: Arrays) -> None:
    """Write fine-tuned weights to a file of plain arrays."""
    with path.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def load_last_block(data: bytes) -> Arrays:
    """Fine-tuned weights by path, from the bytes of such a file."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {path: arrays[path] for path in arrays.files}


def _build_last_block(size: int, cache: Path) -> keras.Model:
    """Maps float32 [P, N, M] → features [P, N, channels]."""
    layers = _layers_of(load_xception(size, cache))
    rows, columns, channels = layers[0].input.shape[1:]
    maps = keras.Input((rows * columns, channels), name="maps")
    grid = ops.reshape(maps, (-1, rows, columns, channels))
    for layer in layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
        grid = layer(grid)
    return keras.Model(maps, ops.reshape(grid, (-1, rows * columns, grid.shape[-1])), name="last_block")


def read_last_block(last_block: keras.Model) -> Arrays:
    """The weights that were fine-tuned, by path, rounded to float16 as they are published."""
    return {path: array.astype(np.float16) for path, array in read_weights(last_block).items()}


def write_last_block(network: keras.Model, arrays: Arrays) -> None:
    """Put fine-tuned weights into an Xception."""
    variables: dict[str, Any] = {variable.path: variable for variable in network.variables}
    for path, array in arrays.items():
        variables[path].assign(array.astype(np.float32))


def _layers_of(network: keras.Model) -> list[keras.layers.Layer]:
    """The layers of the last block, in order: it has no branches."""
    names = [layer.name for layer in network.layers]
    return list(network.layers[names.index(FIRST_LAYER) :])

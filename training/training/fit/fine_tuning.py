"""Fine-tuning: Xception's last block learns together with the decoder, from the trunk's maps.

ImageNet's features tell a hundred breeds of dogs apart, and say little of what people do; with the last block
fine-tuned they say more of what captions speak of. The statistics of its batch normalisation stay ImageNet's.
"""

from pathlib import Path

import keras
from keras import ops

from training.encoder import weight_deltas
from training.encoder.trunk import FIRST_LAYER
from training.encoder.xception import load_xception
from training.fit.checkpoint import Arrays
from training.models.decoder import Decoder, Tensor


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


def build_fine_tuned(decoder: Decoder, size: int, cache: Path, tuned: Arrays) -> FineTuned:
    """A decoder behind Xception's last block, all of its weights created.

    `size`: side of the photo in pixels; `cache` keeps ImageNet's weights, `tuned` is what was changed in them before.
    Raises WeightsError.
    """
    last_block = _build_last_block(size, cache, tuned)
    model = FineTuned(last_block, decoder)
    model((ops.zeros((1, *last_block.input_shape[1:])), ops.zeros((1, 1, 2), dtype="int32")))
    return model


def read_last_block(last_block: keras.Model, size: int, cache: Path) -> Arrays:
    """What is different in a block from ImageNet's weights, as it is published."""
    return weight_deltas.measure(load_xception(size, cache), last_block)


def _build_last_block(size: int, cache: Path, tuned: Arrays) -> keras.Model:
    """Maps float32 [P, N, M] → features [P, N, channels]."""
    network = load_xception(size, cache)
    weight_deltas.add(network, tuned)
    layers = _layers_of(network)
    rows, columns, channels = layers[0].input.shape[1:]
    maps = keras.Input((rows * columns, channels), name="maps")
    grid = ops.reshape(maps, (-1, rows, columns, channels))
    for layer in layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
        grid = layer(grid)
    return keras.Model(maps, ops.reshape(grid, (-1, rows * columns, grid.shape[-1])), name="last_block")


def _layers_of(network: keras.Model) -> list[keras.layers.Layer]:
    """The layers of the last block, in order: it has no branches."""
    names = [layer.name for layer in network.layers]
    return list(network.layers[names.index(FIRST_LAYER) :])

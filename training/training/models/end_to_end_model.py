"""The models of end-to-end training: encoder and decoder as one, with their losses and optimizer.

Shapes: P photos, C captions, T words, S the side of the stored pixels, N grid cells, V words of the vocabulary, G of
them tags, K classes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from training.arrays import Arrays
from training.config import EndToEndConfig
from training.data.jpeg import compress
from training.encoder import weight_deltas
from training.encoder.xception import load_xception
from training.models.decoder import Decoder, Tensor
from training.models.evidence import Evidence, pool, score_tags

_MIDDLE = 127.5
_EVEN = 0.5


DRAWN = ("width", "left", "height", "top", "mirror", "softness", "contrast", "brightness", "quality")
"""The random numbers of a view of a photo, each from 0 to 1."""

AS_IT_IS = np.array([1, 0, 1, 0, 1, 0, 0.5, 0.5, 0], np.float32)
"""The numbers of the whole photo, unchanged."""

MIRROR = DRAWN.index("mirror")
_DEGRADATION = MIRROR + 1  # numbers before it choose the part of the photo, the others its degradation


class RandomView(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Resizes a part of each photo, or its mirror image, to the encoder's input as serving does, bicubic, with blur,
    contrast, brightness and JPEG compression by the given random numbers.
    """

    def __init__(self, size: int, config: EndToEndConfig) -> None:
        super().__init__(name="random_view", dtype="float32")
        self._size, self._config = size, config

    def call(self, pixels: Tensor, draws: Tensor) -> Tensor:
        """float32 RGB [P, size, size, 3] in [-1, 1] of uint8 pixels [P, S, S, 3] and `draws` [P, 9], see `DRAWN`."""
        config, side = self._config, pixels.shape[1]
        drawn = {name: draws[:, place, None, None] for place, name in enumerate(DRAWN)}
        softness = ops.maximum(1.0, _between(2 - config.softest, config.softest, drawn["softness"]))
        rows = self._weigh(side, drawn["top"], drawn["height"], softness)
        columns = self._weigh(side, drawn["left"], drawn["width"], softness)
        columns = ops.where(drawn["mirror"] < _EVEN, ops.flip(columns, axis=-1), columns)
        lines = ops.reshape(self._compress(pixels, drawn["quality"]), (-1, side, side * 3))
        images = ops.reshape(ops.matmul(rows, lines), (-1, self._size, side, 3))
        images = ops.clip(ops.matmul(columns[:, None], images), 0, 255) / _MIDDLE - 1.0
        contrast = _between(1 - config.light, 1 + config.light, drawn["contrast"])[..., None]
        brightness = _between(-config.light / 2, config.light / 2, drawn["brightness"])[..., None]
        return ops.clip(images * contrast + brightness, -1, 1)

    def _compress(self, pixels: Tensor, draw: Tensor) -> Tensor:
        """The pixels, compressed as JPEG for draws above one half, with the worst quality for 1."""
        images = ops.cast(pixels, "float32")
        quality = _between(100.0, self._config.worst_quality, ops.maximum(0.0, draw / _EVEN - 1))
        degraded = compress(images, ops.reshape(quality, (-1,)))
        return ops.where(draw[..., None] > _EVEN, degraded, images)

    def _weigh(self, side: int, begin: Tensor, extent: Tensor, softness: Tensor) -> Tensor:
        """Weights of the `side` source pixels in each of `size` resized ones: [P, size, side].

        Keys's cubic with a = -0.5, Pillow's; widened where it would skip pixels, and for blur.
        """
        share = _between(self._config.smallest_side, 1.0, extent)
        places = (ops.arange(self._size, dtype="float32") + 0.5)[None, :, None] / self._size
        centres = (begin * (1 - share) + places * share) * side - 0.5
        reach = ops.maximum(1.0, share * side / self._size) * softness
        distance = ops.abs(centres - ops.arange(side, dtype="float32")[None, None]) / reach
        near = (1.5 * distance - 2.5) * distance * distance + 1
        far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
        weights = ops.where(distance < 1, near, ops.where(distance < 2, far, 0.0))
        return weights / ops.sum(weights, axis=-1, keepdims=True)


def _between(begin: float, end: float, draw: Tensor) -> Tensor:
    return begin + (end - begin) * draw


class Body(keras.Model):  # type: ignore[misc]  # Keras is untyped
    """The trainable blocks of the encoder, and a decoder behind them."""

    def __init__(self, blocks: keras.Model, decoder: Decoder) -> None:
        super().__init__(name="learner")
        self.blocks, self.decoder = blocks, decoder
        self.built = True  # its parts are

    def encode(self, grids: Tensor) -> Tensor:
        """Features float32 [P, N, channels]; the statistics of batch normalisation stay ImageNet's."""
        features = ops.cast(self.blocks(grids, training=False), "float32")
        _, rows, columns, channels = features.shape
        return ops.reshape(features, (-1, rows * columns, channels))


class EndToEnd(keras.Model):  # type: ignore[misc]  # Keras is untyped
    """From pixels and words to the next words. The stem, the encoder's first blocks, is frozen.

    Additional losses regularise the features: see `EndToEndConfig`.
    """

    def __init__(self, view: RandomView, stem: keras.Model, body: Body, config: EndToEndConfig) -> None:
        super().__init__(name="end_to_end")
        self.view, self.stem, self.body, self._config = view, stem, body, config
        stem.trainable = False
        self.built = True  # its parts are

    @property
    def decoder(self) -> Decoder:
        """The decoder."""
        return self.body.decoder

    def call(self, inputs: Sequence[Tensor], training: bool = False) -> Tensor:
        """Logits [P, C, T, V] of pixels uint8 [P, S, S, 3], the draws of their views [P, 9], of a decoder with
        evidence the tagger's targets [P, G] (`training.data.tags`) and the probabilities of classes [P, K], and tokens
        [P, C, T].
        """
        pixels, draws, *targets, tokens = inputs
        features = self.encode(pixels, draws)
        if self._config.steadiness:
            other = self.encode(pixels[::2], _swap_degradations(draws)[::2])  # half of the photos suffice
            self.add_loss(self._config.steadiness * measure_change(features[::2], other))
        tagger = self.decoder.evidence
        evidence = [self._predict_evidence(tagger, pool(features), *targets)] if tagger else []
        return self.decoder((features, *evidence, tokens), training=training)

    def encode(self, pixels: Tensor, draws: Tensor, *_: Tensor) -> Tensor:
        """Features [P, N, channels] of views of pixels."""
        return self.body.encode(self.stem(self.view(pixels, draws), training=False))

    def reseed(self, epoch: int) -> None:
        """As the decoder's."""
        self.decoder.reseed(epoch)

    def _predict_evidence(self, tagger: Evidence, pooled: Tensor, shown: Tensor, *kept: Tensor) -> Tensor:
        """Evidence [P, G] without gradients of the captions' loss: it should follow the photo, not the language."""
        evidence, classes = tagger.predict_tags(pooled), tagger.predict_classes(pooled)
        self.add_loss(self._config.tags * ops.mean(score_tags(shown, evidence)))
        if classes is not None:
            self.add_loss(-self._config.classes * ops.mean(ops.sum(kept[0] * classes, axis=-1)))
        return ops.stop_gradient(evidence)


def _swap_degradations(draws: Tensor) -> Tensor:
    """The same parts of the photos, with the degradations of their neighbours in the batch."""
    return ops.concatenate([draws[:, :_DEGRADATION], ops.roll(draws[:, _DEGRADATION:], 1, axis=0)], axis=1)


def measure_change(features: Tensor, other: Tensor) -> Tensor:
    """The mean squared distance of features [P, N, channels] of two views of each photo, relative to that between a
    photo and the mean of all.
    """
    apart = ops.mean(ops.square(features - ops.mean(features, axis=0, keepdims=True)))
    return ops.mean(ops.square(features - other)) / (apart + keras.config.epsilon())


class TwoRateAdamW(keras.optimizers.AdamW):  # type: ignore[misc]  # Keras is untyped
    """AdamW with a lower learning rate for some variables, the encoder's, and a warm-up for it: an untrained decoder
    has no useful gradients for the encoder.
    """

    def __init__(self, schedule: Tensor, *, slowly: frozenset[str], rate: float, ramp: int, **settings: float) -> None:
        """`slowly`: paths of the variables with `rate` times the learning rate, after a warm-up of `ramp` steps."""
        super().__init__(schedule, **settings)
        self._slowly, self._values = slowly, {"rate": rate, "ramp": float(max(ramp, 1))}

    def build(self, variables: Sequence[Any]) -> None:
        """Create the optimizer's state. Rates are part of it: as constants, each would need a new compilation."""
        if not self.built:
            self._rate, self._ramp = (
                self.add_variable((), initializer=keras.initializers.Constant(value), name=name)
                for name, value in self._values.items()
            )
        super().build(variables)
        self._slow_places = {
            self._get_variable_index(variable) for variable in variables if variable.path in self._slowly
        }

    def restart(self, rate: float) -> None:
        """Reset the state, for new weights in the same variables, with another `rate`."""
        for variable in self.variables:
            variable.assign(ops.zeros(variable.shape, variable.dtype))
        self._rate.assign(rate)
        self._ramp.assign(self._values["ramp"])

    def update_step(self, gradient: Tensor, variable: Tensor, learning_rate: Tensor) -> None:
        """One variable's step."""
        if self._get_variable_index(variable) in self._slow_places:  # variables may come without their path
            progress = ops.cast(self.iterations, "float32") / self._ramp
            learning_rate = learning_rate * self._rate * ops.minimum(1.0, progress)
        super().update_step(gradient, variable, learning_rate)


@contextmanager
def _policy(name: str) -> Iterator[None]:
    """Layers created in the block compute with another precision."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def split_xception(size: int, cache: Path, config: EndToEndConfig, tuned: Arrays) -> tuple[keras.Model, keras.Model]:
    """Xception's stem and its trainable blocks, with ImageNet's weights and the fine-tuned differences
    (`training.encoder.weight_deltas`). Raises WeightsError.
    """
    with _policy(config.precision):
        network = load_xception(size, cache)
        weight_deltas.add(network, tuned)
        border = next(layer for layer in network.layers if layer.name.startswith(f"block{config.first_block}_")).input
        stem, blocks = keras.Model(network.input, border), keras.Model(border, network.output)
    for layer in blocks.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return stem, blocks

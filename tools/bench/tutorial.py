"""The tutorial's implementation, and one with TensorFlow graphs: the same photos and encoder, a decoder of the same
size.

The decoder's weights are not read back from the bundle, since time does not depend on them; so that it does not write
sentences of other lengths, it takes as many steps as the bundle's caption of the photo has words, and one for the end.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from photocaption.model.bundle import Bundle
from training.config import DecoderConfig
from training.encoder.export import build_encoder
from training.models.decoder import build_decoder

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
_BEAMS = 3  # as serving has
_STATES = ("state_h", "state_c")


class TensorFlowCaptioner:
    """Encoder and decoder in Keras, run in two ways."""

    def __init__(self, bundle: Bundle, cache: Path) -> None:
        manifest = bundle.manifest
        self._encoder = build_encoder(manifest.image.height, cache, tuned={})
        record: Any = manifest.training
        made = record.get("config", {}).get("decoder", {})
        config = {name: made[name] for name in ("units", "heads") if name in made}
        features = manifest.features
        cells = features.rows * features.columns
        decoder = build_decoder(
            manifest.vocabulary_size, cells, features.channels, DecoderConfig(architecture="attention", **config)
        )
        self._graph_encode = tf.function(lambda images: self._encoder(images, training=False))
        self._graph_start = tf.function(decoder.start)
        self._graph_step = tf.function(decoder.step, reduce_retracing=True)
        self._models = _build_step_models(decoder, cells, features.channels)

    def predict_greedily(self, pixels: Pixels, words: int) -> None:
        """The tutorial's way: Keras `predict` for the photo and for each word, one hypothesis."""
        features = self._encoder.predict(pixels[None], verbose=0)
        start, step = self._models
        *context, h, c = start.predict(features, verbose=0)
        h, c = h[:, None], c[:, None]
        token = np.ones((1, 1), np.int32)
        for _ in range(words + 1):
            log_probabilities, h, c = step.predict([token, *context, h, c], verbose=0)
            token = log_probabilities[:, :1].argmax(axis=-1).astype(np.int32)

    def search_in_graphs(self, pixels: Pixels, steps: int) -> None:
        """Encoder, start and step as TensorFlow graphs, with serving's beams."""
        features = self._graph_encode(tf.constant(pixels[None]))
        context, state = self._graph_start(features)
        state = {name: tf.repeat(value[:, None], _BEAMS, axis=1) for name, value in state.items()}
        tokens = np.ones((1, _BEAMS), np.int32)
        for _ in range(steps):
            outputs = self._graph_step(tf.constant(tokens), context, state)
            state = {name: outputs[f"next_{name}"] for name in state}
            tokens = np.argmax(outputs["log_probabilities"].numpy(), axis=-1).astype(np.int32)


def _build_step_models(decoder: Any, cells: int, channels: int) -> tuple[keras.Model, keras.Model]:  # noqa: ANN401
    """Start and step as Keras models, as `predict` wants them."""
    features = keras.Input((cells, channels))
    start = keras.Model(features, _Wrapped(lambda value: _flat(*decoder.start(value)))(features))
    context, state = decoder.start(np.zeros((1, cells, channels), np.float32))
    inputs = [keras.Input((None,), dtype="int32")]
    inputs += [keras.Input(tensor.shape[1:]) for tensor in context.values()]
    inputs += [keras.Input((None, *tensor.shape[1:])) for tensor in state.values()]
    names = [*context, *state]
    return start, keras.Model(inputs, _Wrapped(lambda values: _step(decoder, names, values))(inputs))


class _Wrapped(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """A function as a layer."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self._function = function

    def call(self, value: Any) -> Any:  # noqa: ANN401
        """What the function makes of a value."""
        return self._function(value)


def _flat(context: dict[str, Any], state: dict[str, Any]) -> list[Any]:
    return [*context.values(), *state.values()]


def _step(decoder: Any, names: list[str], values: list[Any]) -> list[Any]:  # noqa: ANN401
    tokens, *tensors = values
    given = dict(zip(names, tensors, strict=True))
    outputs = decoder.step(tokens, given, given)
    return [outputs["log_probabilities"], outputs["next_state_h"], outputs["next_state_c"]]

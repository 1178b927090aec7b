"""Samples captions from a decoder's distribution, a whole batch as one graph: on an accelerator nothing is copied to
the host before they are complete.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from training.data.words import TOKENS
from training.models.decoder import Decoder, Tensor

NEVER_WRITTEN = (TOKENS.padding, TOKENS.start, TOKENS.unknown)


class Sampler(keras.Model):  # type: ignore[misc]  # Keras is untyped
    """Samples captions with a decoder's current weights.

    `encode` gives the features [P, N, channels] of a batch's inputs; without it they are what the decoder reads.
    """

    def __init__(self, decoder: Decoder, encode: Callable[..., Tensor] | None = None) -> None:
        super().__init__(name="sampler")
        self._decoder, self._encode = decoder, encode
        self.compile(jit_compile=keras.backend.backend() == "jax")  # XLA's compilation would not pay on a CPU
        self.built = True  # its parts are

    def sample(
        self, inputs: Sequence[npt.NDArray[Any]], count: int, max_length: int, random: np.random.Generator
    ) -> npt.NDArray[np.int32]:
        """`count` captions of each photo: tokens [P, count, 2 + `max_length`].

        Each begins with the start token; one that ends within `max_length` words has the end token, then padding.
        """
        uniforms = random.random((len(inputs[0]), count, max_length + 1), np.float32)
        tokens: npt.NDArray[np.int32] = self.predict_on_batch((*inputs, uniforms))
        return tokens

    def call(self, inputs: Sequence[Tensor], training: bool = False) -> Tensor:  # noqa: ARG002 - Keras passes it
        """Tokens [P, C, 1 + T] for a batch's inputs, then `uniforms` [P, C, T]: the quantile, from 0 to 1, at which
        each word is drawn.
        """
        *photos, uniforms = inputs
        context, state = self._decoder.start(*([self._encode(*photos)] if self._encode else photos))
        captions, length = ops.shape(uniforms)[:2], uniforms.shape[2]
        places = ops.arange(length + 1)[None, None]
        written = ops.where(places == 0, TOKENS.start, ops.full((*captions, 1), TOKENS.padding, "int32"))
        names = list(state)

        def is_going(place: Tensor, _: Tensor, going: Tensor, *__: Tensor) -> Tensor:
            return ops.logical_and(place < length, ops.any(going))

        def write(place: Tensor, written: Tensor, going: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
            last = ops.take(written, place, axis=2)
            step = self._decoder.step(last, context, dict(zip(names, states, strict=True)))
            drawn = _draw(step["log_probabilities"], ops.take(uniforms, place, axis=2))
            words = ops.where(going, drawn, TOKENS.padding)
            written = ops.where(places == place + 1, words[:, :, None], written)
            going = ops.logical_and(going, words != TOKENS.end)
            return place + 1, written, going, *(step[f"next_{name}"] for name in names)

        states = [ops.repeat(state[name][:, None], captions[1], axis=1) for name in names]
        begin = (ops.convert_to_tensor(0), written, ops.ones(captions, "bool"), *states)
        return ops.while_loop(is_going, write, begin)[1]


def _draw(log_probabilities: Tensor, uniforms: Tensor) -> Tensor:
    """The tokens int32 [P, C] at the quantiles `uniforms` [P, C] of the distributions [P, C, V], without those that are
    never written.
    """
    words = log_probabilities.shape[-1]
    written = np.ones(words, np.float32)
    written[list(NEVER_WRITTEN)] = 0
    sums = ops.cumsum(ops.exp(log_probabilities) * written, axis=-1)
    below = sums <= uniforms[..., None] * sums[..., -1:]
    return ops.minimum(ops.sum(ops.cast(below, "int32"), axis=-1), words - 1)

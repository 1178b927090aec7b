"""The two things that a runtime does with a bundle's weights, whichever library does the arithmetic.

Names and shapes are those of docs/architecture.md: P photos, K beams, V words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Tensors = Mapping[str, Floats]

RuntimeName = Literal["onnx", "tensorflow"]
EngineName = Literal["auto", "onnxruntime", "openvino"]
"""What encodes for the runtime `onnx`; `auto`: whatever suits the processor."""

CONTEXT = "context_"
STATE = "state_"
NEXT = "next_"
WORDS_CONTEXT = "context_words"
"""Of a decoder with a tagger: the log-odds [P, V] that a photo shows each word; 0 for words it does not know."""


@dataclass(frozen=True, slots=True)
class DecoderStart:
    """What the decoder makes of the features before the first word.

    `context`: `context_*` [P, …], constant for a photo and shared by its beams; `state`: `state_*` [P, size].
    """

    context: Tensors
    state: Tensors

    @classmethod
    def of(cls, tensors: Tensors) -> Self:
        """What a graph gave, told apart by the names."""
        context, state = (
            {name: tensor for name, tensor in tensors.items() if name.startswith(kind)} for kind in (CONTEXT, STATE)
        )
        return cls(context, state)


@dataclass(frozen=True, slots=True)
class DecoderStep:
    """One word further for every hypothesis.

    `log_probabilities`: [P, K, V], normalised over the whole vocabulary; `attention`: [P, K, cells] summing to 1, None
    for a decoder without; `state`: `state_*` [P, K, size], under the names that the next step takes; `tokens`: None, or
    those [P, K, N] that the log-probabilities are of, likeliest first, where these are only of the N likeliest.
    """

    log_probabilities: Floats
    attention: Floats | None
    state: Tensors
    tokens: npt.NDArray[np.int64] | None = None


class Encoder(Protocol):
    """Turns images into features."""

    @property
    def engine(self) -> str:
        """The library that does the arithmetic."""
        ...

    def encode(self, images: npt.NDArray[np.uint8], *, concurrent: bool = False) -> Floats:
        """Features [P, cells, channels] of `images` [P, height, width, 3] in RGB.

        `concurrent`: others encode at the same time, so that it is better to take a share of the cores than all.
        """
        ...


class Decoder(Protocol):
    """The recurrent network that scores the next word."""

    def start(self, features: Floats) -> DecoderStart:
        """What the steps need, from features [P, cells, channels]."""
        ...

    def step(
        self, tokens: npt.NDArray[np.int32], context: Tensors, state: Tensors, top_k: int | None = None
    ) -> DecoderStep:
        """Read the last token of each hypothesis, [P, K], and say what may follow; `state` holds [P, K, size].

        `top_k`: how many of the likeliest successors of each hypothesis the caller needs; a decoder may tell of all.
        """
        ...

"""Adapts a Keras decoder to the search that serves, for dev scores during training."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from photocaption.model.runtime import DecoderStart, DecoderStep, Floats, Tensors
from training.models.decoder import Decoder, Tensor

_ROUNDING = 64


class SearchDecoder:
    """A Keras decoder behind `photocaption.model.runtime.Decoder`."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder, self._step = decoder, _compile(decoder)

    def start(self, features: Floats) -> DecoderStart:
        """What the steps need, from features [P, cells, channels]."""
        context, state = self._decoder.start(ops.convert_to_tensor(features))
        return DecoderStart(_to_numpy(context), _to_numpy(state))

    def step(
        self,
        tokens: npt.NDArray[np.int32],
        context: Tensors,
        state: Tensors,
        top_k: int | None = None,  # noqa: ARG002
    ) -> DecoderStep:
        """One word further for every hypothesis, with the probabilities of all successors."""
        photos = len(tokens)
        tensors = [{name: _to_tensor(value) for name, value in part.items()} for part in (context, state)]
        outputs = _to_numpy(self._step(_to_tensor(tokens), *tensors))
        outputs = {name: value[:photos] for name, value in outputs.items()}
        return DecoderStep(
            log_probabilities=outputs["log_probabilities"],
            attention=outputs.get("attention"),
            state={name: outputs[f"next_{name}"] for name in state},
        )


@lru_cache(1)
def _compile(decoder: Decoder) -> Callable[..., Any]:
    """The step as a graph where the backend makes graphs: op by op, most of a step is not arithmetic."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # other backends do without

        return tf.function(decoder.step, reduce_retracing=True, autograph=False)  # type: ignore[no-any-return]
    if keras.backend.backend() == "jax":
        return _compile_for_jax(decoder)
    return decoder.step


def _compile_for_jax(decoder: Decoder) -> Callable[..., Any]:
    """JAX takes the weights as arguments: what a compiled function closes over stays as it was then."""
    import jax  # other backends do without

    @jax.jit  # type: ignore[untyped-decorator]
    def step(weights: list[Any], *inputs: Any) -> Tensors:  # noqa: ANN401
        with keras.StatelessScope(state_mapping=list(zip(decoder.variables, weights, strict=True))):
            return decoder.step(*inputs)

    return lambda *inputs: step([variable.value for variable in decoder.variables], *inputs)


def _to_tensor(value: npt.NDArray[Any]) -> Tensor:
    """The value as a tensor. JAX compiles for each number of photos, and the search drops finished ones: there it is
    padded to a multiple of `_ROUNDING`.
    """
    missing = -len(value) % _ROUNDING if keras.backend.backend() == "jax" else 0
    return ops.convert_to_tensor(np.pad(value, ((0, missing), *((0, 0),) * (value.ndim - 1))) if missing else value)


def _to_numpy(tensors: dict[str, keras.KerasTensor]) -> dict[str, Floats]:
    return {name: ops.convert_to_numpy(value) for name, value in tensors.items()}

"""Runs a bundle's SavedModel on TensorFlow, for those who have it anyway. Slower than ONNX Runtime; the answers are the
same.

TensorFlow is imported when a bundle is opened and not before. It reads the SavedModel's files from disk itself: they
are verified before that, and once more afterwards.
"""

import contextlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from photocaption.errors import BundleError
from photocaption.model.bundle import SAVED_MODEL, Bundle
from photocaption.model.runtime import NEXT, DecoderStart, DecoderStep, Floats, Tensors

Signature = Callable[..., Mapping[str, Any]]

_SIGNATURES = ("encode", "start", "step")


class SavedModelEncoder:
    """The encoder: the signature `encode` of the SavedModel."""

    engine = "tensorflow"

    def __init__(self, encode: Signature, convert: Callable[[npt.NDArray[Any]], object]) -> None:
        """`convert` makes a tensor of an array."""
        self._encode = encode
        self._convert = convert

    def encode(self, images: npt.NDArray[np.uint8], *, concurrent: bool = False) -> Floats:  # noqa: ARG002
        """Features [P, cells, channels] of `images` [P, height, width, 3]; TensorFlow's threads serve all callers."""
        features: Floats = self._encode(images=self._convert(images))["features"].numpy()
        return features


class SavedModelDecoder:
    """The decoder: the signatures `start` and `step` of the SavedModel."""

    def __init__(self, start: Signature, step: Signature, convert: Callable[[npt.NDArray[Any]], object]) -> None:
        """`convert` makes a tensor of an array."""
        self._start = start
        self._step = step
        self._convert = convert

    def start(self, features: Floats) -> DecoderStart:
        """What the steps need, from features [P, cells, channels]."""
        started = self._start(features=self._convert(features))
        return DecoderStart.of({name: tensor.numpy() for name, tensor in started.items()})

    def step(
        self,
        tokens: npt.NDArray[np.int32],
        context: Tensors,
        state: Tensors,
        top_k: int | None = None,  # noqa: ARG002
    ) -> DecoderStep:
        """One word further for every hypothesis; `tokens` [P, K], `state` [P, K, size]. Tells of all successors."""
        feeds = {name: self._convert(tensor) for name, tensor in {"tokens": tokens, **context, **state}.items()}
        tensors = {name: tensor.numpy() for name, tensor in self._step(**feeds).items()}
        return DecoderStep(
            log_probabilities=tensors["log_probabilities"],
            attention=tensors.get("attention"),
            state={name: tensors[NEXT + name] for name in state},
        )


def open_saved_model(bundle: Bundle, *, threads: int) -> tuple[SavedModelEncoder, SavedModelDecoder]:
    """Load `saved_model/`. Raises BundleError when the bundle has none that runs, or TensorFlow is not installed."""
    if not bundle.has_saved_model():
        raise _refusal(bundle, "is missing, and the TensorFlow runtime needs it: export it, or use the runtime onnx")
    tensorflow = _import_tensorflow(bundle)
    # The pool can only be sized before TensorFlow has run anything in this process; later it is what it is.
    with contextlib.suppress(RuntimeError):
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    signatures = _load_signatures(tensorflow, bundle)
    _verify_again(bundle)
    convert = tensorflow.convert_to_tensor
    encode, start, step = (signatures[name] for name in _SIGNATURES)
    return SavedModelEncoder(encode, convert), SavedModelDecoder(start, step, convert)


def _import_tensorflow(bundle: Bundle) -> ModuleType:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise _refusal(bundle, "needs TensorFlow, which is not installed: use the runtime onnx") from error
    return tf  # type: ignore[no-any-return]  # untyped


def _load_signatures(tensorflow: Any, bundle: Bundle) -> Mapping[str, Signature]:  # noqa: ANN401 (untyped)
    try:
        signatures: Mapping[str, Signature] = tensorflow.saved_model.load(str(bundle.path / SAVED_MODEL)).signatures
    except Exception as error:  # TensorFlow's errors share no base class
        raise _refusal(bundle, "is not a model that TensorFlow can load") from error
    missing = [name for name in _SIGNATURES if name not in signatures]
    if missing:
        raise _refusal(bundle, f"lacks the signature {missing[0]}")
    return signatures


def _verify_again(bundle: Bundle) -> None:
    """Raise BundleError where the files that TensorFlow has read may be those of another bundle."""
    for name in bundle.manifest.files:
        if name.startswith(f"{SAVED_MODEL}/"):
            bundle.read(name)


def _refusal(bundle: Bundle, reason: str) -> BundleError:
    return BundleError(f"{bundle.path / SAVED_MODEL}: {reason}")

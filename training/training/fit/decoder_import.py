"""Reads a decoder back out of a bundle's ONNX files, so that a training can begin where another one ended.

The inverse of `training.publish.decoder_export`: matrices in bytes come back as numbers, rounded as they were
published. Constants are found by the names that Keras's layers leave in the graphs, and by their shapes where there is
none.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from photocaption.model.bundle import DECODER_START, DECODER_STEP, Bundle
from photocaption.model.runtime import Floats
from training.arrays import Arrays
from training.errors import TrainingError

BITS, HALF, SCALES = "_bits", "_half", "_scales"
_MATRIX = 2
_OF_LAYER = re.compile(
    r"(?:attention(?:_\d+)?/)?([a-z_]+?)(?:_\d+)?/(?:Tensordot/)?(Cast|MatMul|BiasAdd|Add)/ReadVariableOp:0$"
)
"""Names of the constants of Keras's layers: "attention_1/query_1/BiasAdd/ReadVariableOp:0"."""

Constants = dict[str, npt.NDArray[Any]]


def read_decoder(bundle: Bundle) -> tuple[Arrays, tuple[int, ...], int]:
    """The weights of a bundle's decoder by the last two parts of their Keras path ("lstm_cell/kernel"), the token ids
    of its tags, and how many heads its attention has. Raises `CaptionError` and `TrainingError`.
    """
    graphs = [onnx.load_from_string(bundle.read(name)).graph for name in (DECODER_START, DECODER_STEP)]
    start, step = map(_read_constants, graphs)
    weights = _name_weights(start, step)
    tags = _read_tags(start, len(bundle.vocabulary)) if "tagger/kernel" in weights else ()
    return weights, tags, _read_heads(graphs[0])


def _name_weights(start: Constants, step: Constants) -> Arrays:
    """The weights of all layers. Those of Keras's layers are found by name, the others by their shapes."""
    weights = {
        f"{layer}/{part}": value for graph in (start, step) for (layer, part), value in _read_layers(graph).items()
    }
    table = _find(
        step, "the table of words", lambda name, value: name.startswith("transpose") and value.ndim == _MATRIX
    ).T
    words, units = table.shape
    weights |= {
        "embedding/table": table,
        "embedding/bias": _find(step, "the bias of words", _is_free((words,))),
        "lstm_cell/kernel": (kernel := _find(start, "the LSTM's kernel", _is_free((units, 4 * units)))),
        "lstm_cell/bias": _find(start, "the LSTM's bias", _is_free((4 * units,))),
        "lstm_cell/recurrent_kernel": _find(
            step,
            "the LSTM's recurrent kernel",
            lambda name, value: _is_free(kernel.shape)(name, value) and not np.array_equal(value, kernel),
        ),
        "normalise/gamma": _find(start, "gamma", lambda name, _: bool(re.match(r"normalise(_\d+)?/Reshape:0", name))),
        "normalise/beta": _find(start, "beta", lambda name, _: bool(re.match(r"normalise(_\d+)?/Reshape_1:0", name))),
    }
    if "classes/bias" in weights:
        classes, tags = len(weights["classes/bias"]), len(weights["tagger/bias"])
        weights["evidence/names"] = _find(start, "the names of classes", _is_free((classes, tags)))
        if any(_is_free((tags,))(*constant) for constant in start.items()):  # bundles from before have none
            weights["evidence/subjects"] = _find(start, "the subjects", _is_free((tags,)))
    return weights


def _read_layers(graph: Constants) -> dict[tuple[str, str], Floats]:
    """Kernels and biases of Keras's layers, by the layer's name and "kernel" or "bias"."""
    return {key: value for name, value in graph.items() if (key := match_layer(name))}


def match_layer(name: str) -> tuple[str, str] | None:
    """The layer of Keras and the part of it, "kernel" or "bias", that a constant's name says; None of other names."""
    if not (match := _OF_LAYER.match(name)):
        return None
    layer, operation = match.groups()
    return layer, "bias" if operation in {"BiasAdd", "Add"} else "kernel"


def _is_free(shape: tuple[int, ...]) -> Callable[[str, Floats], bool]:
    """Whether a constant is of no layer, and has a shape."""
    return lambda name, value: name.endswith("ReadVariableOp:0") and not _OF_LAYER.match(name) and value.shape == shape


def _find(graph: Constants, what: str, is_it: Callable[[str, Floats], bool]) -> Floats:
    found = [value for name, value in graph.items() if is_it(name, value)]
    if len(found) != 1:
        raise TrainingError(f"the start's decoder cannot be read: {len(found)} constants may be {what}")
    return found[0]


def _read_tags(start: Constants, words: int) -> tuple[int, ...]:
    """Token ids of the tags in their order, from the place of each word among them."""
    places = _find(start, "the places of tags", lambda _, value: value.shape == (words,) and value.dtype == np.int32)
    tags = np.flatnonzero(places < places.max())
    return tuple(int(tag) for tag in tags[np.argsort(places[tags])])


def _read_heads(start: onnx.GraphProto) -> int:
    """The second size of the keys that a photo's cells have; 0 without attention."""
    outputs = {output.name: output.type.tensor_type.shape.dim for output in start.output}
    return int(outputs["context_keys"][1].dim_value) if "context_keys" in outputs else 0


def _read_constants(graph: onnx.GraphProto) -> Constants:
    """Constants by name, in float32 however they are stored, but for whole numbers."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    constants = {name.removesuffix(HALF): _widen(value) for name, value in stored.items() if not name.endswith(BITS)}
    for name, bits in stored.items():
        if name.endswith(BITS) and bits.dtype == np.int8:  # of a product; rows that are looked up are made of others
            whole = name.removesuffix(BITS)
            constants[whole] = bits * constants[f"{whole}{SCALES}"]
    return constants


def _widen(value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return value.astype(np.float32) if value.dtype == np.float16 else value

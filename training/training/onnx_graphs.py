"""Turns TensorFlow functions into ONNX files with the names that the bundle promises, and makes them small.

The names are set after the conversion, because the converter takes over only those of the inputs.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnx import TensorProto, helper, numpy_helper

_OPSET = 17
_SMALL = 1024


def convert(function: Callable[..., Any], specs: Sequence[Any], outputs: Sequence[str], name: str) -> onnx.ModelProto:
    """The ONNX model of a TensorFlow function.

    `specs`: a named TensorSpec for each argument; `outputs`: names of what it returns, a tuple, in order.
    """
    concrete = tf.function(function, input_signature=list(specs), autograph=False)
    model, _ = tf2onnx.convert.from_function(concrete, input_signature=list(specs), opset=_OPSET)
    _rename(model.graph, {node.name: spec.name for node, spec in zip(model.graph.input, specs, strict=True)})
    _rename(model.graph, {node.name: output for node, output in zip(model.graph.output, outputs, strict=True)})
    model.graph.name = name
    model.producer_name, model.producer_version, model.doc_string = "training", "", ""
    onnx.checker.check_model(model, full_check=True)
    return model


def store_half_precision(model: onnx.ModelProto) -> None:
    """Keep the larger float32 constants as float16 with a cast behind them: half the file, and float32 arithmetic as
    before.

    ONNX Runtime carries the casts out once, when it loads the model.
    """
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _SMALL:
            continue
        name, half = tensor.name, f"{tensor.name}_half"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(helper.make_node("Cast", [half], [name], name=f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write a model to a file that appears whole or not at all."""
    partial = path.with_name(f"partial-{path.name}")
    partial.write_bytes(model.SerializeToString(deterministic=True))
    partial.replace(path)


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Give tensors other names wherever they occur."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in [*graph.input, *graph.output]:
        value.name = names.get(value.name, value.name)

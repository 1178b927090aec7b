"""Converts TensorFlow functions to ONNX files with the tensor names of the bundle's contract, and compresses them.

The names are set after the conversion, because the converter takes over only those of the inputs.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.arrays import atomic_write

_OPSET = 17
_SMALL = 1024
BLOCK = 32
# Weights have seven bits: processors without VNNI add pairs of products of bytes in 16 bits, where eight overflow.
_MAX_WEIGHT = 63
MAX_VALUE = 127
RUNTIME_DOMAIN = "com.microsoft"


def convert(function: Callable[..., Any], specs: Sequence[Any], outputs: Sequence[str], name: str) -> onnx.ModelProto:
    """The ONNX model of a TensorFlow function.

    `specs`: a named TensorSpec for each argument; `outputs`: names of what it returns, a tuple, in order.
    """
    import tensorflow as tf  # here, because other backends train without it
    import tf2onnx

    concrete = tf.function(function, input_signature=list(specs), autograph=False)
    model, _ = tf2onnx.convert.from_function(concrete, input_signature=list(specs), opset=_OPSET)
    _rename(model.graph, {node.name: spec.name for node, spec in zip(model.graph.input, specs, strict=True)})
    _rename(model.graph, {node.name: output for node, output in zip(model.graph.output, outputs, strict=True)})
    model.graph.name = name
    model.producer_name = "training"
    model.producer_version = ""
    model.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    return model


def store_half_precision(model: onnx.ModelProto) -> None:
    """Store the larger float32 constants as float16 with a cast to float32: half the file, and the same arithmetic.

    ONNX Runtime computes the casts once, when it loads the model.
    """
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _SMALL:
            continue
        name, half = tensor.name, f"{tensor.name}_half"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(helper.make_node("Cast", [half], [name], name=f"{name}_cast", to=TensorProto.FLOAT))
    _replace_nodes(model.graph, [*casts, *model.graph.node])


def average_by_products(model: onnx.ModelProto, rows: int) -> None:
    """Compute means [P, D] over rows [P, rows, D] as matrix products: ONNX Runtime's ReduceMean is far slower."""
    weights, axis = "mean_weights", "mean_axis"
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type == "ReduceMean" and attributes == {"axes": [1], "keepdims": 0}:
            (vectors,), (mean,) = node.input, node.output
            product = helper.make_node("MatMul", [weights, vectors], [f"{mean}_row"])
            nodes += [product, helper.make_node("Squeeze", [f"{mean}_row", axis], [mean])]
        else:
            nodes.append(node)
    if len(nodes) > len(model.graph.node):
        _add_constants(model.graph, {weights: np.full((1, rows), 1 / rows, np.float32), axis: np.array([1])})
        _replace_nodes(model.graph, nodes)


def store_eight_bits(model: onnx.ModelProto) -> None:
    """Quantise constant matrices to int8, and their products (dynamic quantisation): a fraction of the file and the
    time.

    Factors of products get a scale for each column, tables of rows one for each 32 values of a row. Each vector gets
    its own scale, from its largest value, so that results do not depend on the batch.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "MatMul" and _is_large(matrix := constants.get(node.input[1])):
            nodes += _multiply_bytes(model.graph, node, matrix)
        elif node.op_type == "Gather" and _has_blocks(matrix := constants.get(node.input[0])):
            nodes.append(_look_up_bytes(model.graph, node, matrix))
        else:
            nodes.append(node)
    _replace_nodes(model.graph, nodes)
    model.opset_import.append(helper.make_opsetid(RUNTIME_DOMAIN, 1))
    _drop_unused(model.graph)


def _is_large(matrix: npt.NDArray[np.float32] | None) -> TypeGuard[npt.NDArray[np.float32]]:
    """Whether it is a matrix that is large enough to be quantised."""
    return matrix is not None and matrix.ndim == 2 and matrix.size >= _SMALL


def _has_blocks(matrix: npt.NDArray[np.float32] | None) -> TypeGuard[npt.NDArray[np.float32]]:
    """Whether it is such a matrix whose rows consist of whole blocks."""
    return _is_large(matrix) and matrix.shape[1] % BLOCK == 0


def _multiply_bytes(
    graph: onnx.GraphProto, node: onnx.NodeProto, matrix: npt.NDArray[np.float32]
) -> list[onnx.NodeProto]:
    """Nodes for the quantised product of vectors [..., K] and a matrix [K, N]."""
    (vectors, name), (product,) = node.input, node.output
    scales = _scale(matrix, _MAX_WEIGHT, axis=0)
    weights, sizes, unit, zero, tiny = _add_constants(
        graph,
        {
            f"{name}_bits": np.rint(matrix / scales).astype(np.int8),
            f"{name}_scales": scales[0],
            f"{name}_unit": np.float32(1 / MAX_VALUE),
            f"{name}_zero": np.uint8(MAX_VALUE + 1),
            f"{name}_tiny": np.finfo(np.float32).tiny,
        },
    )
    absolute, largest, length, direction, numbers, scaled = (
        f"{product}_{part}" for part in ("absolute", "largest", "length", "direction", "numbers", "scaled")
    )
    multiply = helper.make_node(
        "MatMulIntegerToFloat", [numbers, weights, unit, sizes, zero], [scaled], domain=RUNTIME_DOMAIN
    )
    return [
        helper.make_node("Abs", [vectors], [absolute]),
        helper.make_node("ReduceMax", [absolute], [largest], axes=[-1], keepdims=1),
        helper.make_node("Max", [largest, tiny], [length]),
        helper.make_node("Div", [vectors, length], [direction]),
        helper.make_node("QuantizeLinear", [direction, unit, zero], [numbers]),
        multiply,
        helper.make_node("Mul", [scaled, length], [product]),
    ]


def _look_up_bytes(graph: onnx.GraphProto, node: onnx.NodeProto, matrix: npt.NDArray[np.float32]) -> onnx.NodeProto:
    """A node that looks up rows of a quantised matrix [V, D], uint8 with zero point 128 and scales [V, blocks]."""
    name, tokens = node.input
    blocks = matrix.reshape(len(matrix), -1, BLOCK)
    scales = _scale(blocks, MAX_VALUE, axis=-1)
    bits = (np.rint(blocks / scales) + MAX_VALUE + 1).astype(np.uint8).reshape(matrix.shape)
    stored, sizes = _add_constants(graph, {f"{name}_bits": bits, f"{name}_scales": scales[..., 0]})
    return helper.make_node(
        "GatherBlockQuantized",
        [stored, tokens, sizes],
        node.output,
        domain=RUNTIME_DOMAIN,
        bits=8,
        block_size=BLOCK,
        quantize_axis=1,
    )


def _scale(values: npt.NDArray[np.float32], largest: int, axis: int) -> npt.NDArray[np.float32]:
    """Scales along an axis, which is kept: the largest absolute value divided by `largest`."""
    extremes = np.maximum(np.abs(values).max(axis=axis, keepdims=True), np.finfo(np.float32).tiny)
    scales: npt.NDArray[np.float32] = (extremes / largest).astype(np.float32)
    return scales


def _add_constants(graph: onnx.GraphProto, arrays: Mapping[str, npt.ArrayLike]) -> list[str]:
    graph.initializer.extend(numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items())
    return [*arrays]


def _replace_nodes(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]  # the old go with their list
    del graph.node[:]
    graph.node.extend(copies)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Leave out constants that nothing reads any more."""
    read = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write a model to a file, atomically."""
    with atomic_write(path) as partial:
        partial.write_bytes(model.SerializeToString(deterministic=True))


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Give tensors other names wherever they occur."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in [*graph.input, *graph.output]:
        value.name = names.get(value.name, value.name)

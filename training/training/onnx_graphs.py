"""Turns TensorFlow functions into ONNX files with the names that the bundle promises, and makes them small.

The names are set after the conversion, because the converter takes over only those of the inputs.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

_OPSET = 17
_SMALL = 1024
_BLOCK = 32
_RUNTIME_DOMAIN = "com.microsoft"


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


def store_columns_in_eight_bits(model: onnx.ModelProto) -> None:
    """Keep constant matrices in 8 bits, each column with a scale of its own, and what restores them behind: a quarter
    of the file, and float32 arithmetic as before, because ONNX Runtime restores them once, when it loads the model.
    """
    restoring = []
    for tensor in list(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.ndim != 2 or values.size < _SMALL:
            continue
        scales = np.maximum(np.abs(values).max(axis=0), np.finfo(np.float32).tiny) / 127
        name, bits, numbers, sizes = tensor.name, *(f"{tensor.name}_{part}" for part in ("bits", "numbers", "scales"))
        tensor.CopyFrom(numpy_helper.from_array(np.rint(values / scales).astype(np.int8), bits))
        _add_constants(model.graph, {sizes: scales.astype(np.float32)})
        restoring.append(helper.make_node("Cast", [bits], [numbers], name=f"{name}_cast", to=TensorProto.FLOAT))
        restoring.append(helper.make_node("Mul", [numbers, sizes], [name], name=f"{name}_restore"))
    nodes = [*restoring, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def store_eight_bits(model: onnx.ModelProto) -> None:
    """Keep constant matrices in 8 bits, each 32 values with a scale of their own: those that vectors are multiplied
    with, by columns, and those that rows are looked up in, by rows.

    A step multiplies a few vectors with matrices as fast as memory delivers them: a quarter of the bytes is a fraction
    of the time. Scales so local cost next to nothing in precision; ONNX Runtime rounds the vectors as finely.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "MatMul" and _has_blocks(matrix := constants.get(node.input[1]), axis=0):
            _multiply_in_bytes(model.graph, node, matrix)
        elif node.op_type == "Gather" and _has_blocks(matrix := constants.get(node.input[0]), axis=1):
            _look_up_in_bytes(model.graph, node, matrix)
    model.opset_import.append(helper.make_opsetid(_RUNTIME_DOMAIN, 1))
    _drop_unused(model.graph)


def _has_blocks(matrix: npt.NDArray[np.float32] | None, axis: int) -> TypeGuard[npt.NDArray[np.float32]]:
    """Whether something is a matrix that is worth it and divides into blocks along an axis."""
    return matrix is not None and matrix.ndim == 2 and matrix.size >= _SMALL and matrix.shape[axis] % _BLOCK == 0


def _multiply_in_bytes(graph: onnx.GraphProto, node: onnx.NodeProto, matrix: npt.NDArray[np.float32]) -> None:
    """Make a product with a matrix [K, N] one with its bytes [N, blocks, 32] and scales [N × blocks]."""
    vectors, name = node.input
    bits, scales = _quantise_blocks(matrix.T)
    names = _add_constants(graph, {f"{name}_bits": bits, f"{name}_scales": scales.ravel()})
    rows, columns = matrix.shape
    _become(
        node,
        "MatMulNBits",
        [vectors, *names],
        K=rows,
        N=columns,
        bits=8,
        block_size=_BLOCK,
        accuracy_level=4,  # multiply bytes with bytes
    )


def _look_up_in_bytes(graph: onnx.GraphProto, node: onnx.NodeProto, matrix: npt.NDArray[np.float32]) -> None:
    """Make a lookup of rows of a matrix [V, D] one of its bytes [V, D] and scales [V, blocks]."""
    name, tokens = node.input
    bits, scales = _quantise_blocks(matrix)
    stored, sizes = _add_constants(graph, {f"{name}_bits": bits.reshape(matrix.shape), f"{name}_scales": scales})
    _become(node, "GatherBlockQuantized", [stored, tokens, sizes], bits=8, block_size=_BLOCK, quantize_axis=1)


def _become(node: onnx.NodeProto, operator: str, inputs: Sequence[str], **attributes: int) -> None:
    """Make a node one of ONNX Runtime's own, with the outputs that it had."""
    outputs, name = list(node.output), node.name
    node.CopyFrom(helper.make_node(operator, inputs, outputs, name=name, domain=_RUNTIME_DOMAIN, **attributes))


def _add_constants(graph: onnx.GraphProto, arrays: dict[str, npt.NDArray[Any]]) -> list[str]:
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    return [*arrays]


def _quantise_blocks(rows: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Bytes [rows, blocks, 32], zero at 128, and scales [rows, blocks] of a matrix."""
    blocks = rows.reshape(len(rows), -1, _BLOCK)
    scales = np.maximum(np.abs(blocks).max(axis=-1), np.finfo(np.float32).tiny) / 127
    return (np.rint(blocks / scales[..., None]) + 128).astype(np.uint8), scales.astype(np.float32)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Leave out constants that nothing reads any more."""
    read = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


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

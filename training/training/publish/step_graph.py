"""Writes the decoder's step anew, by hand, with the constants of the graph that the converter made.

A step is a dozen products of a few vectors, so that much of its time is not arithmetic: the converter's graph computes
shapes, and quantises a vector for each product anew. The constants keep their names, by which
`training.fit.decoder_import` finds them.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.encoder.onnx_graphs import BLOCK, MAX_VALUE, RUNTIME_DOMAIN
from training.fit.decoder_import import BITS, HALF, SCALES, match_layer

_LIKELIEST = "likeliest"
_LIKELIEST_OUTPUTS = ("likeliest_log_probabilities", "likeliest_tokens")
_TABLE = "GatherBlockQuantized"


def pick_likeliest(model: onnx.ModelProto) -> None:
    """Have a step tell of the likeliest successors alone, too: input `likeliest` int64 [1], of how many; outputs
    `likeliest_log_probabilities` float32 and `likeliest_tokens` int64 [P, K, likeliest], likeliest first.
    """
    graph = model.graph
    if any(one.name == _LIKELIEST for one in graph.input):
        return
    graph.node.append(helper.make_node("TopK", ["log_probabilities", _LIKELIEST], _LIKELIEST_OUTPUTS, axis=-1))
    graph.input.append(helper.make_tensor_value_info(_LIKELIEST, TensorProto.INT64, [1]))
    for name, kind in zip(_LIKELIEST_OUTPUTS, (TensorProto.FLOAT, TensorProto.INT64), strict=True):
        graph.output.append(helper.make_tensor_value_info(name, kind, ["photos", "beams", _LIKELIEST]))


def rewrite(model: onnx.ModelProto) -> None:
    """Replace the nodes of a step by fewer that compute the same, the likeliest successors too, where its matrices are
    in bytes; others stay as they are.

    The equations are those of `training.models.decoder.Decoder.step`, with vectors in bytes as in
    `onnx_graphs.store_eight_bits`: the numbers are the same to the last bit.
    """
    graph = model.graph
    if not any(node.op_type == _TABLE for node in graph.node):
        return
    writer = _Writer(graph)
    if not writer.has_bytes_alone():
        return
    _write_step(writer, {one.name: one for one in graph.input})
    writer.write("TopK", "log_probabilities", _LIKELIEST, axis=-1, outputs=_LIKELIEST_OUTPUTS)
    for part, content in ((graph.node, writer.nodes), (graph.initializer, writer.constants), (graph.value_info, [])):
        del part[:]
        part.extend(content)
    onnx.checker.check_model(model)


class _Writer:
    """Nodes and constants of a graph that is being written, from the constants of another."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._stored = {one.name: onnx.TensorProto.FromString(one.SerializeToString()) for one in graph.initializer}
        self._known: set[str] = set()
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        table = next(node for node in graph.node if node.op_type == _TABLE)
        self.table = table.input[0].removesuffix(BITS)
        words, gates = self._stored[table.input[0]].dims
        self.layers = {match: name for name in self._names() if (match := match_layer(name))}
        self.vocabulary = self._find(lambda name, size: name.startswith("transpose") and size == [gates // 4, words])
        self.recurrent = self._find(lambda name, size: name != self.vocabulary and size == [gates // 4, gates])
        # The converter leaves out biases that are zero.
        bias = [name for name in self._names() if name not in self.layers.values() and self._size(name) == [words]]
        self.bias = bias[0] if bias else self.add("no_bias", np.zeros(words, np.float32))

    def has_bytes_alone(self) -> bool:
        """Whether all matrices are in bytes, but for those of a column: small ones are not worth it."""
        kernels = [name for (layer, part), name in self.layers.items() if part == "kernel" and layer != "trust"]
        return all(f"{name}{BITS}" in self._stored for name in (self.recurrent, self.vocabulary, *kernels))

    def _names(self) -> set[str]:
        return {name.removesuffix(HALF).removesuffix(BITS) for name in self._stored if SCALES not in name}

    def _size(self, name: str) -> list[int]:
        return next([*self._stored[one].dims] for one in (name, name + HALF, name + BITS) if one in self._stored)

    def _find(self, is_it: Callable[[str, list[int]], bool]) -> str:
        """The one constant of no layer that is it."""
        [name] = [name for name in self._names() - {*self.layers.values()} if is_it(name, self._size(name))]
        return name

    def write(
        self, kind: str, *inputs: str, outputs: tuple[str, ...] = (), domain: str = "", **attributes: object
    ) -> str:
        """A node; the name of its first output."""
        names = outputs or (f"{kind}_{len(self.nodes)}",)
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names[0]

    def split(self, vectors: str, parts: int) -> tuple[str, ...]:
        """Equal parts of vectors."""
        names = tuple(f"Split_{len(self.nodes)}_{part}" for part in range(parts))
        self.write("Split", vectors, axis=-1, outputs=names)
        return names

    def add(self, name: str, value: npt.ArrayLike) -> str:
        """A constant that the other graph lacks."""
        if name not in self._known:
            self._known.add(name)
            self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def read(self, name: str) -> str:
        """A constant of the other graph, in float32 if it is stored as float16."""
        if name not in self._known:
            self._known.add(name)
            half = f"{name}{HALF}" in self._stored
            self.constants.append(self._stored[f"{name}{HALF}" if half else name])
            if half:
                self.write("Cast", f"{name}{HALF}", outputs=(name,), to=TensorProto.FLOAT)
        return name

    def quantise(self, vectors: str) -> tuple[str, str]:
        """Vectors in bytes, each by its own largest value, which the products are to be multiplied with."""
        largest = self.write("ReduceMax", self.write("Abs", vectors), axes=[-1], keepdims=1)
        length = self.write("Max", largest, self.add("tiny", np.finfo(np.float32).tiny))
        return self.write("QuantizeLinear", self.write("Div", vectors, length), *self._scale()), length

    def multiply(self, vectors: tuple[str, str], matrices: list[str]) -> str:
        """Products of vectors in bytes with matrices side by side."""
        bits = self._join([self.read(f"{one}{BITS}") for one in matrices], 1)
        scales = self._join([self.read(f"{one}{SCALES}") for one in matrices], 0)
        unit, zero = self._scale()
        numbers, length = vectors
        product = self.write("MatMulIntegerToFloat", numbers, bits, unit, scales, zero, domain=RUNTIME_DOMAIN)
        return self.write("Mul", product, length)

    def multiply_layers(self, vectors: tuple[str, str], *layers: str) -> str:
        """What dense layers make of vectors in bytes, side by side."""
        products = self.multiply(vectors, [self.layers[one, "kernel"] for one in layers])
        return self.write("Add", products, self._join([self.read(self.find_bias(one)) for one in layers], 0))

    def find_bias(self, layer: str) -> str:
        """The bias of a dense layer."""
        if name := self.layers.get((layer, "bias")):
            return name
        return self.add(f"{layer}_no_bias", np.zeros(self._size(self.layers[layer, "kernel"])[1], np.float32))

    def _scale(self) -> tuple[str, str]:
        return self.add("unit", np.float32(1 / MAX_VALUE)), self.add("zero", np.uint8(MAX_VALUE + 1))

    def _join(self, names: list[str], axis: int) -> str:
        return names[0] if len(names) == 1 else self.write("Concat", *names, axis=axis)


def _write_step(writer: _Writer, inputs: dict[str, onnx.ValueInfoProto]) -> None:
    write = writer.write
    h = _write_lstm(writer)
    state, seen = writer.quantise(h), []
    if "context_keys" in inputs:
        _, heads, units, _ = (size.dim_value for size in inputs["context_keys"].type.tensor_type.shape.dim)
        seen = [_write_attention(writer, state, heads, units)]
    found = writer.quantise(write("Concat", h, *seen, axis=-1)) if seen else state
    vectors = writer.quantise(write("Tanh", writer.multiply_layers(found, "combine")))
    logits = write("Add", writer.multiply(vectors, [writer.vocabulary]), writer.read(writer.bias))
    if "context_words" in inputs:
        logits = write("Add", logits, _write_evidence(writer, h))
    write("LogSoftmax", logits, axis=-1, outputs=("log_probabilities",))


def _write_lstm(writer: _Writer) -> str:
    write = writer.write
    bits, scales = (writer.read(f"{writer.table}{part}") for part in (BITS, SCALES))
    word = write(_TABLE, bits, "tokens", scales, domain=RUNTIME_DOMAIN, bits=8, block_size=BLOCK, quantize_axis=1)
    photo = write("Unsqueeze", "context_image", writer.add("axis", np.array([1])))
    before = writer.multiply(writer.quantise("state_h"), [writer.recurrent])
    gates = write("Add", write("Add", word, photo), before)
    input_gate, forget_gate, cell_gate, output_gate = writer.split(gates, 4)
    kept = write("Mul", write("Sigmoid", forget_gate), "state_c")
    admitted = write("Mul", write("Sigmoid", input_gate), write("Tanh", cell_gate))
    c = write("Add", kept, admitted, outputs=("next_state_c",))
    return write("Mul", write("Sigmoid", output_gate), write("Tanh", c), outputs=("next_state_h",))


def _write_attention(writer: _Writer, state: tuple[str, str], heads: int, units: int) -> str:
    write = writer.write
    query, gate = writer.split(writer.multiply_layers(state, "query", "gate"), 2)
    split = write("Reshape", query, writer.add("by_head", np.array([0, 0, heads, units])))
    match = write("MatMul", write("Transpose", split, perm=[0, 2, 1, 3]), "context_keys")
    weights = write("Softmax", match, axis=-1)
    write("ReduceMean", weights, axes=[1], keepdims=0, outputs=("attention",))
    seen = write("Transpose", write("MatMul", weights, "context_values"), perm=[0, 2, 1, 3])
    joined = write("Reshape", seen, writer.add("side_by_side", np.array([0, 0, heads * units])))
    return write("Mul", joined, write("Sigmoid", gate))


def _write_evidence(writer: _Writer, h: str) -> str:
    write = writer.write
    product = write("MatMul", h, writer.read(writer.layers["trust", "kernel"]))
    trust = write("Softplus", write("Add", product, writer.read(writer.find_bias("trust"))))
    return write("Mul", trust, write("Unsqueeze", "context_words", writer.add("axis", np.array([1]))))

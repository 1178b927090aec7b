"""Writes the decoder's step anew: a word for each hypothesis, in as few nodes as can be."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from training.encoder.onnx_graphs import BLOCK, RUNTIME_DOMAIN
from training.fit.decoder_import import BITS, SCALES
from training.publish.graph_writer import GraphWriter, Matrix, Vectors

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
    `onnx_graphs.store_eight_bits`, but for those that are within ±1 anyway: they share a scale.
    """
    if not any(node.op_type == _TABLE for node in model.graph.node):
        return
    step = _StepWriter(model.graph)
    if not step.writer.has_bytes_alone(step.recurrent, step.vocabulary):
        return
    step.write()
    step.writer.replace()
    onnx.checker.check_model(model)


class _StepWriter:
    """The step of one decoder of D units."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.writer = writer = GraphWriter(graph)
        self._inputs = {one.name: one for one in graph.input}
        table = next(node for node in graph.node if node.op_type == _TABLE)
        self._table = table.input[0].removesuffix(BITS)
        words, gates = writer.size(self._table)
        self._units = units = gates // 4
        [self.vocabulary] = writer.list_free(lambda name, size: name.startswith("transpose") and size == [units, words])
        [self.recurrent] = writer.list_free(lambda name, size: name != self.vocabulary and size == [units, gates])
        # The converter leaves out biases that are zero.
        bias = writer.list_free(lambda _, size: size == [words])
        self._bias = writer.read(bias[0]) if bias else writer.add("no_bias", np.zeros(words, np.float32))

    def write(self) -> None:
        """All nodes."""
        writer, write = self.writer, self.writer.write
        h = self._write_lstm()
        vectors = writer.quantise_bounded(write("Tanh", self._combine(writer.quantise_bounded(h))))
        logits = writer.multiply(vectors, writer.read_matrix(self.vocabulary), bias=[self._bias])
        if "context_words" in self._inputs:
            logits = write("Add", logits, self._write_evidence(h))
        write("LogSoftmax", logits, axis=-1, outputs=("log_probabilities",))
        write("TopK", "log_probabilities", _LIKELIEST, axis=-1, outputs=_LIKELIEST_OUTPUTS)

    def _write_lstm(self) -> str:
        writer, write = self.writer, self.writer.write
        bits, scales = (writer.read(f"{self._table}{part}") for part in (BITS, SCALES))
        word = write(_TABLE, bits, "tokens", scales, domain=RUNTIME_DOMAIN, bits=8, block_size=BLOCK, quantize_axis=1)
        photo = write("Unsqueeze", "context_image", writer.add("axis", np.array([1])))
        before = writer.multiply(writer.quantise_bounded("state_h"), writer.read_matrix(self.recurrent))
        gates = write("Add", write("Add", word, photo), before)
        input_gate, forget_gate, cell_gate, output_gate = writer.split(gates, *[self._units] * 4)
        kept = write("Mul", write("Sigmoid", forget_gate), "state_c")
        admitted = write("Mul", write("Sigmoid", input_gate), write("Tanh", cell_gate))
        c = write("Add", kept, admitted, outputs=("next_state_c",))
        return write("Mul", write("Sigmoid", output_gate), write("Tanh", c), outputs=("next_state_h",))

    def _combine(self, state: Vectors) -> str:
        """What the layer `combine` makes of the state and, with attention, of what is seen: it multiplies the state
        together with those layers of the attention that read it.
        """
        writer = self.writer
        if "context_keys" not in self._inputs:
            return writer.multiply_layers(state, "combine")
        whole, layers = writer.read_kernel("combine"), ("query", "gate", "combine")
        of_state, of_seen = writer.split(whole.bits, self._units, self._units, axis=0)
        kernels = *map(writer.read_kernel, layers[:2]), Matrix(of_state, whole.scales)
        products = writer.multiply(state, *kernels, bias=[*map(writer.read_bias, layers)])
        query, gate, product = writer.split(products, *[self._units] * 3)
        seen = writer.quantise(self._attend(query, gate))
        return writer.write("Add", product, writer.multiply(seen, Matrix(of_seen, whole.scales)))

    def _attend(self, query: str, gate: str) -> str:
        writer, write = self.writer, self.writer.write
        _, heads, units, _ = (size.dim_value for size in self._inputs["context_keys"].type.tensor_type.shape.dim)
        split = write("Reshape", query, writer.add("by_head", np.array([0, 0, heads, units])))
        match = write("MatMul", write("Transpose", split, perm=[0, 2, 1, 3]), "context_keys")
        weights = write("Softmax", match, axis=-1)
        write("ReduceMean", weights, axes=[1], keepdims=0, outputs=("attention",))
        seen = write("Transpose", write("MatMul", weights, "context_values"), perm=[0, 2, 1, 3])
        joined = write("Reshape", seen, writer.add("side_by_side", np.array([0, 0, heads * units])))
        return write("Mul", joined, write("Sigmoid", gate))

    def _write_evidence(self, h: str) -> str:
        writer, write = self.writer, self.writer.write
        product = write("MatMul", h, writer.read(writer.layers["trust", "kernel"]))
        trust = write("Softplus", write("Add", product, writer.read_bias("trust")))
        return write("Mul", trust, write("Unsqueeze", "context_words", writer.add("axis", np.array([1]))))

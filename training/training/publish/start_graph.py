"""Writes the decoder's start anew: what the steps need of a photo, in as few nodes as can be."""

import re
from collections.abc import Callable

import numpy as np
import onnx

from training.encoder.onnx_graphs import RUNTIME_DOMAIN
from training.models.evidence import HARDLY, LEAST, LIMIT, MOST, TINY
from training.publish.graph_writer import MAX_BYTE, GraphWriter

_SMALLEST = np.float32(1e-30)  # length of a vector that counts
_EPSILON = 1e-3  # of Keras's layer normalisation


def rewrite(model: onnx.ModelProto, cells: int) -> None:
    """Replace the nodes of a start of features [P, `cells`, channels] by fewer that compute the same, where its
    matrices are in bytes and it has all that today's decoder has; others stay as they are.

    The equations are those of `training.models.decoder.Decoder.start` and `training.models.evidence`. Features are
    never negative, as an Xception ends with a ReLU: in bytes, those of a cell reach from 0 to its largest.
    """
    try:
        start = _StartWriter(model.graph, cells)
    except _MissingError:
        return
    start.write()
    start.writer.replace()
    onnx.checker.check_model(model)


class _MissingError(Exception):
    """A constant that is needed is not there, or not in bytes."""


class _StartWriter:
    """The start of one decoder of D units; it has G tags or none, and K classes or none."""

    def __init__(self, graph: onnx.GraphProto, cells: int) -> None:
        """Raises _MissingError."""
        self.writer = GraphWriter(graph)
        self._cells = cells
        self._sizes = {one.name: [size.dim_value for size in one.type.tensor_type.shape.dim] for one in graph.output}
        self._channels, self._units = self._size_of("project")
        self._gamma = self._find(lambda name, _: re.match(r"normalise(_\d+)?/Reshape:0", name) is not None)
        self._beta = self._find(lambda name, _: re.match(r"normalise(_\d+)?/Reshape_1:0", name) is not None)
        self._kernel = self._find(lambda _, size: size == [self._units, 4 * self._units])
        self._bias = self._find(lambda _, size: size == [4 * self._units])
        matrices = [self._kernel]
        if "context_words" in self._sizes:
            _, self._tags = self._size_of("tagger")
            self._places = self._find(lambda _, size: size == self._sizes["context_words"][1:])
            self._table = self._find(lambda _, size: size == [self._tags, self._units])
            matrices += [self._table]
        if ("classes", "kernel") in self.writer.layers:
            _, self._classes = self._size_of("classes")
            self._names = self._find(lambda _, size: size == [self._classes, self._tags])
            self._subjects = self._find(lambda _, size: size == [self._tags])
            matrices += [self._names]
        if not self.writer.has_bytes_alone(*matrices):
            raise _MissingError

    def _size_of(self, layer: str) -> list[int]:
        if (layer, "kernel") not in self.writer.layers:
            raise _MissingError
        return self.writer.size(self.writer.layers[layer, "kernel"])

    def _find(self, is_it: Callable[[str, list[int]], bool]) -> str:
        found = self.writer.list_free(is_it)
        if len(found) != 1:
            raise _MissingError
        return found[0]

    def write(self) -> None:
        """All nodes."""
        writer, write = self.writer, self.writer.write
        cells = self._write_cells()
        if "context_keys" in self._sizes:
            self._write_attention(cells)
        mean = self._average(write("Reshape", cells, self._shape(self._cells, self._units)))
        image, first = writer.multiply_layers(writer.quantise(mean), "glance"), mean
        if "context_words" in self._sizes:
            gist = self._write_gist(self._write_evidence(self._pool()))
            image, first = write("Add", image, gist), write("Add", mean, gist)
        kernel, bias = writer.read_matrix(self._kernel), writer.read(self._bias)
        writer.multiply(writer.quantise(image), kernel, bias=[bias], outputs=["context_image"])
        states = write("Tanh", writer.multiply_layers(writer.quantise(first), "initial_h", "initial_c"))
        writer.split(states, self._units, self._units, outputs=("state_h", "state_c"))

    def _write_cells(self) -> str:
        """The cells [P·N, D] of all photos, projected and normalised."""
        writer, write = self.writer, self.writer.write
        vectors = write("Reshape", "features", writer.add("by_cell", np.array([-1, self._channels])))
        largest = write("ReduceMax", vectors, axes=[1], keepdims=0)
        steps = write("Mul", write("Max", largest, writer.add("smallest", _SMALLEST)), self._number(1 / MAX_BYTE))
        numbers = write("QuantizeLinear", vectors, steps, axis=0)
        bits, scales = writer.read_kernel("project")
        product = write("MatMulIntegerToFloat", numbers, bits, self._number(1), scales, domain=RUNTIME_DOMAIN)
        product = write("Mul", product, write("Unsqueeze", steps, writer.add("axis", np.array([1]))))
        projected = write("Relu", write("Add", product, writer.read_bias("project")))
        flat = writer.add("flat", np.array([-1]))
        gamma, beta = (write("Reshape", writer.read(name), flat) for name in (self._gamma, self._beta))
        return write("LayerNormalization", projected, gamma, beta, axis=-1, epsilon=_EPSILON)

    def _write_attention(self, cells: str) -> None:
        writer, write = self.writer, self.writer.write
        _, heads, units, _ = self._sizes["context_keys"]
        by_head = self._shape(self._cells, heads, units)
        vectors = writer.quantise(cells)
        vectors = vectors._replace(lengths=write("Mul", vectors.lengths, self._number(units**-0.5)))
        keys = write("Reshape", writer.multiply(vectors, writer.read_kernel("key")), by_head)
        write("Transpose", keys, perm=[0, 2, 3, 1], outputs=["context_keys"])
        write("Transpose", write("Reshape", cells, by_head), perm=[0, 2, 1, 3], outputs=["context_values"])

    def _pool(self) -> str:
        """The photo as one vector: `training.models.evidence.pool`."""
        write = self.writer.write
        roots = write("Sqrt", write("Max", self._average("features"), self._number(TINY**2)))
        length = write("ReduceL2", roots, axes=[-1], keepdims=1)
        return write("Div", roots, write("Add", length, self._number(TINY)))

    def _write_evidence(self, pooled: str) -> str:
        """Evidence [P, G], which is also written for every word."""
        writer, write = self.writer, self.writer.write
        vectors = writer.quantise_positive(pooled)
        if ("classes", "kernel") in writer.layers:
            logits = writer.multiply_layers(vectors, "tagger", "classes")
            evidence = self._add_classes(*writer.split(logits, self._tags, self._classes))
        else:
            evidence = writer.multiply_layers(vectors, "tagger")
        clipped = write("Pad", self._clip(evidence, -LIMIT, LIMIT), writer.add("no_tag", np.array([0, 0, 0, 1])))
        write("Gather", clipped, writer.read(self._places), axis=1, outputs=["context_words"])
        return evidence

    def _add_classes(self, tags: str, classes: str) -> str:
        """Evidence [P, G]: `training.models.evidence.add_classes`."""
        writer, write = self.writer, self.writer.write
        probabilities = writer.quantise_positive(write("Softmax", classes, axis=-1))
        chances = writer.multiply(probabilities, writer.read_matrix(self._names))
        credit = write("Log", write("Add", write("Mul", chances, self._number(1 / HARDLY)), self._number(1)))
        likely = self._clip(write("Mul", chances, writer.read(self._subjects)), LEAST, MOST)
        log_odds = write("Log", write("Div", likely, write("Sub", self._number(1), likely)))
        return write("Max", write("Add", tags, credit), log_odds)

    def _write_gist(self, evidence: str) -> str:
        writer, write = self.writer, self.writer.write
        vectors = writer.quantise_positive(write("Sigmoid", evidence))
        vectors = vectors._replace(lengths=write("Mul", vectors.lengths, self._number(self._units**0.5)))
        words = writer.multiply(vectors, writer.read_matrix(self._table))
        return writer.multiply(writer.quantise(words), writer.read_kernel("gist"))

    def _average(self, rows: str) -> str:
        """The means [P, D] of rows [P, N, D], as products: ONNX Runtime's ReduceMean is far slower."""
        weights = self.writer.add("mean_weights", np.full((1, self._cells), 1 / self._cells, np.float32))
        mean = self.writer.write("MatMul", weights, rows)
        return self.writer.write("Squeeze", mean, self.writer.add("axis", np.array([1])))

    def _clip(self, values: str, least: float, most: float) -> str:
        return self.writer.write("Clip", values, self._number(least), self._number(most))

    def _shape(self, *sizes: int) -> str:
        return self.writer.add("_".join(map(str, ("shape", *sizes))), np.array([-1, *sizes]))

    def _number(self, value: float) -> str:
        return self.writer.add(f"number_{np.float32(value)}", np.float32(value))

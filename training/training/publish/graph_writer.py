"""Writes the decoder's graphs anew, by hand, with the constants of those that the converter made.

Start and step are products of a few vectors, so that much of their time is not arithmetic: the converter's graphs
compute shapes, and quantise a vector for each product anew. The constants keep their names, by which
`training.fit.decoder_import` finds them.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.encoder.onnx_graphs import MAX_VALUE, RUNTIME_DOMAIN
from training.fit.decoder_import import BITS, HALF, SCALES, match_layer

MAX_BYTE = 255


class Vectors(NamedTuple):
    """Vectors in bytes, with their `unit` and their `zero`, and what their products are to be multiplied with, nothing
    if `lengths` is empty.
    """

    numbers: str
    unit: str
    zero: str
    lengths: str = ""


class Matrix(NamedTuple):
    """A matrix in bytes with a scale for each column."""

    bits: str
    scales: str


class GraphWriter:
    """Nodes and constants of a graph that is being written, from the constants of another."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._stored = {one.name: onnx.TensorProto.FromString(one.SerializeToString()) for one in graph.initializer}
        self._known: set[str] = set()
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._names = {name.removesuffix(HALF).removesuffix(BITS) for name in self._stored if SCALES not in name}
        self.layers = {match: name for name in self._names if (match := match_layer(name))}

    def has_bytes_alone(self, *matrices: str) -> bool:
        """Whether these matrices and those of all layers are in bytes, but for those of a column: small ones are not
        worth it.
        """
        kernels = [name for (layer, part), name in self.layers.items() if part == "kernel" and layer != "trust"]
        return all(f"{name}{BITS}" in self._stored for name in (*matrices, *kernels))

    def list_free(self, is_it: Callable[[str, list[int]], bool]) -> list[str]:
        """The constants of no layer of which, by name and size, it is true."""
        return [name for name in sorted(self._names - {*self.layers.values()}) if is_it(name, self.size(name))]

    def size(self, name: str) -> list[int]:
        """The size of a constant of the other graph."""
        return next([*self._stored[one].dims] for one in (name, name + HALF, name + BITS) if one in self._stored)

    def write(
        self, kind: str, *inputs: str, outputs: Sequence[str] = (), domain: str = "", **attributes: object
    ) -> str:
        """A node; the name of its first output."""
        names = outputs or (f"{kind}_{len(self._nodes)}",)
        self._nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names[0]

    def split(self, vectors: str, *sizes: int, axis: int = -1, outputs: Sequence[str] = ()) -> tuple[str, ...]:
        """Parts of vectors, of these sizes."""
        names = tuple(outputs) or tuple(f"Split_{len(self._nodes)}_{part}" for part in range(len(sizes)))
        lengths = self.add("_".join(map(str, ("sizes", *sizes))), np.array(sizes))
        self.write("Split", vectors, lengths, axis=axis, outputs=names)
        return names

    def join(self, *names: str, axis: int = 0) -> str:
        """Tensors one after the other."""
        return names[0] if len(names) == 1 else self.write("Concat", *names, axis=axis)

    def add(self, name: str, value: npt.ArrayLike) -> str:
        """A constant that the other graph lacks."""
        if name not in self._known:
            self._known.add(name)
            self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def read(self, name: str) -> str:
        """A constant of the other graph, in float32 if it is stored as float16."""
        if name not in self._known:
            self._known.add(name)
            half = f"{name}{HALF}" in self._stored
            self._constants.append(self._stored[f"{name}{HALF}" if half else name])
            if half:
                self.write("Cast", f"{name}{HALF}", outputs=(name,), to=TensorProto.FLOAT)
        return name

    def read_matrix(self, name: str) -> Matrix:
        """A matrix of the other graph."""
        return Matrix(self.read(f"{name}{BITS}"), self.read(f"{name}{SCALES}"))

    def read_kernel(self, layer: str) -> Matrix:
        """The matrix of a dense layer."""
        return self.read_matrix(self.layers[layer, "kernel"])

    def read_bias(self, layer: str) -> str:
        """The bias of a dense layer."""
        if name := self.layers.get((layer, "bias")):
            return self.read(name)
        return self.add(f"{layer}_no_bias", np.zeros(self.size(self.layers[layer, "kernel"])[1], np.float32))

    def quantise(self, vectors: str) -> Vectors:
        """Vectors in bytes, each by its own largest value."""
        bounded, lengths = self._bound(vectors, self.write("Abs", vectors))
        return self.quantise_bounded(bounded)._replace(lengths=lengths)

    def quantise_positive(self, vectors: str) -> Vectors:
        """Vectors in bytes, each by its own largest value, of which none is negative: one bit more of each."""
        bounded, lengths = self._bound(vectors, vectors)
        scale = self.add("unit_of_positive", np.float32(1 / MAX_BYTE)), self.add("zero_of_positive", np.uint8(0))
        return Vectors(self.write("QuantizeLinear", bounded, *scale), *scale, lengths)

    def quantise_bounded(self, vectors: str) -> Vectors:
        """Vectors in bytes that are within ±1."""
        scale = self.add("unit", np.float32(1 / MAX_VALUE)), self.add("zero", np.uint8(MAX_VALUE + 1))
        return Vectors(self.write("QuantizeLinear", vectors, *scale), *scale)

    def _bound(self, vectors: str, magnitudes: str) -> tuple[str, str]:
        """Vectors divided by their largest magnitudes, and these."""
        largest = self.write("ReduceMax", magnitudes, axes=[-1], keepdims=1)
        lengths = self.write("Max", largest, self.add("tiny", np.finfo(np.float32).tiny))
        return self.write("Div", vectors, lengths), lengths

    def multiply(
        self, vectors: Vectors, *matrices: Matrix, bias: Sequence[str] = (), outputs: Sequence[str] = ()
    ) -> str:
        """Products of vectors with matrices side by side, and the `bias` of each matrix added."""
        bits = self.join(*(one.bits for one in matrices), axis=1)
        scales = self.join(*(one.scales for one in matrices))
        biases = [self.join(*bias)] if bias else []
        inputs, domain = [vectors.numbers, bits, vectors.unit, scales, vectors.zero], RUNTIME_DOMAIN
        if not vectors.lengths:
            return self.write("MatMulIntegerToFloat", *inputs, "", *biases, outputs=outputs, domain=domain)
        product = self.write("MatMulIntegerToFloat", *inputs, domain=domain)
        if not biases:
            return self.write("Mul", product, vectors.lengths, outputs=outputs)
        return self.write("Add", self.write("Mul", product, vectors.lengths), *biases, outputs=outputs)

    def multiply_layers(self, vectors: Vectors, *layers: str) -> str:
        """What dense layers make of vectors, side by side."""
        kernels = map(self.read_kernel, layers)
        return self.multiply(vectors, *kernels, bias=[self.read_bias(one) for one in layers])

    def replace(self) -> None:
        """Put what was written in the place of the other graph's nodes and constants."""
        graph = self._graph
        for part, content in ((graph.node, self._nodes), (graph.initializer, self._constants), (graph.value_info, [])):
            del part[:]
            part.extend(content)

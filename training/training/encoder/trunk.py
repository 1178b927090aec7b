"""The encoder in two parts, extracted from the `encoder.onnx` that is served: the trunk, and Xception's last block.

The trunk's feature maps of a photo are computed once and cached, in an eighth of the bytes of the features, or a
quarter; the last block, a twentieth of the arithmetic, is computed each time.

Shapes: P photos, N grid cells, M = 1024 channels of the trunk's maps.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx.utils import Extractor

from photocaption.model import cpu
from photocaption.model.bundle import ENCODER
from photocaption.model.onnx_runtime import open_session
from photocaption.model.runtime import Floats
from training.encoder import onnx_graphs

TRUNK = "trunk.onnx"
LAST_BLOCK = "last_block.onnx"
FIRST_LAYER = "block14_sepconv1"
"""The first layer of Keras's Xception that belongs to the last block; the graphs' nodes are named after the layers."""

Maps = npt.NDArray[np.generic]
"""The trunk's output [P, N, M]: uint8 of an int8 encoder, float16 of another."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder from which ONNX Runtime reads files, as from a bundle."""

    path: Path

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        return (self.path / name).read_bytes()


class Trunk:
    """Everything before the last block, run on ONNX Runtime."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds `encoder.onnx`."""
        _split_encoder(folder)
        self._session = open_session(Folder(folder), TRUNK, threads=cpu.count_cores())

    def encode(self, images: npt.NDArray[np.uint8]) -> Maps:
        """Maps [P, N, M] of `images` [P, height, width, 3]."""
        (grids,) = self._session.run(None, {"images": images})
        maps: Maps = grids.reshape(*grids.shape[:2], -1).transpose(0, 2, 1)
        return maps if maps.dtype == np.uint8 else maps.astype(np.float16)


class LastBlock:
    """The last block as it serves, run on ONNX Runtime."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds `encoder.onnx`."""
        _split_encoder(folder)
        self._session = open_session(Folder(folder), LAST_BLOCK, threads=cpu.count_cores())
        (self._input,) = self._session.get_inputs()

    def encode(self, maps: Maps) -> Floats:
        """Features float32 [P, N, channels] of maps [P, N, M]."""
        photos, cells, channels = maps.shape
        side = round(cells**0.5)
        grids = maps.transpose(0, 2, 1).reshape(photos, channels, side, side)
        grids = grids if grids.dtype == np.uint8 else grids.astype(np.float32)
        features: Floats = self._session.run(["features"], {self._input.name: np.ascontiguousarray(grids)})[0]
        return features


def _split_encoder(folder: Path) -> None:
    """Write `trunk.onnx` and `last_block.onnx` beside the `encoder.onnx` of a folder, unless they are there."""
    if (folder / LAST_BLOCK).exists() and (folder / TRUNK).exists():
        return
    model = onnx.shape_inference.infer_shapes(onnx.load(folder / ENCODER))
    extractor, border = Extractor(model), _find_border(model.graph)
    onnx_graphs.save(extractor.extract_model(["images"], [border]), folder / TRUNK)
    onnx_graphs.save(extractor.extract_model([border], ["features"]), folder / LAST_BLOCK)


def _find_border(graph: onnx.GraphProto) -> str:
    """The input tensor of the last block: the uint8 one in a quantised graph."""
    first = next(node for node in graph.node if node.op_type == "Conv" and FIRST_LAYER in node.name)
    source = next(node for node in graph.node if first.input[0] in node.output)
    return str(source.input[0] if source.op_type == "DequantizeLinear" else first.input[0])

"""An untrained classifier in ONNX, instead of one of ImageNet's classes."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SIDE = 6


def write_teacher(path: Path, classes: int) -> None:
    """Write one whose logits are the mean of the photo's red from -1 to 1, times 1, 2, … for the classes."""
    weights = np.zeros((3, classes), np.float32)
    weights[0] = np.arange(1, classes + 1)
    nodes = [
        helper.make_node("GlobalAveragePool", ["photos"], ["means"]),
        helper.make_node("Flatten", ["means"], ["colours"]),
        helper.make_node("MatMul", ["colours", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "teacher",
        [helper.make_tensor_value_info("photos", TensorProto.FLOAT, ["photos", 3, _SIDE, _SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["photos", classes])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, path)

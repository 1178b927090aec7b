"""The arithmetic of the encoder: multiplications and additions of its convolutions and products, from its graph."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime


def count_flops(encoder: Path, size: int) -> float:
    """FLOPs of one photo of `size` × `size` pixels: two for each multiplication with a weight."""
    model = onnx.load(encoder)
    products = [node for node in model.graph.node if node.op_type in {"Conv", "MatMul"}]
    shapes = _output_shapes(model, [node.output[0] for node in products], size)
    weights = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    # Weight [out, in / groups, height, width]: each output value is a sum over all but the first.
    return float(
        sum(
            2 * np.prod(shapes[node.output[0]]) * np.prod(weights[node.input[1]][1:])
            for node in products
            if node.op_type == "Conv" and node.input[1] in weights
        )
    )


def _output_shapes(model: onnx.ModelProto, names: list[str], size: int) -> dict[str, tuple[int, ...]]:
    """Shapes of inner tensors, by running the graph once with them as outputs."""
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    tensors = session.run(names, {"images": np.zeros((1, size, size, 3), np.uint8)})
    return {name: tensor.shape for name, tensor in zip(names, tensors, strict=True)}

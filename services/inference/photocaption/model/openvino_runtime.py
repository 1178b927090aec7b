"""Runs a bundle's encoder on OpenVINO, which is faster than ONNX Runtime on some processors: `model.engine` says where.

It has no decoder: OpenVINO does not read `decoder_step.onnx`, and would have nothing to gain with it.
"""

import sys
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from photocaption.model.bundle import ENCODER
from photocaption.model.onnx_runtime import ModelFiles, check_names, read_model, refusal
from photocaption.model.runtime import Floats

_REPORTING = "openvino.tools"
_SETTINGS = {
    # What is not in int8 stays in float32, as in ONNX Runtime; by default it is bfloat16 where the processor has that.
    "INFERENCE_PRECISION_HINT": "f32",
    # A thread tied to a core waits while another process has it, although the next core is free.
    "ENABLE_CPU_PINNING": False,
}


class OpenVinoEncoder:
    """`encoder.onnx`, compiled for one photo at a time: a pair gains nothing, and a number left open costs 10 %.

    It is compiled once, for all threads, and callers take turns: here two threads are nearly twice as fast as one, and
    to compile it again for fewer cores takes half a second and 57 MB.
    """

    engine = "openvino"

    def __init__(self, files: ModelFiles, *, threads: int) -> None:
        """`threads`: cores to use. Raises BundleError, and ImportError where OpenVINO is not installed."""
        data = read_model(files, ENCODER, threads=threads)
        try:
            compiled = _compile(data, threads)
            self._request = compiled.create_infer_request()
        except ImportError:
            raise
        except Exception as error:  # OpenVINO's errors share no base class of their own
            raise refusal(files, ENCODER, "is not a model that OpenVINO can run") from error
        self._turn = Lock()
        check_names(files, ENCODER, "inputs", {name for port in compiled.inputs for name in port.names}, {"images"})
        check_names(files, ENCODER, "outputs", {name for port in compiled.outputs for name in port.names}, {"features"})

    def encode(self, images: npt.NDArray[np.uint8], *, concurrent: bool = False) -> Floats:  # noqa: ARG002
        """Features [P, cells, channels] of `images` [P, height, width, 3]."""
        return np.concatenate([self._encode(image) for image in images])

    def _encode(self, image: npt.NDArray[np.uint8]) -> Floats:
        with self._turn:
            features: Floats = self._request.infer({"images": image[None]})["features"]
        return features


def _compile(data: bytes, threads: int) -> Any:  # noqa: ANN401 (OpenVINO is optional)
    """A model that takes one photo at a time."""
    core = _import_openvino().Core()
    model = core.read_model(data)
    for port in model.inputs:
        shape = port.partial_shape
        shape[0] = 1
        model.reshape({port: shape})
    return core.compile_model(model, "CPU", {**_SETTINGS, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1})


def _import_openvino() -> Any:  # noqa: ANN401 (optional)
    """OpenVINO without its tools: to import those is reported to its maker, with a number for the user's home."""
    kept = sys.modules.get(_REPORTING)
    sys.modules.setdefault(_REPORTING, None)  # type: ignore[arg-type]  # what Python takes for: there is no such module
    try:
        import openvino
    finally:
        if kept is None:
            sys.modules.pop(_REPORTING, None)
    return openvino

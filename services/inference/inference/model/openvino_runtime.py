"""Runs a bundle's encoder on OpenVINO, which is faster than ONNX Runtime on some processors: `model.engine` says where.

It has no decoder: OpenVINO does not read `decoder_step.onnx`, and would have nothing to gain with it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.model.bundle import ENCODER
from inference.model.onnx_runtime import ModelFiles, check_names, read_model, refusal
from inference.model.runtime import Floats

_REPORTING = "openvino.tools"
_SETTINGS = {
    # What is not in int8 stays in float32, as in ONNX Runtime; by default it is bfloat16 where the processor has that.
    "INFERENCE_PRECISION_HINT": "f32",
    # A thread tied to a core waits while another process has it, although the next core is free.
    "ENABLE_CPU_PINNING": False,
}


class OpenVinoEncoder:
    """`encoder.onnx`, compiled for one photo at a time: a pair gains nothing, and a number left open costs 10 %."""

    engine = "openvino"

    def __init__(self, files: ModelFiles, *, threads: int, callers: int = 1) -> None:
        """`threads`: cores to use; `callers`: how many share them when it is crowded. Raises BundleError, and
        ImportError where OpenVINO is not installed.
        """
        data = read_model(files, ENCODER, threads=threads)
        share = max(1, threads // callers)
        try:
            compile_model = _prepare(data)
            self._alone = _Requests(compile_model(threads, 1), 1)
            self._crowded = (
                self._alone if share == threads else _Requests(compile_model(share * callers, callers), callers)
            )
        except ImportError:
            raise
        except Exception as error:  # OpenVINO's errors share no base class of their own
            raise refusal(files, ENCODER, "is not a model that OpenVINO can run") from error
        check_names(files, ENCODER, "inputs", self._alone.inputs, {"images"})
        check_names(files, ENCODER, "outputs", self._alone.outputs, {"features"})

    def encode(self, images: npt.NDArray[np.uint8], *, crowded: bool = False) -> Floats:
        """Features [P, cells, channels] of `images` [P, height, width, 3]; a crowd gets them from fewer cores."""
        requests = self._crowded if crowded else self._alone
        with requests.take() as request:
            return np.concatenate([request.infer({"images": image[None]})["features"] for image in images])


class _Requests:
    """What a compiled model is asked through: as many at the same time as it has streams, and the rest in turn."""

    def __init__(self, compiled: Any, count: int) -> None:  # noqa: ANN401 (OpenVINO is optional)
        self.inputs = {name for port in compiled.inputs for name in port.names}
        self.outputs = {name for port in compiled.outputs for name in port.names}
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(count):
            self._free.put(compiled.create_infer_request())

    @contextmanager
    def take(self) -> Iterator[Any]:
        request = self._free.get()
        try:
            yield request
        finally:
            self._free.put(request)


def _prepare(data: bytes) -> Callable[[int, int], Any]:
    """What compiles a model for so many threads in so many streams, each of which works on a photo of its own."""
    core = _import_openvino().Core()
    model = core.read_model(data)
    for port in model.inputs:
        shape = port.partial_shape
        shape[0] = 1
        model.reshape({port: shape})

    def compile_model(threads: int, streams: int) -> Any:  # noqa: ANN401 (OpenVINO is optional)
        return core.compile_model(model, "CPU", {**_SETTINGS, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": streams})

    return compile_model


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

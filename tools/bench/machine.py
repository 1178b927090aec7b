"""This machine: its processor, and its peak rate of float32 arithmetic."""

import os
import platform
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from photocaption.model.cpu import count_cores

_FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
_SIDE = 2048
_ROUNDS = 12


def describe() -> str:
    """Processor, cores, what matters of its instruction set, memory, load by others, and versions."""
    info = Path("/proc/cpuinfo").read_text()
    fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    flags = [flag for flag in _FLAGS if flag in fields.get("flags", "").split()]
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{fields.get('model name', platform.machine())}, {count_cores()} cores for this process, "
        f"{', '.join(flags)}; {gigabytes:.0f} GB of memory; load average {os.getloadavg()[0]:.1f} at the start; "
        f"Python {platform.python_version()}, ONNX Runtime {onnxruntime.__version__}, "
        f"OpenVINO {_find_version('openvino')}, NumPy {np.__version__}"
    )


def _find_version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def measure_peak(rounds: int = _ROUNDS) -> float:
    """The best rate of a float32 matrix product over some rounds, in FLOP/s: the larger of NumPy's and ONNX
    Runtime's."""
    chance = np.random.default_rng(0)
    left, right = (chance.random((_SIDE, _SIDE), dtype=np.float32) for _ in range(2))
    session = _product_session()
    best = 0.0
    for _ in range(rounds):
        for multiply in (lambda: left @ right, lambda: session.run(None, {"left": left, "right": right})):
            begun = time.perf_counter()
            multiply()
            best = max(best, 2 * _SIDE**3 / (time.perf_counter() - begun))
    return best


def _product_session() -> onnxruntime.InferenceSession:
    port = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [_SIDE, _SIDE]) for name in ("left", "right", "out")]
    graph = helper.make_graph([helper.make_node("MatMul", ["left", "right"], ["out"])], "product", port[:2], port[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = count_cores()
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

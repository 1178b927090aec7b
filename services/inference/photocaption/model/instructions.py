"""What this processor can multiply bytes with, which decides how long an encoder in int8 takes, and with which library.

The names are those of /proc/cpuinfo. Elsewhere than on Linux nothing is known but the kind of processor.
"""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

AMX = "amx_int8"
AVX512_VNNI = "avx512_vnni"
AVX_VNNI = "avx_vnni"
AVX2 = "avx2"

_BEST_FIRST = (AMX, AVX512_VNNI, AVX_VNNI, AVX2)
_CPUINFO = Path("/proc/cpuinfo")
# oneDNN's own variable, which lets another kind of processor be tried: OpenVINO heeds it, ONNX Runtime does not.
_CAP = "ONEDNN_MAX_CPU_ISA"
_CAPPED = {
    "SSE41": (),
    "AVX": (),
    "AVX2": (AVX2,),
    "AVX2_VNNI": (AVX_VNNI, AVX2),
    "AVX2_VNNI_2": (AVX_VNNI, AVX2),
    "AVX512_CORE": (AVX2,),
    "AVX512_CORE_VNNI": (AVX512_VNNI, AVX2),
    "AVX512_CORE_BF16": (AVX512_VNNI, AVX2),
    "AVX512_CORE_FP16": (AVX512_VNNI, AVX2),
}


def find_instructions(*, cpuinfo: Path = _CPUINFO) -> str:
    """The best of this processor's instructions; its kind, such as aarch64, where none is known."""
    return _find(cpuinfo, _BEST_FIRST)


def find_capped_instructions(*, cpuinfo: Path = _CPUINFO, environment: Mapping[str, str] = os.environ) -> str:
    """The best of those that oneDNN may use, and OpenVINO with it."""
    return _find(cpuinfo, _CAPPED.get(environment.get(_CAP, "").upper(), _BEST_FIRST))


def _find(cpuinfo: Path, allowed: tuple[str, ...]) -> str:
    flags = _read_flags(cpuinfo)
    return next((name for name in allowed if name in flags), platform.machine())


def _read_flags(cpuinfo: Path) -> frozenset[str]:
    """What the first core has: a process may come to run on any of them, and all are of a kind where it matters."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return next((frozenset(line.split()) for line in lines if line.startswith("flags")), frozenset())

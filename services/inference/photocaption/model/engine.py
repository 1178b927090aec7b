"""Which library encodes: ONNX Runtime, or OpenVINO on processors where it is clearly faster.

The processor's instructions decide, and not a race at the start, which would depend on what else the machine does just
then: the two round differently, so that one caption in five has other words, which are no worse.
"""

import importlib.util
import logging
import os
from typing import get_args

from photocaption.errors import BundleError
from photocaption.model.instructions import AMX, find_capped_instructions
from photocaption.model.onnx_runtime import ModelFiles, OnnxEncoder
from photocaption.model.runtime import Encoder, EngineName

ENGINE_VARIABLE = "CAPTION_ENGINE"

# With AMX, OpenVINO takes half of ONNX Runtime's time. With AVX-512 VNNI it takes 14 % less time of the processor for a
# caption, and 70 MB more memory than the 300 that all of the service needs at most. With less, the two are alike. The
# figures are in docs/operations.md.
_FASTER_WITH = (AMX,)

_log = logging.getLogger(__name__)


def open_encoder(files: ModelFiles, engine: EngineName | None = None, *, threads: int, workers: int = 1) -> Encoder:
    """The encoder on the engine of that name; None takes the name that the environment gives, else `auto`.

    `auto` is OpenVINO where it is installed, faster and reads this encoder, and else ONNX Runtime. Only the one that is
    used is loaded. Raises BundleError.
    """
    name = engine or _read_environment()
    if name == "openvino" or (name == "auto" and _is_openvino_faster()):
        from photocaption.model.openvino_runtime import OpenVinoEncoder  # loaded only where it is used, to save memory

        try:
            return OpenVinoEncoder(files, threads=threads)
        except ImportError as error:
            if name == "openvino":
                raise BundleError(f"the engine openvino cannot be loaded: {error}") from error
            _log.warning("OpenVINO cannot be loaded, so that ONNX Runtime encodes: %s", error)
        except BundleError as error:
            if name == "openvino":
                raise
            _log.warning("OpenVINO does not take the encoder, so that ONNX Runtime tries: %s", error)
    return OnnxEncoder(files, threads=threads, workers=workers)


def _is_openvino_faster() -> bool:
    return find_capped_instructions() in _FASTER_WITH and importlib.util.find_spec("openvino") is not None


def _read_environment() -> EngineName:
    given = os.environ.get(ENGINE_VARIABLE) or "auto"
    for name in get_args(EngineName):
        if given == name:
            return name  # type: ignore[no-any-return]
    raise BundleError(f"{ENGINE_VARIABLE} is {given}, but should be one of {', '.join(get_args(EngineName))}")

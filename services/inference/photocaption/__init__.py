"""Turns the bytes of a photo into a caption: as a library, a command-line program and an HTTP service.

from photocaption import Captioner
Captioner.load().caption("photo.jpg").alt_text
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from photocaption.captioner import Captioner

__all__ = ["Captioner", "__version__"]

# Without it, ONNX Runtime sends telemetry from a thread that its import starts.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`Captioner`, once it is asked for: most parts of this package, such as the decoders, do without the model."""
    if name == "Captioner":
        from photocaption.captioner import Captioner

        return Captioner
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)

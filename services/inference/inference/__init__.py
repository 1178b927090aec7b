"""Turns the bytes of a photo into a caption: as a library, a command-line program and an HTTP service."""

import os

# ONNX Runtime reports its use to its maker, from a thread that its import starts, unless it is told not to before.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

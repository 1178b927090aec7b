"""A captioner whose model waits for the test, for tests of overload and draining that do not depend on times."""

import threading
from collections.abc import Sequence
from pathlib import Path

from photocaption.caption import Caption, CaptionOptions, PreparedImage
from photocaption.captioner import Captioner
from photocaption.model.bundle import load_bundle
from photocaption.model.onnx_runtime import OnnxDecoder, OnnxEncoder

_DEFAULTS = CaptionOptions()


class GatedCaptioner(Captioner):
    """The captioner of a bundle behind a gate, open at first. `batches` are the sizes that the model has begun on."""

    def __init__(self, path: Path) -> None:
        bundle = load_bundle(path)
        super().__init__(bundle, OnnxEncoder(bundle, threads=1), OnnxDecoder(bundle))
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[int] = []

    def describe(
        self, images: Sequence[PreparedImage], options: CaptionOptions = _DEFAULTS, *, concurrent: bool = False
    ) -> list[Caption]:
        """As the captioner does it, once the gate is open."""
        self.batches.append(len(images))
        assert self.gate.wait(timeout=60), "the test never opened the gate"
        return super().describe(images, options, concurrent=concurrent)

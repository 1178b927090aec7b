"""A captioner whose model stands still until the test lets it go: overload and draining without guessing at times."""

import threading
from collections.abc import Sequence
from pathlib import Path

from inference.captioner import Captioner
from inference.result import Caption, CaptionOptions, PreparedImage


class GatedCaptioner:
    """The captioner of a bundle behind a gate, open at first. `batches` are the sizes that the model has begun on."""

    def __init__(self, bundle: Path) -> None:
        self._captioner = Captioner.load(bundle, threads=1)
        self.bundle = self._captioner.bundle
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[int] = []

    def prepare(self, data: bytes) -> PreparedImage:
        """As the captioner does it."""
        return self._captioner.prepare(data)

    def describe(self, images: Sequence[PreparedImage], options: CaptionOptions = CaptionOptions()) -> list[Caption]:  # noqa: B008
        """As the captioner does it, once the gate is open."""
        self.batches.append(len(images))
        assert self.gate.wait(timeout=60), "the test never opened the gate"
        return self._captioner.describe(images, options)

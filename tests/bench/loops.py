"""The encoder alone, again and again: the most images a second that a service in front of it could give.

Each encoder has its images in a row: in turns image by image, it would find the caches full of the other's weights.
"""

import time

import numpy as np

from inference.runtime import Encoder

_IMAGES = 24
_SIDE = 299


class Loops:
    """Encoders in a loop, taking turns."""

    def __init__(self, encoders: dict[str, Encoder], side: int = _SIDE) -> None:
        self._encoders = encoders
        self._images = np.random.default_rng(0).integers(0, 256, (_IMAGES, side, side, 3), np.uint8)
        self._times: dict[str, list[float]] = {name: [] for name in encoders}
        for encoder in encoders.values():
            encoder.encode(self._images[:1])

    def measure(self) -> dict[str, float]:
        """Go through all images once more with each encoder: images a second of this time, by encoder."""
        for name, encoder in self._encoders.items():
            for image in self._images:
                begun = time.perf_counter()
                encoder.encode(image[None])
                self._times[name].append(time.perf_counter() - begun)
        return {name: _IMAGES / sum(times[-_IMAGES:]) for name, times in self._times.items()}

    @property
    def rates(self) -> dict[str, float]:
        """Images a second by encoder, from the mean, as a loop has it."""
        return {name: len(times) / sum(times) for name, times in self._times.items()}

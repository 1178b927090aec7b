"""The encoder alone in a loop: the upper bound for images a second of a service.

Each encoder gets many images in a row: alternating after each image, its weights would not be in the caches.
"""

import itertools
import time

import numpy as np

from photocaption.model.runtime import Encoder

_SECONDS = 1.5
_IMAGES = 24
_SIDE = 299


class Loops:
    """Encoders in a loop, taking turns of `seconds`."""

    def __init__(self, encoders: dict[str, Encoder], side: int = _SIDE, *, seconds: float = _SECONDS) -> None:
        self._encoders = encoders
        self._seconds = seconds
        self._images = np.random.default_rng(0).integers(0, 256, (_IMAGES, side, side, 3), np.uint8)
        self._times: dict[str, list[float]] = {name: [] for name in encoders}
        for encoder in encoders.values():
            encoder.encode(self._images[:1])

    def measure(self) -> dict[str, float]:
        """Let each encoder have another turn: images a second of this time, by encoder."""
        rates = {}
        for name, encoder in self._encoders.items():
            times = self._loop(encoder)
            self._times[name] += times
            rates[name] = len(times) / sum(times)
        return rates

    @property
    def rates(self) -> dict[str, float]:
        """Images a second by encoder, from the mean, as a loop has it."""
        return {name: len(times) / sum(times) for name, times in self._times.items()}

    def _loop(self, encoder: Encoder) -> list[float]:
        """Seconds for each image of a turn."""
        times: list[float] = []
        for image in itertools.cycle(self._images):
            begun = time.perf_counter()
            encoder.encode(image[None])
            times.append(time.perf_counter() - begun)
            if sum(times) >= self._seconds:
                break
        return times

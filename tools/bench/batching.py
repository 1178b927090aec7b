"""The time for a photo by the size of its batch: the default of `CAPTION_BATCH_SIZE` is chosen by this."""

import statistics
import time
from itertools import islice

from bench.photos import distinct, load_examples
from bench.sections import Section
from photocaption.captioner import Captioner

SIZES = (1, 2, 4, 8)


def measure_batches(captioner: Captioner, rounds: int = 5) -> dict[int, float]:
    """Milliseconds a photo, encoded and captioned, by the size of its batch, medians; the sizes take turns."""
    photos = [captioner.prepare(photo) for photo in islice(distinct(load_examples(1.0)), max(SIZES))]
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    for size in SIZES:
        captioner.describe(photos[:size])  # the first of a size claims memory
    for _ in range(rounds):
        for size, taken in times.items():
            begun = time.perf_counter()
            for first in range(0, len(photos), size):
                captioner.describe(photos[first : first + size])
            taken.append((time.perf_counter() - begun) * 1000 / len(photos))
    return {size: statistics.median(taken) for size, taken in times.items()}


def describe_batches(costs: dict[int, float]) -> Section:
    """The cost by size."""
    section = Section("Batches")
    section.say("Milliseconds a photo, encoded and captioned, when so many are captioned in one go.")
    section.tabulate(["photos in a batch", *map(str, costs)], [["ms a photo", *costs.values()]])
    return section

"""The time of the search by beam width."""

import statistics
import time
from itertools import islice

from bench.photos import distinct, load_examples
from bench.sections import Section
from photocaption.caption import CaptionOptions
from photocaption.captioner import Captioner

WIDTHS = (1, 2, 3, 4, 5, 6, 8, 10)


def measure_search(captioner: Captioner, photos: int = 8, rounds: int = 3) -> dict[int, float]:
    """Milliseconds of the search for one photo by beam width, medians; the widths take turns."""
    features = [
        captioner.encoder.encode(captioner.prepare(photo).pixels[None])
        for photo in islice(distinct(load_examples(1.0)), photos)
    ]
    times: dict[int, list[float]] = {width: [] for width in WIDTHS}
    for _ in range(rounds):
        for one in features:
            for width, taken in times.items():
                begun = time.perf_counter()
                captioner.describe_features(one, CaptionOptions(beam_width=width))
                taken.append((time.perf_counter() - begun) * 1000)
    return {width: statistics.median(taken) for width, taken in times.items()}


def describe_search(costs: dict[int, float], precision: str) -> Section:
    """The cost by width."""
    section = Section("Search", plot="search.png")
    section.say(f"One photo, features known, milliseconds of `generate`; the encoder is {precision}.")
    section.tabulate(["beam", *map(str, costs)], [["ms", *costs.values()]])
    return section

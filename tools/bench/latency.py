"""Latency of one photo: time by stage, the float32 floor, and four implementations of the same network in turns."""

import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from support.service_process import ServiceProcess

from bench import machine
from bench.arithmetic import count_flops
from bench.photos import distinct, load_examples
from bench.sections import Section
from bench.serving import STAGES, SingleClient
from bench.tutorial import TensorFlowCaptioner
from photocaption.caption import CaptionOptions, PreparedImage
from photocaption.captioner import Captioner
from photocaption.model.bundle import ENCODER
from photocaption.model.instructions import find_instructions
from training.encoder.float32_encoder import export_float32_encoder, with_float32_encoder

SERVER = "server"
TUTORIAL = "Keras `predict` per word, greedy"
GRAPHS = "TensorFlow graphs"
FLOAT32 = "ONNX float32"
INT8 = "ONNX int8"
FLOAT32_ENCODER = "float32 encoder"
INT8_ENCODER = "int8 encoder"
SEARCH = "search, right after the encoder"
Way = Callable[[PreparedImage, int], object]  # a photo, and how many words its caption has

_OPTIONS = CaptionOptions(beam_width=3)
_FASTER = 12
_SEARCH_SHARE = 0.15
_IN_A_ROW = 3  # photos that the service gets in each turn, as one client sends them: the first finds cold caches


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds by implementation, one for each turn, and what they are compared with.

    `engines`: what encodes, by way, with the best of the processor's instructions that it may use.
    """

    times: dict[str, list[float]]
    engines: dict[str, str]
    stages: dict[str, float]
    flops: float
    peak: float

    @property
    def floor(self) -> float:
        """Milliseconds that the encoder's arithmetic takes at the peak of a float32 matrix product."""
        return self.flops / self.peak * 1000

    def median(self, name: str) -> float:
        """The median of a way, in milliseconds."""
        return statistics.median(self.times[name])

    def ratio(self, slow: str, fast: str) -> float:
        """The median over turns of how many times longer one way took than the other."""
        return statistics.median(a / b for a, b in zip(self.times[slow], self.times[fast], strict=True))


def measure_latency(service: ServiceProcess, captioner: Captioner, cache: Path, rounds: int) -> Latency:
    """Server time by stage and the four ways, a photo through each of them in turn."""
    photos = [captioner.prepare(photo) for photo in islice(distinct(load_examples(1.0)), rounds)]
    words = [len(captioner.describe([photo], _OPTIONS)[0].words) for photo in photos]
    ways = _open_ways(captioner, cache)
    for way in ways.values():  # each way's first time compiles and warms up
        way(photos[0], words[0])
    peak = machine.measure_peak()
    times: dict[str, list[float]] = {name: [] for name in (SERVER, SEARCH, *ways)}
    with closing(SingleClient(service)) as client:
        client.warm_up()
        for photo, count in zip(photos, words, strict=True):
            peak = max(peak, machine.measure_peak(rounds=1))
            times[SERVER].append(statistics.median(client.caption() for _ in range(_IN_A_ROW)))
            for name, way in ways.items():
                times[name].append(_time(way, photo, count))
            times[SEARCH].append(_time_search(captioner, photo))
    stages = {stage: client.median(stage) for stage in STAGES}
    size = captioner.bundle.manifest.image.height
    return Latency(
        times,
        _name_engines(captioner, ways),
        stages,
        count_flops(export_float32_encoder(captioner.bundle, cache).path / ENCODER, size),
        peak,
    )


def _open_ways(captioner: Captioner, cache: Path) -> dict[str, Way]:
    plain = with_float32_encoder(captioner, cache)
    tensorflow = TensorFlowCaptioner(captioner.bundle, cache)
    return {
        INT8: lambda image, _: captioner.describe([image], _OPTIONS),
        FLOAT32: lambda image, _: plain.describe([image], _OPTIONS),
        INT8_ENCODER: lambda image, _: captioner.encoder.encode(image.pixels[None]),
        FLOAT32_ENCODER: lambda image, _: plain.encoder.encode(image.pixels[None]),
        GRAPHS: lambda image, words: tensorflow.search_in_graphs(image.pixels, words + 1),
        TUTORIAL: lambda image, words: tensorflow.predict_greedily(image.pixels, words),
    }


def _name_engines(captioner: Captioner, ways: Iterable[str]) -> dict[str, str]:
    ours = f"{captioner.engine}, {captioner.instructions}"
    others = {GRAPHS: "tensorflow", TUTORIAL: "tensorflow", FLOAT32: "onnxruntime", FLOAT32_ENCODER: "onnxruntime"}
    return {way: f"{others[way]}, {find_instructions()}" if way in others else ours for way in (SERVER, SEARCH, *ways)}


def _time(way: Way, photo: PreparedImage, words: int) -> float:
    """Milliseconds that a way takes for a photo with a caption of so many words."""
    begun = time.perf_counter()
    way(photo, words)
    return (time.perf_counter() - begun) * 1000


def _time_search(captioner: Captioner, photo: PreparedImage) -> float:
    """Milliseconds from a photo's features to its sentence, when they have just been made."""
    features = captioner.encoder.encode(photo.pixels[None])
    begun = time.perf_counter()
    captioner.describe_features(features, _OPTIONS)
    return (time.perf_counter() - begun) * 1000


def describe_latency(latency: Latency) -> Section:
    """Stages against the floor, the ways against each other, and the bars."""
    section = Section("One photo", plot="latency.png")
    section.say(
        f"The encoder takes {latency.flops / 1e9:.1f} GFLOP a photo; a float32 matrix product reached "
        f"{latency.peak / 1e9:.0f} GFLOP/s, the best of the run: the floor of the encoder alone is "
        f"{latency.floor:.0f} ms. Server time of `POST /caption`, 1-megapixel JPEG, beam 3, "
        f"{latency.engines[SERVER]}: {latency.median(SERVER):.0f} ms (median of {len(latency.times[SERVER])})."
    )
    section.tabulate(["stage", "ms", "of the floor"], _stage_rows(latency))
    section.say("The stage `connection` is what a client that keeps its connection waits beyond the server's time.")
    section.say(
        "The same photos, decoded already, in turns. The tutorial's way is greedy, the others search with beam 3; the "
        "two in TensorFlow take a decoder of the same sizes and as many steps as the bundle's caption has words and an "
        "end."
    )
    section.tabulate(["way", "encoded by", "ms", "times as long as int8"], _way_rows(latency))
    _hold(section, latency)
    return section


def _stage_rows(latency: Latency) -> list[list[object]]:
    return [[stage, value, f"{value / latency.floor:.0%}"] for stage, value in latency.stages.items()]


def _way_rows(latency: Latency) -> list[list[object]]:
    ways = (TUTORIAL, GRAPHS, FLOAT32, INT8, FLOAT32_ENCODER, INT8_ENCODER, SEARCH)
    return [[way, latency.engines[way], latency.median(way), f"{latency.ratio(way, INT8):.2f}"] for way in ways]


def _hold(section: Section, latency: Latency) -> None:
    share = latency.median(SERVER) / latency.floor
    section.hold("server time at most 1.0 × the float32 floor", f"{share:.2f} ×", share <= 1)
    faster = latency.ratio(TUTORIAL, SERVER)
    section.hold(f"at least {_FASTER} × faster than the tutorial's way", f"{faster:.1f} ×", faster >= _FASTER)
    for encoder in (FLOAT32_ENCODER, INT8_ENCODER):
        share = latency.ratio(SEARCH, encoder)
        section.hold(f"search at beam 3 below 15 % of the {encoder}", f"{share:.0%}", share < _SEARCH_SHARE)

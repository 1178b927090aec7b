"""The encoder on both engines, and OpenVINO as on lesser processors: in turns, each in a process of its own.

python -m bench.engines BUNDLE ENGINE THREADS    (encodes a photo for each line that it reads, and says how long)
"""

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from bench.photos import load_examples
from bench.sections import Section
from photocaption.captioner import Captioner
from photocaption.model.cpu import count_cores
from photocaption.model.instructions import AMX, AVX2, AVX512_VNNI, AVX_VNNI, find_instructions
from photocaption.model.runtime import EngineName

_ROUNDS = 40
# From the best down, with the name by which oneDNN is held to it.
_CAPS = {AMX: "", AVX512_VNNI: "AVX512_CORE_VNNI", AVX_VNNI: "AVX2_VNNI", AVX2: "AVX2"}


@dataclass(frozen=True, slots=True)
class Variant:
    """An engine on some of the processor's instructions; `cap` is what makes it do without the better ones."""

    engine: str
    instructions: str
    threads: int
    cap: str = ""


def list_variants(best: str, cores: int) -> list[Variant]:
    """What a processor whose best instructions are these can show. Nothing caps ONNX Runtime."""
    caps = list(_CAPS)
    lesser = caps[caps.index(best) :] if best in caps else []
    return [
        variant
        for threads in sorted({1, cores})
        for variant in (
            Variant("onnxruntime", best, threads),
            *(Variant("openvino", name, threads, "" if name == best else _CAPS[name]) for name in lesser),
        )
    ]


def measure_engines(bundle: Path, rounds: int = _ROUNDS) -> dict[Variant, float]:
    """Milliseconds a photo by variant, medians; those that are not installed are left out."""
    with ExitStack() as stack:
        workers: dict[Variant, subprocess.Popen[str]] = {}
        for variant in list_variants(find_instructions(), count_cores()):
            worker = stack.enter_context(_start(bundle, variant))
            if _ask(worker):  # the first photo warms it up
                workers[variant] = worker
        times: dict[Variant, list[float]] = {variant: [] for variant in workers}
        for _ in range(rounds):
            for variant, worker in workers.items():
                times[variant].append(float(_ask(worker)))
    return {variant: statistics.median(taken) for variant, taken in times.items()}


def describe_engines(costs: dict[Variant, float]) -> Section:
    """The cost by engine, instructions and threads."""
    section = Section("Engines")
    section.say(
        "The bundle's encoder, milliseconds a photo, in turns. OpenVINO is also held to the instructions of lesser "
        "processors (`ONEDNN_MAX_CPU_ISA`), as ONNX Runtime cannot be."
    )
    section.tabulate(
        ["engine", "instructions", "threads", "ms"],
        [[variant.engine, variant.instructions, variant.threads, cost] for variant, cost in costs.items()],
    )
    return section


@contextmanager
def _start(bundle: Path, variant: Variant) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bench.engines", str(bundle), variant.engine, str(variant.threads)]
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": variant.cap, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        yield worker
        if worker.stdin:
            worker.stdin.close()


def _ask(worker: "subprocess.Popen[str]") -> str:
    """How long the next photo took, in milliseconds; nothing of a worker that could not begin."""
    if worker.stdin is None or worker.stdout is None:
        return ""
    try:
        worker.stdin.write("\n")
        worker.stdin.flush()
    except BrokenPipeError:
        return ""
    return worker.stdout.readline().strip()


def _encode_on_demand(bundle: Path, engine: EngineName, threads: int) -> None:
    captioner = Captioner.load(bundle, engine=engine, threads=threads, workers=2)  # as in the service
    photos = itertools.cycle([captioner.prepare(photo).pixels[None] for photo in load_examples(1.0, count=4)])
    for _, photo in zip(sys.stdin, photos, strict=False):
        begun = time.perf_counter()
        captioner.encoder.encode(photo)
        print((time.perf_counter() - begun) * 1000, flush=True)


if __name__ == "__main__":
    _bundle, _name, _threads = sys.argv[1:]
    [_engine] = [name for name in get_args(EngineName) if name == _name]
    _encode_on_demand(Path(_bundle), _engine, int(_threads))

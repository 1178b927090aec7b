"""`python -m bench`: run all benchmarks and write docs/benchmarks.md with its plots."""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from repository import BUNDLE, ROOT

from bench import machine, plots, report, serving
from bench.batching import describe_batches, measure_batches
from bench.engines import describe_engines, measure_engines
from bench.latency import describe_latency, measure_latency
from bench.loops import Loops
from bench.search import describe_search, measure_search
from bench.sections import Section, attempt
from bench.size import measure_size
from bench.training_speed import measure_training
from photocaption.captioner import Captioner
from training.encoder.float32_encoder import with_float32_encoder

_ROUNDS = 15
_LOAD_SECONDS = 12.0
_SHARE_ROUNDS = 13
_OVERLOAD_SECONDS = 10.0
_MEMORY_SECONDS = 180.0


def main() -> int:
    """Run all parts. The exit code is 1 when a part fails; targets that are not met are only reported."""
    options = _parse()
    begun, facts = time.perf_counter(), machine.describe()
    sections = _measure(options, report.plot_folder(options.docs))
    path = report.write_report(sections, facts, (time.perf_counter() - begun) / 60, options.docs)
    for bar in (bar for section in sections for bar in section.bars):
        print(f"{'met' if bar.met else 'NOT MET':8} {bar.promise}: {bar.measured}")
    print(f"written to {path}")
    return int(any(section.failed for section in sections))


def _measure(options: argparse.Namespace, folder: Path) -> list[Section]:
    """All sections, in the document's order. Those that need an idle machine are measured first."""
    start = attempt("start", lambda: [serving.measure_start(options.bundle)])
    latency = attempt("latency", lambda: [_measure_latency(options, folder)])
    engines = attempt("engines", lambda: [describe_engines(measure_engines(options.bundle))])
    search = attempt("search", lambda: _measure_model(options, folder))
    served = attempt("load", lambda: _measure_serving(options, folder))
    training = attempt("training", lambda: [measure_training(Captioner.load(options.bundle))])
    size = attempt("size", lambda: [measure_size(ROOT)])
    return [*latency, *engines, *served, *search, *training, *start, *size]


def _measure_latency(options: argparse.Namespace, folder: Path) -> Section:
    rounds = max(3, round(_ROUNDS * options.scale))
    with serving.serve(options.bundle) as service:
        latency = measure_latency(service, Captioner.load(options.bundle), options.cache, rounds)
    plots.plot_latency(latency, folder / "latency.png")
    return describe_latency(latency)


def _measure_model(options: argparse.Namespace, folder: Path) -> list[Section]:
    """Search and batches, without a service."""
    captioner = Captioner.load(options.bundle)
    costs = measure_search(captioner)
    plots.plot_search(costs, folder / "search.png")
    searched = describe_search(costs, captioner.bundle.manifest.encoder.precision)
    return [searched, describe_batches(measure_batches(captioner))]


def _measure_serving(options: argparse.Namespace, folder: Path) -> list[Section]:
    """Load, overload and memory of one service."""
    scale = options.scale
    captioner = Captioner.load(options.bundle)
    loops = Loops({"float32": with_float32_encoder(captioner, options.cache).encoder, "int8": captioner.encoder})
    with serving.serve(options.bundle) as service:
        watch = serving.MemoryWatch(service.process.pid)
        curve = serving.measure_load(service, loops, _LOAD_SECONDS * scale)
        shares = serving.measure_shares(service, loops, max(3, round(_SHARE_ROUNDS * scale)))
        overload = serving.measure_overload(service, _OVERLOAD_SECONDS * scale)
        sent = int(service.metric("caption_batch_size_sum"))
        memory = serving.measure_memory(service, watch, sent, _MEMORY_SECONDS * scale)
    plots.plot_load(curve, loops.rates, folder / "load.png")
    plots.plot_memory(watch.samples, folder / "memory.png")
    return [serving.describe_load(curve, loops.rates, shares), overload, memory]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "training", help="ImageNet's weights")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where benchmarks.md goes")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full durations")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

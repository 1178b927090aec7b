"""What a batch run costs beyond the captioner, and what a second node brings: `make batch-speed`.

    PYTHONPATH=tools:tests python -m batch_speed [--photos 1000] [--turns 3]

All that is compared is measured in turns, on the same photos of 1 megapixel and the same two cores: the captioner alone
in a loop, in two processes; a run on this machine; a run on one node of one core, which has that core for its Ray and
the command too, and nothing else; and a run on two such nodes. Rates count from the first files on, without the start.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Barrier

import numpy as np
import pyarrow.parquet as pq
from batch_chaos.processes import Driver
from batch_chaos.scenario import open_cluster
from bench.photos import distinct, load_examples
from repository import BUNDLE

from batch.captioning import BATCH_SIZE
from batch.decoders import open_decoders
from photocaption.captioner import Captioner

MIN_OF_LOOP = 0.95
MIN_OF_NODES = 1.8

_CORES = 2
_ROWS = 100  # in a file
_STARTING = 6  # the first of so many files is left out: not all actors are at work yet


def write_photos(folder: Path, count: int) -> list[Path]:
    """An example at 1 megapixel, under many names, each with a comment of its own."""
    paths = [folder / f"{number:06}.jpg" for number in range(count)]
    for path, photo in zip(paths, distinct(load_examples(1.0, count=1)), strict=False):
        path.write_bytes(photo)
    return paths


def fit_rate(times: Sequence[float], photos: Sequence[int]) -> float:
    """Photos a second: the slope of the line through all that were done by each time. Files come in steps, so that two
    of them alone, the first and the last, would be a file off.
    """
    return float(np.polyfit(np.array(times) - times[0], np.cumsum(photos), 1)[0])


def time_loop(paths: Sequence[Path]) -> float:
    """Photos a second of the captioner in a loop, in a process for each core."""
    with multiprocessing.Manager() as manager, multiprocessing.Pool(_CORES) as pool:
        barrier = manager.Barrier(_CORES)
        return sum(pool.starmap(_loop, [(paths[core::_CORES], barrier) for core in range(_CORES)], chunksize=1))


def time_run(photos: Path, *options: str) -> float:
    """Photos a second of a run of the program. Raises RuntimeError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "captions"
        status, said = Driver(
            str(photos), f"--output={output}", f"--bundle={BUNDLE}", f"--rows-per-file={_ROWS}", *options
        ).finish()
        if status:
            raise RuntimeError(f"the run failed: {said}")
        files = sorted((path.stat().st_mtime, pq.read_metadata(path).num_rows) for path in output.glob("*.parquet"))
    times, rows = zip(*files[len(files) // _STARTING :], strict=True)
    return fit_rate(times, rows)


def time_nodes(photos: Path, cores: Sequence[int]) -> float:
    """Photos a second of a run on as many nodes of one core as there are cores, all of it on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # what is started from here on has them alone
    try:
        with open_cluster(len(cores)) as (cluster, _):
            return time_run(photos, f"--address={cluster.address}")
    finally:
        os.sched_setaffinity(0, before)


def main() -> int:
    """Print the rates of each turn, and the medians' ratios; 1 when one of them is too low."""
    parser = argparse.ArgumentParser(prog="python -m batch_speed", description=__doc__)
    parser.add_argument("--photos", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--turns", type=int, default=3, help="how often (default: 3)")
    options = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    cores = sorted(os.sched_getaffinity(0))[:_CORES]
    if len(cores) < _CORES:
        print(f"needs {_CORES} cores", file=sys.stderr)
        return 2
    os.sched_setaffinity(0, cores)
    rates: dict[str, list[float]] = {"loop": [], "run": [], "one node": [], "two nodes": []}
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder)
        paths = write_photos(photos, options.photos)
        for _ in range(options.turns):
            rates["loop"].append(time_loop(paths))
            rates["run"].append(time_run(photos))
            rates["one node"].append(time_nodes(photos, cores[:1]))
            rates["two nodes"].append(time_nodes(photos, cores))
            print(", ".join(f"{name} {values[-1]:.1f}/s" for name, values in rates.items()), flush=True)
    middle = {name: statistics.median(values) for name, values in rates.items()}
    of_loop, of_nodes = middle["run"] / middle["loop"], middle["two nodes"] / middle["one node"]
    print(f"a run: {of_loop:.1%} of the loop; two nodes: {of_nodes:.2f} of one", flush=True)
    return int(of_loop < MIN_OF_LOOP or of_nodes < MIN_OF_NODES)


def _loop(paths: Sequence[Path], barrier: Barrier) -> float:
    with open_decoders(1) as decoders:
        captioner = Captioner.load(BUNDLE, threads=1, decode=decoders.decode)
        _describe(captioner, paths[:BATCH_SIZE])
        barrier.wait()
        begun = time.perf_counter()
        for first in range(0, len(paths), BATCH_SIZE):
            _describe(captioner, paths[first : first + BATCH_SIZE])
        return len(paths) / (time.perf_counter() - begun)


def _describe(captioner: Captioner, paths: Sequence[Path]) -> None:
    captioner.describe([captioner.prepare(path.read_bytes()) for path in paths])


if __name__ == "__main__":
    sys.exit(main())

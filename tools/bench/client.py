"""The clients, as a process of their own: `python -m bench.client` keeps so many requests under way for some seconds,
each on a connection that is kept, and prints what came back as JSON."""

import argparse
import asyncio
import collections
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
from repository import ROOT
from support.light_http import LightClient

from bench.photos import distinct, load_examples

_SETTLING = 0.25


@dataclass(frozen=True, slots=True)
class Load:
    """What some concurrent clients saw: answers by status, and of those with a caption the latencies in seconds.

    `throughput`: captions a second while all clients were there, without the first quarter of that time, in which
    photos are decoded ahead; once the first clients leave, the last photos no longer keep all cores busy.
    """

    clients: int
    throughput: float
    statuses: dict[int, int]
    latencies: tuple[float, ...]
    unframed: int

    @property
    def errors(self) -> int:
        """Requests that got no caption."""
        return sum(count for status, count in self.statuses.items() if status != 200)

    def percentile(self, share: float) -> float:
        """The latency that so many percent stay below, in milliseconds."""
        return float(np.percentile(self.latencies, share)) * 1000 if self.latencies else float("nan")


def run_clients(
    port: int, clients: int, seconds: float, *, megapixels: float = 1.0, seed: int = 0, path: str = "/caption"
) -> Load:
    """Run the clients, which post photos of so many megapixels to `path`, in a process of their own."""
    arguments = map(str, (port, clients, seconds, megapixels, seed, path))
    command = [sys.executable, "-m", "bench.client", *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tools"), str(ROOT / "tests"), *sys.path])}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    results = json.loads(done.stdout)
    statuses = {int(status): count for status, count in results["statuses"].items()}
    return Load(clients, results["throughput"], statuses, tuple(results["latencies"]), results["unframed"])


async def _send_all(options: argparse.Namespace) -> dict[str, object]:
    statuses: collections.Counter[int] = collections.Counter()
    latencies: list[float] = []
    unframed = steady = 0
    queue = distinct(load_examples(options.megapixels), options.seed)
    begun = time.perf_counter()
    settled, end = begun + _SETTLING * options.seconds, begun + options.seconds

    async def work() -> None:
        nonlocal unframed, steady
        client = LightClient(options.port, options.path)
        while time.perf_counter() < end:
            photo = next(queue)
            sent = time.perf_counter()
            try:
                status, headers = await client.post_photo(photo)
            except (OSError, EOFError):
                status, headers = 0, {}
            statuses[status] += 1
            if status == 200:
                answered = time.perf_counter()
                latencies.append(answered - sent)
                steady += settled <= answered < end
            elif status == 429:
                framed = "retry-after" in headers and "problem+json" in headers.get("content-type", "")
                unframed += not framed
                await asyncio.sleep(0.2)
        client.close()

    await asyncio.gather(*(work() for _ in range(options.clients)))
    return {
        "throughput": steady / (end - settled),
        "statuses": statuses,
        "latencies": latencies,
        "unframed": unframed,
    }


def main() -> None:
    """Send, and print what came back."""
    parser = argparse.ArgumentParser()
    for name, kind in {
        "port": int, "clients": int, "seconds": float, "megapixels": float, "seed": int, "path": str,
    }.items():  # fmt: skip
        parser.add_argument(name, type=kind)
    print(json.dumps(asyncio.run(_send_all(parser.parse_args()))))


if __name__ == "__main__":
    main()

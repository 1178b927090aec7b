"""The capacity of a machine: the figures of docs/operations.md, from load on the service with the default bundle.

    PYTHONPATH=tools:tests python -m sizing [--seconds 10]

Photos a second, times and memory of the service with one core, two, four and so on up to all, for each number of
clients, and of the page in front of it. Each client sends a photo, waits for its caption and sends the next. It needs
an idle machine, and measures steady load; `make bench` measures the stages of a single caption.
"""

import argparse
import os
import statistics
from pathlib import Path

from bench.client import run_clients
from chaos.figures import Resources
from repository import BUNDLE
from support.frontend_process import run_frontend
from support.service_process import run_service

_CLIENTS = (1, 4, 16)
_PAGE_CLIENTS = 4
_MEGAPIXELS = 0.75  # 1,000 pixels wide


def main() -> None:
    """Print the table, a line as soon as it is measured."""
    parser = argparse.ArgumentParser(prog="python -m sizing", description="Measure photos a second, times and memory.")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each line is measured")
    options = parser.parse_args()
    print(f"load average at the start {os.getloadavg()[0]:.1f}, {options.seconds:g} s each\n")
    print("| cores | clients | photos a second | half within (ms) | 95 % within (ms) | peak memory (MB) |")
    print("|---|---|---|---|---|---|")
    cores = sorted(os.sched_getaffinity(0))
    for count in count_cores_up_to(len(cores)):
        with run_service(options.bundle, cache_size=0, threads=count) as service:
            os.sched_setaffinity(service.process.pid, cores[:count])
            for clients in _CLIENTS:
                _measure(str(count), service.port, "/caption", clients, options.seconds, service.process.pid)
    with run_service(options.bundle, cache_size=0, threads="") as service, run_frontend(service.url) as page:
        port = int(page.url.rpartition(":")[2])
        what = f"{len(cores)}, through the frontend"
        _measure(what, port, "/api/caption", _PAGE_CLIENTS, options.seconds, page.process.pid)


def count_cores_up_to(available: int) -> list[int]:
    """The powers of two below the cores that there are, and all of them."""
    return [*(2**power for power in range(available.bit_length()) if 2**power < available), available]


def _measure(what: str, port: int, path: str, clients: int, seconds: float, pid: int) -> None:
    """Print a line about the server that is process `pid`, after a second of warm-up."""
    run_clients(port, clients, 1.0, megapixels=_MEGAPIXELS, path=path)
    load = run_clients(port, clients, seconds, megapixels=_MEGAPIXELS, path=path)
    assert not load.errors, load.statuses
    times = (statistics.median(load.latencies) * 1000, load.percentile(95))
    cells = (what, clients, f"{load.throughput:.1f}", *(f"{time:.0f}" for time in times))
    print("|", *(f"{cell} |" for cell in cells), Resources.of(pid).peak_megabytes, "|", flush=True)


if __name__ == "__main__":
    main()

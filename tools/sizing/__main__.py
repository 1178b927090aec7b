"""`python -m sizing`: photos a second, times and memory for each number of cores and of clients, as a table."""

import argparse
import os
from pathlib import Path

from support.frontend_process import run_frontend
from support.service_process import ServiceProcess

from sizing.load import Figures, measure

_ROOT = Path(__file__).parents[2]
_CLIENTS = (1, 4, 16)


def main() -> None:
    """Measure the service with one core, two, four and so on up to all, then the page in front of it."""
    options = _parse()
    print(f"load average at the start {os.getloadavg()[0]:.1f}, {options.seconds:g} s each\n")
    print("| cores | clients | photos a second | half within (ms) | 95 % within (ms) | peak memory (MB) |")
    print("|---|---|---|---|---|---|")
    for cores in _counts(len(os.sched_getaffinity(0))):
        _measure_service(options, cores)
    _measure_page(options)


def _measure_service(options: argparse.Namespace, cores: int) -> None:
    with _start(options.bundle, cores) as service:
        for clients in _CLIENTS:
            figures = measure(service.port, "/caption", clients, options.seconds, service.process.pid)
            _print(str(cores), str(clients), figures)


def _measure_page(options: argparse.Namespace) -> None:
    cores = len(os.sched_getaffinity(0))
    with _start(options.bundle, cores) as service, run_frontend(service.url) as frontend:
        port = int(frontend.url.rpartition(":")[2])
        figures = measure(port, "/api/caption", 4, options.seconds, frontend.process.pid)
        _print(f"{cores}, through the frontend", "4", figures)


def _start(bundle: Path, cores: int) -> ServiceProcess:
    """A service of which every thread and child runs on the first `cores` cores."""
    service = ServiceProcess(bundle, cache_size=0, threads="")
    os.sched_setaffinity(service.process.pid, sorted(os.sched_getaffinity(0))[:cores])
    return service


def _counts(available: int) -> list[int]:
    return [*(2**power for power in range(available.bit_length()) if 2**power < available), available]


def _print(cores: str, clients: str, figures: Figures) -> None:
    cells = (cores, clients, f"{figures.rate:.1f}", f"{figures.median_ms:.0f}", f"{figures.slow_ms:.0f}")
    print("|", " | ".join((*cells, f"{figures.megabytes}")), "|", flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sizing", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=_ROOT / "artifacts" / "default")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each line is measured")
    return parser.parse_args()


if __name__ == "__main__":
    main()

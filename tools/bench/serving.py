"""The running service: start-up, server time by stage, load, overload, memory."""

import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import httpx
from chaos.figures import Resources
from support.service_process import ServiceProcess, run_service

from bench.client import Load, run_clients
from bench.loops import Loops
from bench.photos import distinct, load_examples
from bench.sections import Section
from photocaption.model.cpu import count_cores

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
HELD = (16, 64)
Shares = dict[int, dict[str, list[float]]]
STAGES = ("decode", "encode", "generate", "overhead", "connection")
_SHARE_SECONDS = 10.0
_START_SECONDS = 2.0
_MEGABYTES = 300
_GROWTH_MEGABYTES = 20
_TAIL = 1.5
_OVERLOAD_CLIENTS = 160
_STARTS = 3
_SAMPLE_SECONDS = 1.0
_LARGE_PHOTOS, _LARGE_AT_ONCE = 16, 8
_PHOTO = {"Content-Type": "image/jpeg"}


def measure_start(bundle: Path) -> Section:
    """Seconds from starting the process to `/health/ready` saying 200."""
    seconds = []
    for _ in range(_STARTS):
        begun = time.perf_counter()
        with ServiceProcess(bundle, threads=count_cores()) as service:
            service.wait_until_ready()
            seconds.append(time.perf_counter() - begun)
    median = statistics.median(seconds)
    section = Section("Start-up")
    section.say(f"From the start of the process to ready, {_STARTS} times: " + ", ".join(f"{s:.2f} s" for s in seconds))
    section.hold(f"ready within {_START_SECONDS:g} s", f"{median:.2f} s", median <= _START_SECONDS)
    return section


@contextmanager
def serve(bundle: Path) -> Iterator[ServiceProcess]:
    """A service with its defaults, on the cores that this process has."""
    with run_service(bundle, threads=count_cores(), rate_limit=0) as service:
        yield service


class SingleClient:
    """A client that sends one photo after the other on the same connection, and reads the server's own timings.

    The client's time beyond the server's total is the stage `connection`.
    """

    def __init__(self, service: ServiceProcess) -> None:
        self._client = httpx.Client(base_url=service.url, timeout=60)
        self._photos = distinct(load_examples(1.0), seed=-1)
        self.timings: list[dict[str, float]] = []

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def warm_up(self) -> None:
        """Send a photo that does not count."""
        self.caption()
        self.timings.clear()

    def caption(self) -> float:
        """Send the next photo; the server's milliseconds for it."""
        photo = next(self._photos)
        begun = time.perf_counter()
        answer = self._client.post("/caption", params={"beam_width": 3}, content=photo, headers=_PHOTO)
        waited = (time.perf_counter() - begun) * 1000
        answer.raise_for_status()
        timings: dict[str, float] = answer.json()["timings_ms"]
        timings["overhead"] = timings["total"] - sum(timings[stage] for stage in STAGES[:3])
        timings["connection"] = waited - timings["total"]
        self.timings.append(timings)
        return timings["total"]

    def median(self, stage: str) -> float:
        """The median of a stage, in milliseconds."""
        return statistics.median(timings[stage] for timings in self.timings)


def measure_load(service: ServiceProcess, loops: Loops, seconds: float) -> list[Load]:
    """The load curve; before each of its points, and after the last, the encoders' loops have a turn."""
    curve = []
    for clients in CLIENTS:
        loops.measure()
        curve.append(run_clients(service.port, clients, seconds, seed=clients))
    loops.measure()
    return curve


def measure_shares(service: ServiceProcess, loops: Loops, rounds: int, *, seconds: float = _SHARE_SECONDS) -> Shares:
    """For clients and precision, what the service reached of the encoder's loop right before and after, each turn.

    A turn is short, for the machine's speed drifts, and long enough for 64 clients to settle: their first photos are
    all decoded before captions come at the rate that they keep.
    """
    before = loops.measure()
    shares: Shares = {clients: {name: [] for name in before} for clients in HELD}
    for turn in range(1, rounds + 1):
        for clients, turns in shares.items():
            load = run_clients(service.port, clients, seconds, seed=1000 * turn + clients)
            after = loops.measure()
            for name, reached in turns.items():
                reached.append(load.throughput / statistics.mean((before[name], after[name])))
            before = after
    return shares


def describe_load(curve: list[Load], loops: dict[str, float], shares: Shares) -> Section:
    """The load curve against `loops`: images a second of an encoder alone in a loop, by precision."""
    section = Section("Load", plot="load.png")
    section.say(
        "Clients in a process of their own, on the same cores; each keeps a connection, sends 1-megapixel JPEGs of "
        "which no two have the same bytes, so that the cache of results never answers, and waits for the answer. The "
        "encoder alone in a loop, in turns with the points of the curve: "
        + ", ".join(f"{name} {rate:.1f} images/s" for name, rate in loops.items())
        + "."
    )
    section.tabulate(
        ["clients", "captions/s", "p50 ms", "p95 ms", "p99 ms", "errors"],
        [
            [load.clients, load.throughput, *(load.percentile(share) for share in (50, 95, 99)), _count_errors(load)]
            for load in curve
        ],
    )
    section.say(
        "The machine's speed changes within seconds, so that throughput was measured again between two turns of the "
        f"loops, {len(next(iter(shares[HELD[0]].values())))} times. Of the mean of the two the service reached:"
    )
    section.tabulate(
        ["clients", "encoder", "turns", "median"],
        [
            [clients, name, ", ".join(f"{share:.0%}" for share in reached), f"{statistics.median(reached):.0%}"]
            for clients, turns in shares.items()
            for name, reached in turns.items()
        ],
    )
    for load in curve:
        if load.clients in HELD:
            _hold_load(section, load, shares[load.clients])
    errors = sum(load.errors for load in curve)
    section.hold("no errors up to the queue's bound of 64", str(errors), errors == 0)
    return section


def _count_errors(load: Load) -> str:
    kinds = ", ".join(f"{count} × {status or 'none'}" for status, count in load.statuses.items() if status != 200)
    return kinds or "0"


def _hold_load(section: Section, load: Load, shares: dict[str, list[float]]) -> None:
    for name, reached in shares.items():
        share = statistics.median(reached)
        section.hold(
            f"{load.clients} clients: at least 95 % of the {name} encoder's loop", f"{share:.0%}", share >= 0.95
        )
    # Each client has one photo under way, so that this is the mean of the latencies.
    share = load.percentile(99) / 1000 * load.throughput / load.clients
    section.hold(f"{load.clients} clients: p99 below {_TAIL} × clients ÷ throughput", f"{share:.2f} ×", share < _TAIL)


def measure_overload(
    service: ServiceProcess, seconds: float, clients: int = _OVERLOAD_CLIENTS, megapixels: float = 1.0
) -> Section:
    """More clients than the queue has places."""
    load = run_clients(service.port, clients, seconds, megapixels=megapixels, seed=-2)
    refused = load.statuses.get(429, 0)
    other = {status: count for status, count in load.statuses.items() if status not in {200, 429}}
    section = Section("Overload")
    section.say(
        f"{clients} clients at a queue of 64 for {seconds:.0f} s: {load.statuses.get(200, 0)} captions "
        f"({load.throughput:.1f}/s), {refused} answers 429, {load.unframed} of them without Retry-After or "
        "problem+json."
    )
    clean = refused > 0 and not load.unframed and not other
    section.hold("clean 429s beyond the queue's bound", f"{refused} × 429, others {other or 'none'}", clean)
    return section


class MemoryWatch:
    """Samples a process's memory, in megabytes, as it works."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._begun = time.perf_counter()
        self.samples: list[tuple[float, int]] = []
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop sampling."""
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self.samples.append((time.perf_counter() - self._begun, Resources.of(self._pid).megabytes))


def measure_memory(service: ServiceProcess, watch: MemoryWatch, requests: int, seconds: float) -> Section:
    """Go on with 8 clients and see whether memory grows; then large photos."""
    before = Resources.of(service.process.pid).megabytes
    steady = run_clients(service.port, 8, seconds, seed=-3)
    after = Resources.of(service.process.pid)
    _send_large(service)
    peak = Resources.of(service.process.pid).peak_megabytes
    watch.stop()
    section = Section("Memory", plot="memory.png")
    section.say(
        f"The whole process: {after.megabytes} MB after {requests + len(steady.latencies)} requests, {before} MB "
        f"before the last {len(steady.latencies)} of them; peak {after.peak_megabytes} MB, and {peak} MB once "
        f"{_LARGE_PHOTOS} photos of 12 megapixels had come, {_LARGE_AT_ONCE} at once."
    )
    growth = after.megabytes - before
    section.hold("memory does not grow", f"{growth:+d} MB", growth < _GROWTH_MEGABYTES)
    section.hold(f"peak memory below {_MEGABYTES} MB, 12-megapixel JPEGs included", f"{peak} MB", peak < _MEGABYTES)
    return section


def _send_large(service: ServiceProcess) -> None:
    photos = list(islice(distinct(load_examples(12.0, count=2), seed=-4), _LARGE_PHOTOS))

    def send(photo: bytes) -> None:
        httpx.post(f"{service.url}/caption", content=photo, headers=_PHOTO, timeout=60).raise_for_status()

    with ThreadPoolExecutor(_LARGE_AT_ONCE) as clients:
        list(clients.map(send, photos))

"""Clients that each send a photo, wait for its caption and send the next; what they saw, and what the server took."""

import http.client
import itertools
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chaos.figures import Resources

_PHOTOS = Path(__file__).parents[2] / "services" / "frontend" / "frontend" / "static" / "examples"
_READY_SECONDS = 60.0


@dataclass(frozen=True)
class Figures:
    """Photos a second, milliseconds of the median and of the 95th percentile, and the process's peak of memory."""

    rate: float
    median_ms: float
    slow_ms: float
    megabytes: int


def measure(port: int, path: str, clients: int, seconds: float, pid: int) -> Figures:
    """Load the server that is process `pid` from `clients` clients for `seconds` seconds, after a second of warm-up."""
    _wait_until_ready(port, path)
    begin = time.monotonic() + 1
    times: list[float] = []
    threads = [
        threading.Thread(target=_send_photos, args=(port, path, seed, begin, begin + seconds, times))
        for seed in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Figures(
        rate=len(times) / seconds,
        median_ms=statistics.median(times) * 1000,
        slow_ms=statistics.quantiles(times, n=20)[-1] * 1000,
        megabytes=Resources.of(pid).peak_megabytes,
    )


def _send_photos(port: int, path: str, seed: int, begin: float, end: float, times: list[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for photo in _photos(seed):
        start = time.monotonic()
        if start >= end:
            connection.close()
            return
        assert _post(connection, path, photo) == http.HTTPStatus.OK
        if begin <= time.monotonic() <= end:
            times.append(time.monotonic() - start)


def _post(connection: http.client.HTTPConnection, path: str, photo: bytes) -> int:
    connection.request("POST", path, photo, {"Content-Type": "image/jpeg"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _wait_until_ready(port: int, path: str) -> None:
    limit = time.monotonic() + _READY_SECONDS
    photo = next(_photos(0))
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        status = _post(connection, path, photo)
        connection.close()
        if status == http.HTTPStatus.OK:
            return
        assert time.monotonic() < limit, status
        time.sleep(0.1)


def _photos(seed: int) -> Iterator[bytes]:
    """The example photos of about a thousand pixels, over and over, each client beginning with another."""
    files = sorted(path for path in _PHOTOS.glob("*.jpg") if not path.stem.endswith("-small"))
    photos = [path.read_bytes() for path in files]
    return itertools.islice(itertools.cycle(photos), seed % len(photos), None)

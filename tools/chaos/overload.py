"""Ten times as many requests as the capacity: undiminished goodput, refusals with 429, quick recovery.

The capacity is measured first, by the same client on the same machine with 8 photos at a time. The client then sends
ten times as much, each photo on a connection of its own; its processor time is printed, and goodput is not corrected
for it.
"""

import asyncio
import collections
import time
from dataclasses import dataclass, field
from pathlib import Path

from support.light_http import post_photo
from support.photos import photo_bytes
from support.service_process import ServiceProcess, run_service

from chaos.figures import Figures, Resources, Waiting

_MODEL_SECONDS = 0.1  # a model slow enough that the clients, on the same machine, are not what is measured
_FACTOR = 10
_GOODPUT = 0.9
_RECOVERY_SECONDS = 5.0
_SETTLING_SECONDS = 0.5  # until the first captions come; the goodput is measured from there on
_HANG_SECONDS = 60.0
_PHOTO = photo_bytes("red")


@dataclass
class _Tally:
    """What became of the requests beyond capacity; `without_wait` counts the 429s that name no time to wait."""

    statuses: "collections.Counter[int]" = field(default_factory=collections.Counter)
    without_wait: int = 0
    unanswered: int = 0


async def run(
    bundle: Path,
    seconds: float,
    *,
    photo: bytes = _PHOTO,
    model_seconds: float | None = _MODEL_SECONDS,
    least_goodput: float = _GOODPUT,
) -> Figures:
    """Measure the capacity, then offer ten times as much of `photo` for `seconds`.

    `model_seconds`: what the model takes in addition to its own time, None to leave it as it is; `least_goodput`: a
    share of the capacity.
    """
    figures = Figures("overload" if model_seconds else "overload of the served model")
    threads = {} if model_seconds else {"threads": ""}
    with run_service(bundle, slow=model_seconds, batch_size=1, cache_size=0, queue_size=32, **threads) as service:
        capacity = await _measure_capacity(service, photo, seconds / 2)
        waiting, client_cost = Waiting(service.process.pid), time.process_time()
        tally, goodput = await _overload(service, photo, capacity * _FACTOR, seconds)
        client_cost = time.process_time() - client_cost
        figures.values["threads waiting for a core"] = str(waiting)
        recovery = await _recover(service, photo, 8 / capacity)
        peak = Resources.of(service.process.pid).peak_megabytes
    figures.values["capacity (captions/s)"] = round(capacity, 1)
    figures.values["offered (requests/s)"] = round(capacity * _FACTOR)
    figures.values["goodput (captions/s)"] = f"{goodput:.1f}, {goodput / capacity:.0%} of capacity"
    figures.values["client's share of a core"] = f"{client_cost / seconds:.0%}"
    figures.values["recovery (s)"] = round(recovery, 2)
    figures.values["without an answer"] = tally.unanswered
    figures.count_statuses(tally.statuses)
    figures.check_memory(peak)
    figures.require(goodput >= least_goodput * capacity, f"goodput of at least {least_goodput:.0%} of capacity")
    figures.require(tally.statuses[429] > tally.statuses[200], "what is too much is refused at once")
    figures.require(tally.without_wait == 0, "every 429 has a Retry-After")
    figures.require(tally.unanswered == 0, f"every request is answered within {_HANG_SECONDS:g} seconds")
    figures.require(recovery < _RECOVERY_SECONDS, "recovery within seconds")
    return figures


async def _measure_capacity(service: ServiceProcess, photo: bytes, seconds: float) -> float:
    done = 0
    start = time.perf_counter()

    async def work() -> None:
        nonlocal done
        while time.perf_counter() < start + seconds:
            status, _ = await post_photo(service.port, photo)
            done += status == 200

    await asyncio.gather(*(work() for _ in range(8)))
    return done / (time.perf_counter() - start)


async def _overload(service: ServiceProcess, photo: bytes, rate: float, seconds: float) -> tuple[_Tally, float]:
    """What became of requests that arrive whatever is answered, and captions a second."""
    tally = _Tally()

    async def send() -> None:
        try:
            async with asyncio.timeout(_HANG_SECONDS):
                status, headers = await post_photo(service.port, photo)
        except (OSError, asyncio.IncompleteReadError):  # a timeout is the former, too
            tally.unanswered += 1
            return
        tally.statuses[status] += 1
        tally.without_wait += status == 429 and "retry-after" not in headers

    async with asyncio.TaskGroup() as group:
        start = time.perf_counter()
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
            group.create_task(send())
            if number == round(rate * _SETTLING_SECONDS):
                settled, early = time.perf_counter(), tally.statuses[200]
        goodput = (tally.statuses[200] - early) / (time.perf_counter() - settled)
    return tally, goodput


async def _recover(service: ServiceProcess, photo: bytes, usual: float) -> float:
    """Seconds until a photo is captioned within its `usual` time again."""
    start = time.perf_counter()
    while time.perf_counter() - start < 60:
        sent = time.perf_counter()
        status, _ = await post_photo(service.port, photo)
        if status == 200 and time.perf_counter() - sent < usual:
            break
        await asyncio.sleep(0.05)
    return time.perf_counter() - start

"""Hostile HTTP exchanges: each is answered or ended within its time, and afterwards the service is as before."""

import asyncio
import collections
import random
import time
from pathlib import Path

import httpx
from support.hostile_requests import Exchange, exchanges
from support.service_process import ServiceProcess, run_service

from chaos.figures import Figures, Resources

_AT_ONCE = 64
_LIMITS = {"header_seconds": 1, "body_seconds": 2, "keep_alive_seconds": 1, "cache_size": 0}
_HANG_SECONDS = 15.0
_LATE_THREADS = 5  # pools start theirs as they are needed
_GROWTH_MEGABYTES = 60
_UNANSWERED = 0


async def run(bundle: Path, count: int, chance: random.Random) -> Figures:
    """Have `count` hostile exchanges, many at once."""
    figures = Figures("hostile HTTP exchanges")
    with run_service(bundle, **_LIMITS) as service:
        before = Resources.of(service.process.pid)
        await _exchange_all(service, list(exchanges(count, chance)), figures)
        figures.require(httpx.get(f"{service.url}/health/ready").status_code == 200, "ready afterwards")
        await asyncio.sleep(2)
        after = Resources.of(service.process.pid)
    figures.values["open files, before / after"] = f"{before.files} / {after.files}"
    figures.values["threads, before / after"] = f"{before.threads} / {after.threads}"
    figures.check_memory(after.peak_megabytes)
    figures.values["memory, growth (MB)"] = after.megabytes - before.megabytes
    figures.require(after.files <= before.files + 2, "no open files are left behind")
    figures.require(after.threads <= before.threads + _LATE_THREADS, "no threads are left behind")
    figures.require(after.megabytes - before.megabytes < _GROWTH_MEGABYTES, "no growth of memory")
    return figures


async def _exchange_all(service: ServiceProcess, hostile: list[Exchange], figures: Figures) -> None:
    statuses: collections.Counter[int] = collections.Counter()
    hung = unanswered = unframed = 0
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def work(exchange: Exchange) -> None:
        nonlocal hung, unanswered, unframed
        async with at_once:
            try:
                async with asyncio.timeout(_HANG_SECONDS):
                    status, is_framed = await _exchange(service.port, exchange)
            except TimeoutError:
                hung += 1
                return
        statuses[status] += 1
        unanswered += exchange.complete and status == _UNANSWERED
        unframed += status >= 400 and not is_framed

    start = time.perf_counter()
    await asyncio.gather(*(work(exchange) for exchange in hostile))
    figures.values["exchanges"] = len(hostile)
    figures.values["seconds"] = round(time.perf_counter() - start, 1)
    figures.values["hung"] = hung
    figures.values["closed without an answer"] = statuses.pop(_UNANSWERED, 0)
    figures.count_statuses(statuses)
    figures.require(hung == 0, f"every exchange ends within {_HANG_SECONDS:g} seconds")
    figures.require(unanswered == 0, f"a complete request is answered; {unanswered} were not")
    figures.require(unframed == 0, f"every error has the form of its protocol; {unframed} had not")


async def _exchange(port: int, exchange: Exchange) -> tuple[int, bool]:
    """The status of the first answer, 0 when there was none, and whether it is an error of the form that is due."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in exchange.pieces:
            writer.write(piece)
            await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 100"):
            head = await reader.readuntil(b"\r\n\r\n")
    except (ConnectionError, asyncio.IncompleteReadError):
        return _UNANSWERED, False
    finally:
        writer.transport.abort()
    is_without_path = b" 408 " in head and b"problem+json" in head  # it came too late to tell whose errors are due
    return int(head[9:12]), exchange.error_type in head or is_without_path or b" 499 " in head

"""Hostile pictures, thousands of them: each gets a caption or a 4xx, soon, and the service keeps its memory."""

import asyncio
import collections
import os
import random
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import httpx
from support.hostile_images import make_traps, mutations
from support.service_process import ServiceProcess, run_service

from chaos.figures import Figures, Resources

CORPUS_VARIABLE = "CHAOS_CORPUS"

_AT_ONCE = 8
_SLOWEST_SECONDS = 5.0
_MEGABYTES = 600
_GROWTH_MEGABYTES = 60


def find_corpus() -> Path | None:
    """The folder of outside files that the environment names, for `make chaos` and `make test` alike."""
    named = os.environ.get(CORPUS_VARIABLE)
    return Path(named) if named else None


async def run(bundle: Path, count: int, chance: random.Random, corpus: Path | None = None) -> Figures:
    """Send `count` mutated pictures, every trap, and every file under `corpus`."""
    figures = Figures("hostile images")
    with run_service(bundle, cache_size=0) as service:
        await _send(service, make_traps().values(), figures)
        before = Resources.of(service.process.pid)
        await _send(service, chain(mutations(count, chance), _files(corpus)), figures)
        after = Resources.of(service.process.pid)
    figures.values["memory, peak / growth (MB)"] = f"{after.peak_megabytes} / {after.megabytes - before.megabytes}"
    figures.require(after.peak_megabytes < _MEGABYTES, f"peak memory below {_MEGABYTES} MB")
    figures.require(after.megabytes - before.megabytes < _GROWTH_MEGABYTES, "no growth of memory")
    return figures


async def _send(service: ServiceProcess, pictures: Iterable[bytes], figures: Figures) -> None:
    statuses: collections.Counter[int] = collections.Counter()
    slowest = 0.0
    queue = iter(pictures)

    async def work(client: httpx.AsyncClient) -> None:
        nonlocal slowest
        for picture in queue:
            start = time.perf_counter()
            response = await client.post("/caption", content=picture, headers={"Content-Type": "image/jpeg"})
            slowest = max(slowest, time.perf_counter() - start)
            statuses[response.status_code] += 1

    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        await asyncio.gather(*(work(client) for _ in range(_AT_ONCE)))
    figures.values["pictures"] = statuses.total()
    figures.values["slowest (s)"] = round(slowest, 2)
    figures.count_statuses(statuses)
    figures.require(slowest < _SLOWEST_SECONDS, f"no picture takes {_SLOWEST_SECONDS:g} seconds")


def _files(corpus: Path | None) -> Iterator[bytes]:
    for path in sorted(corpus.rglob("*")) if corpus else ():
        if path.is_file():
            yield path.read_bytes()

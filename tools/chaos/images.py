"""Thousands of hostile photos: each gets a caption or a 4xx in time, and memory does not grow."""

import asyncio
import collections
import os
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import httpx
from support.hostile_images import make_traps, mutations
from support.service_process import ServiceProcess, run_service

from chaos.figures import Figures, Resources

CORPUS_VARIABLE = "CHAOS_CORPUS"

_AT_ONCE = 8
_VERDICTS = frozenset({200, 400, 415, 422})  # captioned, empty, not a photo, damaged or too large
_HANG_SECONDS = 60.0
_SLOWEST_SECONDS = 5.0
_GROWTH_MEGABYTES = 60


@dataclass
class _Tally:
    """What became of the photos that were sent."""

    statuses: "collections.Counter[int]" = field(default_factory=collections.Counter)
    unanswered: int = 0
    slowest: float = 0.0


def find_corpus() -> Path | None:
    """The folder of outside files that the environment names, for `make chaos` and `make test` alike."""
    named = os.environ.get(CORPUS_VARIABLE)
    return Path(named) if named else None


async def run(bundle: Path, count: int, chance: random.Random, corpus: Path | None = None) -> Figures:
    """Send `count` mutated photos, every trap, and every file under `corpus`."""
    figures, tally = Figures("hostile images"), _Tally()
    with run_service(bundle, cache_size=0) as service:
        await _send(service, make_traps().values(), tally)
        before = Resources.of(service.process.pid)
        await _send(service, chain(mutations(count, chance), _files(corpus)), tally)
        after = Resources.of(service.process.pid)
    growth = after.megabytes - before.megabytes
    odd = sorted(tally.statuses.keys() - _VERDICTS)
    figures.values["photos"] = tally.statuses.total()
    figures.values["slowest (s)"] = round(tally.slowest, 2)
    figures.values["without an answer"] = tally.unanswered
    figures.count_statuses(tally.statuses)
    figures.check_memory(after.peak_megabytes)
    figures.values["memory, growth (MB)"] = growth
    figures.require(not odd, f"each photo is captioned or refused for what it is; saw {odd}")
    figures.require(tally.unanswered == 0, f"each photo is answered within {_HANG_SECONDS:g} seconds")
    figures.require(tally.slowest < _SLOWEST_SECONDS, f"no photo takes {_SLOWEST_SECONDS:g} seconds")
    figures.require(growth < _GROWTH_MEGABYTES, "no growth of memory")
    return figures


async def _send(service: ServiceProcess, photos: Iterable[bytes], tally: _Tally) -> None:
    queue = iter(photos)

    async def work(client: httpx.AsyncClient) -> None:
        for photo in queue:
            start = time.perf_counter()
            try:
                response = await client.post("/caption", content=photo, headers={"Content-Type": "image/jpeg"})
            except httpx.TransportError:
                tally.unanswered += 1
            else:
                tally.statuses[response.status_code] += 1
            tally.slowest = max(tally.slowest, time.perf_counter() - start)

    async with httpx.AsyncClient(base_url=service.url, timeout=_HANG_SECONDS) as client:
        await asyncio.gather(*(work(client) for _ in range(_AT_ONCE)))


def _files(corpus: Path | None) -> Iterator[bytes]:
    for path in sorted(corpus.rglob("*")) if corpus else ():
        if path.is_file():
            yield path.read_bytes()

"""Clients with the slowest valid photos, beside one with fast ones."""

import asyncio
import collections
import contextlib
from pathlib import Path

import httpx
from support.odd_files import jpeg_scanned_again
from support.service_process import ServiceProcess, run_service

from chaos.figures import Figures, Resources
from chaos.honest_client import PATIENCE_SECONDS, HonestClient

_SIZE = (5_400, 3_700)
_MORE_SCANS = 9  # and with those that are there as many as are read
_PHOTOS_AT_ONCE = 16
_MEDIAN_SECONDS = 0.5
_PHOTO_SECONDS = 2.0
_PROBE_SECONDS = 1.0


async def run(bundle: Path, clients: int, seconds: float) -> Figures:
    """Have so many clients send the slowest photo, and one more sixteen of it at once, again and again."""
    figures, honest = Figures("slow photos"), HonestClient()
    statuses: collections.Counter[int] = collections.Counter()
    photo = jpeg_scanned_again(_MORE_SCANS, _SIZE)
    with run_service(bundle, cache_size=0) as service:
        sending = [asyncio.create_task(_send(service, photo, statuses)) for _ in range(clients)]
        sending.append(asyncio.create_task(_send_many(service, photo, statuses)))
        await asyncio.sleep(1)
        await honest.watch(service.url, seconds, photo="/caption", probes=["/health/live", "/health/ready"])
        for task in sending:
            task.cancel()
        await asyncio.wait(sending)
        peak = Resources.of(service.process.pid).peak_megabytes
    figures.values["slow clients at once"] = clients
    figures.values["bytes of their photo"] = len(photo)
    figures.count_statuses(statuses)
    figures.check_memory(peak)
    honest.report(figures, median_photo=_MEDIAN_SECONDS, p99_photo=_PHOTO_SECONDS, p99_probe=_PROBE_SECONDS)
    return figures


async def _send(service: ServiceProcess, photo: bytes, statuses: "collections.Counter[int]") -> None:
    async with httpx.AsyncClient(base_url=service.url, timeout=PATIENCE_SECONDS) as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                response = await client.post("/caption", content=photo, headers={"Content-Type": "image/jpeg"})
                statuses[response.status_code] += 1
            await asyncio.sleep(0.01)


async def _send_many(service: ServiceProcess, photo: bytes, statuses: "collections.Counter[int]") -> None:
    files = [("image", ("photo.jpg", photo, "image/jpeg"))] * _PHOTOS_AT_ONCE
    async with httpx.AsyncClient(base_url=service.url, timeout=PATIENCE_SECONDS) as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                statuses[(await client.post("/captions", files=files)).status_code] += 1
            await asyncio.sleep(0.01)

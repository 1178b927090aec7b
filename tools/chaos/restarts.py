"""SIGTERM and SIGKILL under load: after SIGTERM no accepted request is lost; after SIGKILL the service starts again."""

import asyncio
import collections
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from support.photos import photo_bytes
from support.service_process import ServiceProcess

from chaos.figures import Figures, Resources
from photocaption.api.middleware.request_log import STOPPED

_CLIENTS = 8
_MODEL_SECONDS = 0.2  # longer than uvicorn lets answers come that it is about to cut off
_GRACE_SECONDS = 20.0
_PHOTO = photo_bytes("red")


@dataclass
class _Load:
    """The clients' results. `lost`: accepted requests without a caption after SIGTERM; refused connections do not
    count.
    """

    polite: bool = True
    statuses: "collections.Counter[int]" = field(default_factory=collections.Counter)
    lost: int = 0
    cut_by_kills: int = 0


async def run(bundle: Path, rounds: int) -> Figures:
    """Start and end the service `rounds` times, by SIGTERM and by SIGKILL in turn."""
    figures = Figures("restarts under load")
    port = _free_port()
    load = _Load()
    restarts = []
    exit_codes = []
    peaks = []
    clients = [asyncio.create_task(_send_for_ever(port, load)) for _ in range(_CLIENTS)]
    for number in range(rounds):
        load.polite = number % 2 == 0
        start = time.perf_counter()
        with ServiceProcess(bundle, slow=_MODEL_SECONDS, port=port, cache_size=0, drain_notice_seconds=0.5) as service:
            await asyncio.to_thread(service.wait_until_ready)
            restarts.append(time.perf_counter() - start)
            await asyncio.sleep(0.5)
            peaks.append(Resources.of(service.process.pid).peak_megabytes)
            if load.polite:
                service.terminate()
                exit_codes.append(await asyncio.to_thread(service.wait, _GRACE_SECONDS))
            else:
                service.process.kill()
                await asyncio.to_thread(service.wait)
                await asyncio.sleep(0.5)  # until every client has noticed, before the next round begins
    for client in clients:
        client.cancel()
    await asyncio.wait(clients)
    figures.values["rounds, SIGTERM / SIGKILL"] = f"{(rounds + 1) // 2} / {rounds // 2}"
    figures.values["slowest to be ready again (s)"] = round(max(restarts), 2)
    figures.values["lost on SIGTERM"] = load.lost
    figures.values["cut off by SIGKILL"] = load.cut_by_kills
    figures.count_statuses(load.statuses)
    figures.check_memory(max(peaks))
    figures.require(load.lost == 0, "no accepted request is lost on SIGTERM")
    figures.require(set(exit_codes) <= {0}, f"exit code 0 after SIGTERM; saw {exit_codes}")
    figures.require(load.statuses[200] > 0, "captions are given between the restarts")
    return figures


async def _send_for_ever(port: int, load: _Load) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        while True:
            try:
                response = await client.post("/caption", content=_PHOTO, headers={"Content-Type": "image/png"})
                load.statuses[response.status_code] += 1
                load.lost += load.polite and STOPPED in response.text
            except httpx.ConnectError:
                await asyncio.sleep(0.02)
            except httpx.TransportError:
                load.lost += load.polite
                load.cut_by_kills += not load.polite
            await asyncio.sleep(0.005)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port

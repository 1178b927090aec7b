"""Many clients that send or read as slowly as possible, beside an honest one."""

import asyncio
import random
from pathlib import Path

from support.raw_http import request_head
from support.service_process import run_service

from chaos.figures import Figures, Resources
from chaos.honest_client import PATIENCE_SECONDS, HonestClient

_LIMITS = {"header_seconds": 3, "body_seconds": 5, "keep_alive_seconds": 3, "cache_size": 0}
_HONEST_SECONDS = 1.0
_KINDS = (
    b"GET /model HTTP/1.1\r\nX-Slow: " + b"a" * 1000,
    request_head(10**6) + bytes(1000),
    b"POST /caption HTTP/1.1\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 1000,
    b"",
)


async def run(bundle: Path, count: int, chance: random.Random, *, honest_seconds: float = _HONEST_SECONDS) -> Figures:
    """Hold `count` slow connections at once, and measure what an honest client sees meanwhile."""
    figures, honest = Figures("slow clients"), HonestClient()
    with run_service(bundle, **_LIMITS) as service:
        slow = [
            asyncio.create_task(_drip(service.port, _KINDS[number % len(_KINDS)], chance)) for number in range(count)
        ]
        await asyncio.sleep(0.5)
        await honest.watch(service.url, 4.0, photo="/caption", probes=["/health/ready"])
        ended = await asyncio.gather(*slow)
        peak = Resources.of(service.process.pid).peak_megabytes
    figures.values["slow clients at once"] = count
    figures.values["slow ones ended"] = sum(ended)
    figures.check_memory(peak)
    honest.report(figures, p99_photo=2 * honest_seconds, p99_probe=honest_seconds, median_photo=honest_seconds)
    figures.require(all(ended), "every slow client is ended")
    return figures


async def _drip(port: int, request: bytes, chance: random.Random) -> bool:
    """Send a byte now and then; whether the service ended it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for byte in request:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(chance.uniform(0.05, 0.2))
                if reader.at_eof():
                    return True
            await reader.read()
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    finally:
        writer.transport.abort()
    return True

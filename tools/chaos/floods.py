"""Denial-of-service attacks on the API or the page, each beside an honest client.

The attackers have another address than the honest client, and another process, so that it does not wait for them. Each
holds a connection for a while, again and again.
"""

import asyncio
import contextlib
import multiprocessing
import resource
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from PIL import Image
from support.frontend_process import run_frontend
from support.odd_files import bmp_in_short_runs, jpeg_scanned_again
from support.photos import encode_photo
from support.service_process import run_service

from chaos.figures import Figures, PeakMemory, Waiting
from chaos.honest_client import HonestClient

_HOLD_SECONDS = 3.0
_WARM_UP_SECONDS = 2.0
_RECOVERY_SECONDS = 5.0
_PHOTO_SECONDS = 2.0
_QUICK_SECONDS = 0.2
_MEGABYTE = 2**20

_LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
_LARGE_ANSWER = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n"
_CHUNKED = b"POST /caption HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
_FORM = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n%b\r\n--x--\r\n'
_PAGE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Target:
    """Where attackers connect to, and the address that they come from."""

    host: str
    port: int
    source: str


class _Connection:
    """A connection from the attackers' address, with a small receive buffer."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        self._socket.bind((target.source, 0))

    async def open(self) -> None:
        await asyncio.get_running_loop().sock_connect(self._socket, (self._target.host, self._target.port))

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def read(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._socket, 65536)

    def close(self) -> None:
        self._socket.close()


Attack = Callable[[_Connection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Flood:
    """So many connections at once of each kind, to the API or the page; `files`: how many the API may have open.

    `probe_seconds`: what 99 of 100 honest probes take less than; `served`: by the bundle that `make run` serves, whose
    memory counts, too.
    """

    name: str
    attackers: tuple[tuple[int, Attack], ...]
    page: bool = False
    served: bool = False
    decode_seconds: float = 1.0
    probe_seconds: float = 1.0
    files: int = 4_096

    @property
    def port(self) -> int:
        """Where containers serve what is flooded."""
        return 8080 if self.page else 8000

    @property
    def photo(self) -> str:
        """The path that honest photos are sent to."""
        return "/api/caption" if self.page else "/caption"

    @property
    def probes(self) -> list[str]:
        """The paths that honest probes ask for."""
        return ["/", "/health"] if self.page else ["/health/live", "/health/ready"]


def _send_and_hold(*pieces: bytes, seconds: float = _HOLD_SECONDS) -> Attack:
    async def attack(connection: _Connection) -> None:
        for piece in pieces:
            await connection.send(piece)
        await asyncio.sleep(seconds)

    return attack


def _send_and_read(request: bytes) -> Attack:
    async def attack(connection: _Connection) -> None:
        sending = asyncio.create_task(connection.send(request))
        try:
            while await connection.read():
                pass
        finally:
            sending.cancel()
            await asyncio.wait([sending])

    return attack


def _send_photo(make: Callable[[], bytes]) -> Attack:
    """Send a photo to the API that is made when the first attacker needs it, because that takes long."""
    made = cache(make)

    async def attack(connection: _Connection) -> None:
        await _send_and_read(_head(len(made()), path=b"/caption") + made())(connection)

    return attack


def _trickle(start: bytes) -> Attack:
    async def attack(connection: _Connection) -> None:
        await connection.send(start)
        while True:
            await connection.send(b".")
            await asyncio.sleep(0.5)

    return attack


async def _stay_idle(connection: _Connection) -> None:
    while True:
        await connection.send(_LIVE)
        await connection.read()
        await asyncio.sleep(2)


def _head(length: int, kind: bytes = b"image/jpeg", path: bytes = b"/api/caption") -> bytes:
    lines = b"Host: a\r\nConnection: close\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (kind, length)
    return b"POST %b HTTP/1.1\r\n" % path + lines


def _form(photo: bytes) -> bytes:
    body = _FORM % photo
    return _head(len(body), b"multipart/form-data; boundary=x", b"/") + body


def _large(megabytes: int) -> bytes:
    """Bytes with the signature of a JPEG."""
    return b"\xff\xd8\xff" + bytes(megabytes * _MEGABYTE)


def _make_noise(size: tuple[int, int], format_name: str, **options: object) -> bytes:
    """A large image of noise, which takes long to decode."""
    return encode_photo(Image.effect_noise(size, 60).convert("RGB"), format_name, **options)


def _list_floods() -> Iterator[Flood]:
    slow = jpeg_scanned_again(9, (5400, 3700))
    photo = _head(len(slow), path=b"/caption") + slow
    trailers = _send_and_hold(_CHUNKED + b"5\r\nhello\r\n0\r\n", b"a:b\r\n" * 2_000_000)
    yield Flood("trailers", ((4, trailers),))
    yield Flood("unread answers", ((512, _send_and_hold(_LARGE_ANSWER * 8)),))
    yield Flood("pipelined requests", ((60, _send_and_read(_LIVE * 9_500)),))
    yield Flood("idle connections", ((512, _stay_idle),))
    yield Flood("a byte of a header", ((1_000, _send_and_hold(b"G")),))
    bursts = (1_500, _send_and_hold(b"", seconds=1))
    yield Flood(
        "bursts beside decoders that run away", (bursts, (2, _send_and_hold(photo))), decode_seconds=0.05, files=1_024
    )
    yield Flood("more slow photos than the queue holds", ((100, _send_and_read(photo)),))
    unread = _send_and_hold(_form(_large(6)) + _PAGE * 100)
    deceptive = bmp_in_short_runs(2_000, 1_900)
    yield Flood(
        "photos that only look brief", ((16, _send_and_read(_head(len(deceptive), path=b"/caption") + deceptive)),)
    )
    large = partial(_make_noise, (5_400, 3_700), "AVIF", quality=60, speed=10)
    usual = partial(_make_noise, (4_000, 3_000), "JPEG", quality=90)
    yield Flood(
        "large photos of several kinds",
        ((8, _send_and_read(photo)), (8, _send_photo(large)), (8, _send_photo(usual))),
        served=True,
    )
    many = _send_and_read(_head(20 * _MEGABYTE, path=b"/caption") + _large(20)[: 20 * _MEGABYTE])
    yield Flood("large files that are no photos", ((16, many),))
    in_json = b'{"image": "%b"}' % (b"/9j/" * (10 * _MEGABYTE))
    base64 = _send_and_read(_head(len(in_json), b"application/json", b"/caption") + in_json)
    yield Flood("large photos in JSON", ((16, base64),), served=True)
    yield Flood("page: unread forms", ((16, unread),), page=True)
    yield Flood("page: refused forms", ((16, _send_and_read(_form(_large(23)))),), page=True)
    yield Flood("page: large forms", ((8, _send_and_read(_form(_large(9)))),), page=True)
    uploads = _trickle(_head(9 * _MEGABYTE) + bytes(8 * _MEGABYTE))
    yield Flood("page: slow large uploads", ((30, uploads),), page=True)
    slow_uploads = ((100, _trickle(_head(10_000))),)
    yield Flood("page: slow uploads", slow_uploads, page=True, probe_seconds=_QUICK_SECONDS)
    yield Flood("slow uploads", ((100, _trickle(_head(10_000, path=b"/caption"))),), probe_seconds=_QUICK_SECONDS)
    photos = (60, _send_and_read(_head(len(slow)) + slow))
    forms = (16, _send_and_read(_form(slow + bytes(_MEGABYTE))))
    yield Flood("page: slow photos", (photos, forms), page=True)
    yield Flood("page: a byte of a header", ((1_010, _send_and_hold(b"G")),), page=True)


FLOODS = {flood.name: flood for flood in _list_floods()}


async def run(bundle: Path, flood: Flood, seconds: float) -> Figures:
    """Attack the API, or the page, of a new service."""
    figures = Figures(f"flood: {flood.name}")
    with contextlib.ExitStack() as stack:
        threads = "" if flood.served else 1
        service = stack.enter_context(
            run_service(bundle, threads=threads, cache_size=0, decode_seconds=flood.decode_seconds)
        )
        service.allow_files(flood.files)
        url, pid = service.url, service.process.pid
        if flood.page:
            frontend = stack.enter_context(run_frontend(service.url))
            url, pid = frontend.url, frontend.process.pid
        memory = stack.enter_context(PeakMemory(pid))
        waiting = Waiting(pid)
        await measure(figures, flood, Target("127.0.0.1", int(url.rpartition(":")[2]), "127.0.0.2"), seconds)
        figures.values["threads waiting for a core"] = str(waiting)
    figures.check_memory(memory.megabytes)
    return figures


async def measure(figures: Figures, flood: Flood, target: Target, seconds: float) -> None:
    """Flood the target for so long, and require that an honest client is served meanwhile and soon afterwards."""
    honest, url = HonestClient(), f"http://{target.host}:{target.port}"
    with _attack_from_process(flood, target):
        await asyncio.sleep(_WARM_UP_SECONDS)
        await honest.watch(url, seconds, photo=flood.photo, probes=flood.probes)
    recovery = await _recover(url, flood)
    figures.values["attackers at once"] = sum(count for count, _ in flood.attackers)
    figures.values["recovery (s)"] = round(recovery, 2)
    honest.report(figures, p99_photo=_PHOTO_SECONDS, p99_probe=flood.probe_seconds)
    figures.require(recovery < _RECOVERY_SECONDS, "recovery within seconds")


@contextlib.contextmanager
def _attack_from_process(flood: Flood, target: Target) -> Iterator[None]:
    """Run the attackers in a process of their own for the length of the block."""
    process = multiprocessing.get_context("spawn").Process(target=_attack, args=(flood.name, target))
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _attack(name: str, target: Target) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    soft_and_hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft_and_hard[1], soft_and_hard[1]))
    asyncio.run(_attack_all(FLOODS[name], target))


async def _attack_all(flood: Flood, target: Target) -> None:
    await asyncio.gather(*(_repeat(kind, target) for count, kind in flood.attackers for _ in range(count)))


async def _repeat(attack: Attack, target: Target) -> None:
    while True:
        connection = _Connection(target)
        try:
            await connection.open()
            await attack(connection)
        except OSError:
            pass
        finally:
            connection.close()
        await asyncio.sleep(0.1)


async def _recover(url: str, flood: Flood) -> float:
    """Seconds until a photo is captioned, and every probe answered, soon."""
    start = time.perf_counter()
    while time.perf_counter() - start < 60:
        honest = HonestClient()
        await honest.watch(url, 0.1, photo=flood.photo, probes=flood.probes)
        if not honest.failures and max(honest.photos) < _PHOTO_SECONDS:
            break
    return time.perf_counter() - start

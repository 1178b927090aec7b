"""HTTP/1.1 connections with time limits, against clients that send or read slowly.

uvicorn sets no time limit on a request that is arriving and no size limit on its headers. Here every phase of a
connection has a limit, kept by one timer:

    connected ──▶ headers ──▶ body ──▶ answer ──▶ (reading, where the client is slow to take it) ──▶ idle ──▶ headers …

The bytes of a request beside its body are limited too: headers and the framing of chunks; trailers are refused. A
request that is sent before the last one's answer has been read is ignored: the connection closes after that answer, and
the client repeats the request on another one (RFC 9112, section 9.3.2).

A request to upgrade the protocol, as in the first request of Java's client and `curl --http2`, is ignored, as RFC 9110,
section 7.8, allows.

When there are too many connections, one without work in progress is closed: see `_choose_to_drop`.

A connection is not closed while its client sends: bytes that arrive afterwards would reset it, and the client could
lose the answer. So after an answer that comes before the whole body, the rest is read for a short time; and after a
refusal the write side is closed first, and the read side a little later.
"""

import asyncio
import enum
from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from photocaption.api.access import name_network
from photocaption.api.middleware.response_headers import SECURITY_HEADERS
from photocaption.api.problems import (
    HEADERS_TOO_LARGE,
    MALFORMED,
    MEDIA_TYPE,
    QUEUE_FULL,
    TIMED_OUT,
    Kind,
    make_problem,
)
from photocaption.server.upgrades import requests_upgrade, write_plain_head
from photocaption.serving.settings import Settings

_READ_BYTES = 64 * 2**10
_ANSWERING_SECONDS = 10.0  # for the work on a request, beyond the deadline of a photo
_LINGER_SECONDS = 2.0  # for a client that continues to send after the answer, so that it can read it
_DROPPED_BYTES = 2**20  # that a client may send meanwhile
_BODY_A_FRAMING = 4  # bytes of a body that must come with one of chunked framing, once `max_header_bytes` are used up


class LimitedConfig(uvicorn.Config):
    """uvicorn's configuration, and the `settings` whose limits `LimitedProtocol` enforces."""

    def __init__(self, app: ASGIApp, settings: Settings, **options: Any) -> None:  # noqa: ANN401
        super().__init__(app, http=LimitedProtocol, ws="none", **options)
        self.settings = settings


class _Phase(enum.Enum):
    CONNECTED = enum.auto()
    HEADERS = enum.auto()
    BODY = enum.auto()
    ANSWER = enum.auto()
    READING = enum.auto()
    IDLE = enum.auto()
    CLOSING = enum.auto()


class _StopParsing(Exception):  # noqa: N818  # not an error
    """Raised in callbacks of the parser, so that it reads no further."""


class LimitedProtocol(HttpToolsProtocol):
    """One connection. The `on_…` methods are called by the parser, the others by the event loop and by uvicorn."""

    def __init__(self, config: uvicorn.Config, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(config, *arguments, **options)
        assert isinstance(config, LimitedConfig)
        self._limits = config.settings
        self.phase = _Phase.CONNECTED
        self.phase_began = 0.0
        self._discarding = False  # what else arrives is dropped
        self._requests_upgrade = False
        self._close_after_body = False
        self._bytes_left = config.settings.max_header_bytes  # bytes that may come beside the body
        self._timer: asyncio.TimerHandle | None = None

    @property
    def address(self) -> str | None:
        """The client's network, if it is known."""
        return name_network(self.client[0]) if self.client else None

    @property
    def is_new(self) -> bool:
        """Whether its first request has not arrived yet."""
        return self.phase is _Phase.CONNECTED

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, if need be in the place of another."""
        super().connection_made(transport)
        transport.max_size = _READ_BYTES  # type: ignore[attr-defined]
        transport.set_write_buffer_limits(high=0)  # tells us of each byte that the client does not take
        self._enter(_Phase.CONNECTED, self._limits.header_seconds)
        if len(self.connections) > self._limits.max_connections and not self._make_room():
            self._refuse(QUEUE_FULL, "The service has too many connections. Please try again a little later.")
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timer."""
        self._enter(_Phase.CLOSING, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, as long as there are not too many bytes beside the body."""
        self._bytes_left -= len(data)
        if self._discarding:
            if self._bytes_left < -_DROPPED_BYTES:
                self.transport.abort()
            return
        try:
            self._parse(data)
        except httptools.HttpParserError:
            if not self._discarding:
                self._refuse(MALFORMED, "This is not a valid HTTP/1.1 request.")
        if self._bytes_left < 0 and not self._discarding:
            self._refuse_headers() if self.phase is not _Phase.BODY else self._refuse_framing()

    def pause_writing(self) -> None:
        """The client has not taken everything that it was sent."""
        super().pause_writing()
        if self.phase in (_Phase.ANSWER, _Phase.IDLE):
            self._enter(_Phase.READING, self._limits.reading_seconds)

    def resume_writing(self) -> None:
        """The client has taken everything that it was sent."""
        super().resume_writing()
        if self.phase is _Phase.READING and self.cycle.response_complete:
            self._enter(_Phase.IDLE, self._limits.keep_alive_seconds)
        elif self.phase is _Phase.CLOSING and not self.transport.is_closing():
            self._enter(_Phase.CLOSING, _LINGER_SECONDS)

    def on_message_begin(self) -> None:
        """A request begins; one that comes before the last one's answer has been read is ignored."""
        if self.cycle is not None and (not self.cycle.response_complete or self.flow.write_paused):
            self._stop_reading()
            raise _StopParsing
        super().on_message_begin()
        if self.phase is not _Phase.CONNECTED:
            self._enter(_Phase.HEADERS, self._limits.header_seconds)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; one that comes after the body is a trailer, which is refused."""
        if self.phase is _Phase.BODY:
            self._refuse(MALFORMED, "Trailers are not accepted: send everything about the photo before it.")
            raise _StopParsing
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The application starts here, while the body is still on its way."""
        size = sum(len(name) + len(value) for name, value in self.headers) + len(self.url)
        if size > self._limits.max_header_bytes:
            self._refuse_headers()
            raise _StopParsing
        self._requests_upgrade = requests_upgrade(self.parser, self.headers)
        if self._requests_upgrade:
            return
        self._credit(size)
        self._enter(_Phase.BODY, self._limits.body_seconds)
        super().on_headers_complete()
        self.cycle.transport = _AnswerTransport(self)

    def on_body(self, body: bytes) -> None:
        """Count a piece of the body."""
        self._credit(len(body) + len(body) // _BODY_A_FRAMING)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete: the next phase is the answer, or the connection is idle."""
        if self._requests_upgrade:
            return
        super().on_message_complete()
        self._bytes_left = self._limits.max_header_bytes
        if not self.cycle.response_complete:
            self._enter(_Phase.ANSWER, self._limits.deadline_seconds + _ANSWERING_SECONDS)
        elif self._close_after_body:
            self._close()
        else:
            self._enter(_Phase.IDLE, self._limits.keep_alive_seconds)
        if self.flow.write_paused:
            self.pause_writing()

    def on_response_complete(self) -> None:
        """The answer is written, perhaps before the whole body came."""
        answer = self.cycle.transport
        assert isinstance(answer, _AnswerTransport)
        answer.flush()
        self.cycle.body = bytearray()  # the rest is not read, and the connection would keep it
        if self.phase is _Phase.CLOSING:
            return
        super().on_response_complete()
        self._unset_keepalive_if_required()  # ours is the timer
        if self.phase is _Phase.BODY:
            self._enter(_Phase.BODY, _LINGER_SECONDS)
        elif not self.flow.write_paused:
            self._enter(_Phase.IDLE, self._limits.keep_alive_seconds)

    def shutdown(self) -> None:
        """Close after the request in progress."""
        if self.cycle is not None and self.cycle.response_complete:
            self.close_after_body()
        else:
            super().shutdown()

    def close_after_body(self) -> None:
        """Close now, or when the client has sent the rest of its body."""
        if self.phase is _Phase.BODY:
            self._close_after_body = True
        else:
            self._close()

    def _parse(self, data: bytes) -> None:
        """Feed the parser. Where an upgrade stops it, a new one reads the headers without it, and the rest."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            rest = data[stop.args[0] :]
            if self._requests_upgrade:
                head = write_plain_head(self.parser, self.url, self.headers)
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
                self._parse(head + rest)
            elif rest:  # CONNECT
                self._stop_reading()

    def _enter(self, phase: _Phase, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.phase = phase
        self.phase_began = self.loop.time()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        limits = self._limits
        if self.phase is _Phase.IDLE:
            self.transport.close()
        elif self.phase in (_Phase.ANSWER, _Phase.READING, _Phase.CLOSING):
            self.transport.abort()
        elif self.phase is _Phase.BODY:
            self._refuse(TIMED_OUT, f"The request's body did not arrive within {limits.body_seconds:g} seconds.")
        else:
            self._refuse(TIMED_OUT, f"The request's headers did not arrive within {limits.header_seconds:g} seconds.")

    def _credit(self, count: int) -> None:
        self._bytes_left = min(self._limits.max_header_bytes, self._bytes_left + count)

    def _make_room(self) -> bool:
        """Close another connection; False when all have work in progress."""
        dropped = _choose_to_drop(other for other in self.connections if isinstance(other, LimitedProtocol))
        if dropped is None or dropped is self:
            return False
        dropped.transport.abort()
        return True

    def _stop_reading(self) -> None:
        """Close after the answer that is under way."""
        self._discarding = True
        self.cycle.keep_alive = False
        if self.cycle.response_complete:
            self._close()

    def _close(self) -> None:
        """Close; if the client may still be sending, close the write side, and the read side a little later."""
        unread = self.flow.write_paused
        self._enter(_Phase.CLOSING, self._limits.reading_seconds if unread else _LINGER_SECONDS)
        if not self._discarding:
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.write_eof()

    def _refuse_headers(self) -> None:
        self._refuse(HEADERS_TOO_LARGE, f"The request's headers are larger than {self._limits.max_header_bytes} bytes.")

    def _refuse_framing(self) -> None:
        self._refuse(MALFORMED, "The request's body comes in chunks that are too small.")

    def _refuse(self, kind: Kind, detail: str) -> None:
        """Answer without the application, unless it has begun to answer already, and close."""
        self._discarding = True
        cycle = self.cycle
        answering = cycle is not None and cycle.response_started and not cycle.response_complete
        lingering = cycle is not None and cycle.response_complete and self.phase is _Phase.BODY
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if not answering and not lingering:
            self.transport.write(_render(kind, detail))
        self._close()


class _AnswerTransport(asyncio.Transport):
    """The transport for one answer, which closes the connection where that is due.

    The head of an answer is sent together with the first piece of its body.
    """

    def __init__(self, connection: LimitedProtocol) -> None:
        super().__init__()
        self._connection = connection
        self._head: bytes | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._head is None and self._connection.cycle.response_started:
            self._head = bytes(data)
        elif not self.is_closing():  # asyncio would log each piece of an answer whose client is gone
            self._connection.transport.write(self._take_head() + data)

    def flush(self) -> None:
        """Send the head of an answer that has no body."""
        if head := self._take_head():
            self._connection.transport.write(head)

    def _take_head(self) -> bytes:
        head, self._head = self._head or b"", b""
        return head

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()

    def close(self) -> None:
        self.flush()
        self._connection.close_after_body()


def _choose_to_drop(connections: Iterable[LimitedProtocol]) -> LimitedProtocol | None:
    """Among connections without work in progress: of the address with most connections, the one that has been in its
    phase for the longest.
    """
    those = [connection for connection in connections if not connection.transport.is_closing()]
    held = Counter(connection.address for connection in those)
    candidates = (connection for connection in those if connection.phase is not _Phase.ANSWER)
    return min(candidates, key=lambda other: (-held[other.address], other.phase_began), default=None)


def _render(kind: Kind, detail: str) -> bytes:
    body = make_problem(kind, detail).model_dump_json(exclude_none=True).encode()
    fields = {
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
        **{name.lower(): value for name, value in SECURITY_HEADERS.items()},
        "connection": "close",
    }
    lines = [f"HTTP/1.1 {kind.status} {HTTPStatus(kind.status).phrase}", *(f"{a}: {b}" for a, b in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body

"""HTTP/1.1 connections that cannot be held open by sending, or reading, as slowly as one likes.

uvicorn sets no time limit on a request that is arriving and no size limit on its headers. Here every phase of a
connection has a limit, kept by one timer:

    connected ──▶ headers ──▶ body ──▶ answer ──▶ (keep-alive: uvicorn's own timer) ──▶ headers …

When there are too many connections, the one that has been sending a request for the longest makes room.

A connection is not closed on a client that is still sending: what arrives after that would reset it, and could take the
answer with it. So an answer that comes before the whole body waits for the rest of it, for a little while.
"""

import asyncio
import enum
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inference.api.problems import HEADERS_TOO_LARGE, MALFORMED, MEDIA_TYPE, QUEUE_FULL, TIMED_OUT, Kind, make_problem

_LINGER_SECONDS = 2.0  # for a client that goes on sending a body that was answered already, so that it sees the answer


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How much of everything a connection may take.

    `answer_seconds` covers the work on a request and the client's reading of the answer.
    """

    connections: int
    header_bytes: int
    header_seconds: float
    body_seconds: float
    answer_seconds: float


class LimitedConfig(uvicorn.Config):
    """uvicorn's configuration with `limits`, for `LimitedProtocol`."""

    def __init__(self, app: ASGIApp, limits: ConnectionLimits, **options: Any) -> None:  # noqa: ANN401
        super().__init__(app, http=LimitedProtocol, ws="none", **options)
        self.limits = limits


class _Phase(enum.Enum):
    IDLE = enum.auto()
    CONNECTED = enum.auto()
    HEADERS = enum.auto()
    BODY = enum.auto()
    ANSWER = enum.auto()


_SENDING = frozenset({_Phase.CONNECTED, _Phase.HEADERS, _Phase.BODY})


class LimitedProtocol(HttpToolsProtocol):
    """One connection. The `on_…` methods are called by the parser, the others by the event loop and by uvicorn."""

    def __init__(self, config: uvicorn.Config, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(config, *arguments, **options)
        assert isinstance(config, LimitedConfig)
        self._limits = config.limits
        self.phase = _Phase.IDLE
        self.phase_began = 0.0
        self._refused = False
        self._closing = False
        self._header_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the connection a place, if need be that of the slowest sender."""
        super().connection_made(transport)
        self._enter(_Phase.CONNECTED, self._limits.header_seconds)
        if len(self.connections) > self._limits.connections and not self._drop_slowest():
            self._refuse(QUEUE_FULL, "The service has too many connections. Please try again a little later.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer with the connection."""
        self._enter(_Phase.IDLE, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, as long as the headers stay within their size."""
        if self._refused:
            return
        super().data_received(data)
        if self.phase in (_Phase.CONNECTED, _Phase.HEADERS):
            self._header_bytes += len(data)
            if self._header_bytes > self._limits.header_bytes:
                self._refuse_headers()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._header_bytes = 0
        if self.phase is not _Phase.CONNECTED:
            self._enter(_Phase.HEADERS, self._limits.header_seconds)

    def on_headers_complete(self) -> None:
        """The application starts here, while the body is still on its way."""
        if self._refused:
            return
        if sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > self._limits.header_bytes:
            self._refuse_headers()
            return
        self._enter(_Phase.BODY, self._limits.body_seconds)
        super().on_headers_complete()
        self.cycle.transport = _Exit(self)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        if self._refused:
            return
        super().on_message_complete()
        if self.cycle.response_complete:
            self._enter(_Phase.IDLE, None)
            if self._closing:
                self.transport.close()
        else:
            self._enter(_Phase.ANSWER, self._limits.answer_seconds)

    def on_response_complete(self) -> None:
        """The answer is sent, perhaps before the whole body came."""
        if self.phase is _Phase.BODY:
            self._enter(_Phase.BODY, _LINGER_SECONDS)
        else:
            self._enter(_Phase.IDLE, None)
        super().on_response_complete()

    def shutdown(self) -> None:
        """Close as soon as what is under way is over."""
        if self.cycle is not None and self.cycle.response_complete:
            self.close_after_body()
        else:
            super().shutdown()

    def close_after_body(self) -> None:
        """Close now, or when the client has sent the rest of its body."""
        if self.phase is _Phase.BODY:
            self._closing = True
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's words, in its own form
        """What the parser cannot read is a problem like any other."""
        self._refuse(MALFORMED, "This is not a valid HTTP/1.1 request.")

    def _enter(self, phase: _Phase, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.phase = phase
        self.phase_began = self.loop.time()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        if self.pipeline:  # the next request waits for us, not we for it
            self._enter(self.phase, self._limits.body_seconds)
        elif self.phase is _Phase.ANSWER:
            self.transport.abort()
        elif self.phase is _Phase.BODY:
            self._refuse(TIMED_OUT, f"The request's body did not arrive within {self._limits.body_seconds:g} seconds.")
        else:
            self._refuse(
                TIMED_OUT, f"The request's headers did not arrive within {self._limits.header_seconds:g} seconds."
            )

    def _drop_slowest(self) -> bool:
        """Disconnect whoever has been sending for the longest; False when nobody else is sending."""
        others = [other for other in self.connections if isinstance(other, LimitedProtocol) and other is not self]
        sending = [other for other in others if other.phase in _SENDING]
        slowest = min(sending, key=lambda other: other.phase_began, default=None)
        if slowest is not None:
            slowest.transport.abort()
        return slowest is not None

    def _refuse_headers(self) -> None:
        self._refuse(HEADERS_TOO_LARGE, f"The request's headers are larger than {self._limits.header_bytes} bytes.")

    def _refuse(self, kind: Kind, detail: str) -> None:
        """Answer without the application, unless it has begun to answer already, and close."""
        if self._refused:
            return
        self._refused = True
        answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        lingering = self.cycle is not None and self.cycle.response_complete and self.phase is _Phase.BODY
        if not answering and not lingering:
            self.transport.write(_render(kind, detail))
        self._enter(_Phase.IDLE, None)
        self.transport.close()


class _Exit(asyncio.Transport):
    """A connection as the answer to a request sees it, which closes it when the client wants no other."""

    def __init__(self, connection: LimitedProtocol) -> None:
        super().__init__()
        self._connection = connection

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._connection.transport.write(data)

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()

    def close(self) -> None:
        self._connection.close_after_body()


def _render(kind: Kind, detail: str) -> bytes:
    body = make_problem(kind, detail).model_dump_json(exclude_none=True).encode()
    head = (
        f"HTTP/1.1 {kind.status} {HTTPStatus(kind.status).phrase}\r\n"
        f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body

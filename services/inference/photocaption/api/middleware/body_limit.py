"""Bounds how large a request's body may be, and how much memory all of them together may take.

Bytes are counted as they arrive, whatever `Content-Length` says; a declared length that is too large is refused before
the first byte is read.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photocaption.api.problems import QUEUE_FULL, TOO_LARGE, ProblemError

_SCOPE_KEY = "photocaption.held_bytes"
_RETRY_AFTER = 2


@dataclass(slots=True)
class Buffer:
    """Memory that all requests share for their bodies: `used` of `size` bytes."""

    size: int
    used: int = 0


class HeldBytes:
    """What one request holds of the shared buffer."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._count = 0

    def add(self, count: int) -> None:
        """Take `count` bytes more. Raises `ProblemError` when the buffer has no room for them."""
        if self._buffer.used + count > self._buffer.size:
            detail = "The service is busy receiving other photos. Please try again a little later."
            raise ProblemError(QUEUE_FULL, detail, retry_after=_RETRY_AFTER)
        self._buffer.used += count
        self._count += count

    def release_after(self, count: int) -> Callable[[], None]:
        """A function to call for each of `count` photos that is no longer held; the last call releases all."""
        left = count

        def release_one() -> None:
            nonlocal left
            left -= 1
            if not left:
                self.release()

        return release_one

    def release(self) -> None:
        """Return everything to the buffer; may be repeated."""
        self._buffer.used -= self._count
        self._count = 0


class BodyLimitMiddleware:
    """Raises a `ProblemError` from `receive` when the body grows beyond `max_bytes` or the shared `buffer` is full.

    JSON, in which photos grow, may have `max_json_bytes`; the photos are counted once more when they are decoded. For
    the buffer it counts twice from the start: its photos will be there in base64 and decoded.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, max_json_bytes: int, buffer: Buffer) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_json_bytes = max_json_bytes
        self._buffer = buffer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held = scope[_SCOPE_KEY] = HeldBytes(self._buffer)
        try:
            await self._app(scope, self._count(receive, held, Headers(scope=scope)), send)
        finally:
            held.release()

    def _count(self, receive: Receive, held: HeldBytes, headers: Headers) -> Receive:
        most, copies = (self._max_json_bytes, 2) if is_json(headers) else (self._max_bytes, 1)
        declared = _declared_length(headers)
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            _check(declared, most)
            message = await receive()
            count = len(message.get("body", b""))
            received += count
            _check(received, most)
            held.add(copies * count)
            return message

        return receive_counted


def held_bytes(scope: Scope) -> HeldBytes:
    """The bytes that the request of `scope` holds; to be released once its photo is decoded."""
    held = scope[_SCOPE_KEY]
    assert isinstance(held, HeldBytes)
    return held


def _check(count: int, most: int) -> None:
    if count > most:
        raise ProblemError(TOO_LARGE, f"The request is larger than {most} bytes, the most that is accepted.")


def is_json(headers: Headers) -> bool:
    """Whether a request's body is declared to be JSON."""
    return headers.get("content-type", "").lower().startswith("application/json")


def _declared_length(headers: Headers) -> int:
    declared = headers.get("content-length", "0")
    return int(declared) if declared.isascii() and declared.isdigit() else 0

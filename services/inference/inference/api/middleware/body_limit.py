"""Bounds how large a request's body may be, and how much memory all of them together may take.

Bytes are counted as they arrive, whatever `Content-Length` says; a declared length that is too large is refused before
the first byte is read.
"""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.api.problems import QUEUE_FULL, TOO_LARGE, ProblemError

_SCOPE_KEY = "inference.held_bytes"
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

    def release(self) -> None:
        """Give everything back; harmless when repeated."""
        self._buffer.used -= self._count
        self._count = 0


class BodyLimitMiddleware:
    """Raises a `ProblemError` from `receive` when the body grows beyond `max_bytes` or the shared `buffer` is full."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, buffer: Buffer) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._buffer = buffer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its `receive` counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held = scope[_SCOPE_KEY] = HeldBytes(self._buffer)
        try:
            await self._app(scope, self._count(receive, held, _declared_length(scope)), send)
        finally:
            held.release()

    def _count(self, receive: Receive, held: HeldBytes, declared: int) -> Receive:
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            self._check(declared)
            message = await receive()
            count = len(message.get("body", b""))
            received += count
            self._check(received)
            held.add(count)
            return message

        return receive_counted

    def _check(self, count: int) -> None:
        if count > self._max_bytes:
            raise ProblemError(
                TOO_LARGE, f"The request is larger than {self._max_bytes} bytes, the most that is accepted."
            )


def held_bytes(scope: Scope) -> HeldBytes:
    """What the request of `scope` holds; release it early once its photo is decoded."""
    held = scope[_SCOPE_KEY]
    assert isinstance(held, HeldBytes)
    return held


def _declared_length(scope: Scope) -> int:
    declared = Headers(scope=scope).get("content-length", "0")
    return int(declared) if declared.isascii() and declared.isdigit() else 0

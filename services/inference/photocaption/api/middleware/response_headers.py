"""Adds security headers to every answer, and `Connection: close` while the service drains.

A connection that was kept until the end could be closed just as its client sends the next request.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photocaption.serving.service import CaptionService, State

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ResponseHeadersMiddleware:
    """Adds those of `SECURITY_HEADERS` that an answer does not set itself, and `Connection: close` while draining."""

    def __init__(self, app: ASGIApp, *, service: CaptionService) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if self._service.state is State.DRAINING:
                    headers["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)

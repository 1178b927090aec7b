"""Tells clients that keep connections to let go of them while the service drains.

A connection that stayed open until the end could be closed just as its client sends the next request on it.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photocaption.serving.service import CaptionService, State


class DrainNoticeMiddleware:
    """Adds `Connection: close` to every answer given while draining."""

    def __init__(self, app: ASGIApp, *, service: CaptionService) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, with the header while the service drains."""

        async def send_with_notice(message: Message) -> None:
            if message["type"] == "http.response.start" and self._service.state is State.DRAINING:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_with_notice if scope["type"] == "http" else send)

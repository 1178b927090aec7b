"""Sends an answer in pieces, each when the client has read the one before.

What is written to a connection is buffered until its client reads it: clients that read nothing could otherwise fill
the memory with copies.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PIECE_BYTES = 64 * 2**10


class PiecesMiddleware:
    """Splits the bodies of answers into pieces of `PIECE_BYTES` at most."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_pieces(message: Message) -> None:
            body = message.get("body", b"")
            if len(body) <= PIECE_BYTES:
                await send(message)
                return
            for start in range(0, len(body), PIECE_BYTES):
                more = message.get("more_body", False) or start + PIECE_BYTES < len(body)
                await send({**message, "body": body[start : start + PIECE_BYTES], "more_body": more})

        await self._app(scope, receive, send_pieces if scope["type"] == "http" else send)

"""A client so light that a thousand requests a second leave the machine to the service that is measured."""

import asyncio
import socket

from support.raw_http import request_head

_MOST_BYTES = 65536


async def post_photo(port: int, photo: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer to a photo, on a connection of its own. Raises OSError, IncompleteReadError."""
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(connection, request_head(len(photo)) + photo)
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = await loop.sock_recv(connection, _MOST_BYTES)
            if not piece:
                raise asyncio.IncompleteReadError(answer, None)
            answer += piece
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
    status_line, *lines = head.split("\r\n")
    return int(status_line.split()[1]), dict(line.lower().split(": ", 1) for line in lines)

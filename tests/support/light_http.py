"""A client so light that a thousand requests a second leave the machine to the service that is measured."""

import asyncio

from support.raw_http import request_head


async def post_photo(port: int, photo: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer to a photo, on a connection of its own. Raises OSError, IncompleteReadError."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request_head(len(photo)) + photo)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    finally:
        writer.transport.abort()
    status_line, *lines = head.strip().split("\r\n")
    return int(status_line.split()[1]), dict(line.lower().split(": ", 1) for line in lines)

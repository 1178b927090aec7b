"""An HTTP client that takes little processor time, for measurements on the same machine."""

import asyncio
import contextlib
import socket

from support.raw_http import request_head

_MAX_BYTES = 65536


class LightClient:
    """Posts photos to `path`, on one connection for as long as the server keeps it."""

    def __init__(self, port: int, path: str = "/caption") -> None:
        self._port = port
        self._path = path
        self._connection: socket.socket | None = None

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    async def post_photo(self, photo: bytes) -> tuple[int, dict[str, str]]:
        """Status and headers of the answer, of which the rest is read and forgotten. Raises OSError,
        IncompleteReadError.
        """
        try:
            if self._connection is None:
                self._connection = await _connect(self._port)
            await asyncio.get_running_loop().sock_sendall(
                self._connection, request_head(len(photo), self._path) + photo
            )
            status, headers = await _read_answer(self._connection)
        except BaseException:
            self.close()
            raise
        if headers.get("connection") == "close":
            self.close()
        return status, headers


async def post_photo(port: int, photo: bytes) -> tuple[int, dict[str, str]]:
    """As `LightClient.post_photo`, on a connection of its own."""
    with contextlib.closing(LightClient(port)) as client:
        return await client.post_photo(photo)


async def _connect(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    except BaseException:
        connection.close()
        raise
    return connection


async def _read_answer(connection: socket.socket) -> tuple[int, dict[str, str]]:
    loop = asyncio.get_running_loop()
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += await _receive(loop, connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    missing = int(headers["content-length"]) - len(body)
    while missing > 0:
        missing -= len(await _receive(loop, connection))
    return int(status_line.split()[1]), headers


async def _receive(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> bytes:
    piece = await loop.sock_recv(connection, _MAX_BYTES)
    if not piece:
        raise asyncio.IncompleteReadError(piece, None)
    return piece

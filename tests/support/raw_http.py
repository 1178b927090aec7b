"""A client that sends raw bytes, for malformed and slow requests."""

import http.client
import io
import socket
import struct
import time
from typing import Self

PATIENCE = 20.0


class _Reader(io.BufferedReader):
    """What came in on a connection: kept between answers, for two of them may arrive in one piece."""

    def close(self) -> None:
        """The end of an answer is not the end of the connection."""

    def makefile(self, _mode: str) -> Self:
        """As a socket gives itself to be read."""
        return self


class RawConnection:
    """A TCP connection to a service on this machine, from the address `source`.

    With `reads=False` it takes next to nothing before it is read, and neither do the systems between, as across a
    network.
    """

    def __init__(self, port: int, *, source: str = "127.0.0.1", reads: bool = True) -> None:
        self._socket = socket.socket()
        if not reads:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        self._socket.settimeout(PATIENCE)
        self._socket.bind((source, 0))
        self._socket.connect(("127.0.0.1", port))
        self._reader = _Reader(socket.SocketIO(self._socket, "r"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> Self:
        """Send bytes as they are."""
        self._socket.sendall(data)
        return self

    def drip(self, data: bytes, interval: float) -> None:
        """Send a byte at a time, until the other side will not have more of it."""
        try:
            for byte in data:
                self._socket.sendall(bytes([byte]))
                time.sleep(interval)
        except OSError:
            pass

    def flood(self, data: bytes, times: int) -> int:
        """Send `data` again and again, until the other side will not have more of it; how many bytes it was sent."""
        sent = 0
        try:
            for _ in range(times):
                self._socket.sendall(data)
                sent += len(data)
        except OSError:
            pass
        return sent

    def answer(self) -> tuple[http.client.HTTPResponse, bytes]:
        """The next answer, and its body."""
        response = http.client.HTTPResponse(self._reader)  # type: ignore[arg-type]  # all it asks of a socket
        response.begin()
        return response, response.read()

    def answer_begins(self) -> None:
        """Wait for the first bytes of an answer, of which the rest is left unread."""
        self._socket.recv(1)

    def rest(self) -> bytes:
        """Everything that comes until the other side closes the connection."""
        return self._reader.read()

    def count_packets(self) -> int:
        """How many packets with data have come."""
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
        packets: int = struct.unpack_from("I", info, 152)[0]  # tcpi_data_segs_in
        return packets

    def is_closed(self) -> bool:
        """Whether the other side closes the connection; waits for it."""
        try:
            while self._socket.recv(65536):
                pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True


def request_head(length: int, path: str = "/caption", content_type: str = "image/png") -> bytes:
    """The head of a request to caption a photo of `length` bytes."""
    lines = [f"POST {path} HTTP/1.1", "Host: service", f"Content-Type: {content_type}", f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()

"""Messages between the service and the processes that decode: a few fields as JSON and a block of bytes.

On the wire: the lengths of both, as two 32-bit numbers, then both. Nothing is executed, as by pickle.
"""

import json
import socket
import struct
from typing import Any

_LENGTHS = struct.Struct("<II")


def send(connection: socket.socket, fields: dict[str, Any], content: bytes) -> None:
    """Send `fields` as JSON and `content`. Raises OSError."""
    text = json.dumps(fields).encode()
    connection.sendall(_LENGTHS.pack(len(text), len(content)) + text)
    connection.sendall(content)


def receive(connection: socket.socket) -> tuple[dict[str, Any], bytes] | None:
    """The next message, None when the other side has closed the connection. Raises OSError."""
    lengths = _read(connection, _LENGTHS.size)
    if lengths is None:
        return None
    text_size, content_size = _LENGTHS.unpack(lengths)
    text = _read(connection, text_size)
    content = _read(connection, content_size)
    if text is None or content is None:
        return None
    return json.loads(text), content


def _read(connection: socket.socket, size: int) -> bytes | None:
    """So many bytes; None where there are fewer. What one system call returns, such as a photo, is not copied."""
    content = b""
    while len(content) < size:
        more = connection.recv(size - len(content), socket.MSG_WAITALL)
        if not more:
            return None
        content = content + more if content else more
    return content

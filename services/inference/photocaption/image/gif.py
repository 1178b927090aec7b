"""Takes the first frame out of a GIF. What lies outside of it is transparent, as browsers have it. Format: GIF89a."""

import struct

from photocaption.image.stripped import StrippedFile

MAX_BLOCKS = 50_000  # before the first frame

_HEADER_SIZE = 13
_EXTENSION = 0x21
_FRAME = 0x2C
_CONTROL = b"!\xf9\x04"


def read_gif(data: bytes) -> StrippedFile:
    """The first frame of a GIF, alone, and its place on the canvas, which grows with it. Raises ValueError, IndexError
    and struct.error.
    """
    colours_end = _HEADER_SIZE + (3 * (2 << (data[10] & 7)) if data[10] & 0x80 else 0)
    control, position = _find_frame(data, colours_end)
    left, top, width, height = struct.unpack_from("<4H", data, position + 1)
    screen_width, screen_height = struct.unpack_from("<2H", data, 6)
    canvas = max(screen_width, left + width), max(screen_height, top + height), left, top
    head = data[:6] + struct.pack("<2H", width, height) + data[10:11] + b"\0\0" + data[_HEADER_SIZE:colours_end]
    frame = b"," + struct.pack("<4H", 0, 0, width, height) + data[position + 9 :]
    return StrippedFile(head + control + frame, canvas=canvas)


def _find_frame(data: bytes, position: int) -> tuple[bytes, int]:
    """The last graphic control extension before the first frame, if there is one, and where the frame begins."""
    control = b""
    extension: int | None = None  # where the one begins that we are in
    for _ in range(MAX_BLOCKS):
        byte = data[position]
        if extension is not None:
            position += 1 + byte
            if not byte:
                control = data[extension:position] if data.startswith(_CONTROL, extension) else control
                extension = None
        elif byte == _FRAME:
            return control, position
        elif byte == _EXTENSION:
            extension = position
            position += 2
        else:
            position += 1
    raise ValueError("too many blocks")

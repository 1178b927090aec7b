"""Takes the first frame out of a GIF. What lies outside of it is transparent, as browsers have it. Format: GIF89a."""

import struct

from photocaption.image.stripped import StrippedFile

_HEADER_SIZE = 13
_EXTENSION = 0x21
_FRAME = 0x2C
_CONTROL = b"!\xf9\x04"


def read_gif(data: bytes) -> StrippedFile:
    """The first frame of a GIF, alone, and its place on the canvas, which grows with it. Raises ValueError."""
    position = _skip_colours(data, 10, _HEADER_SIZE)
    colours = data[_HEADER_SIZE:position]
    control = b""
    while data[position] != _FRAME:
        end = position + 1
        if data[position] == _EXTENSION:
            end = _skip_blocks(data, position + 2)
            control = data[position:end] if data.startswith(_CONTROL, position) else control
        position = end
    left, top, width, height = struct.unpack_from("<4H", data, position + 1)
    screen_width, screen_height = struct.unpack_from("<2H", data, 6)
    canvas = max(screen_width, left + width), max(screen_height, top + height), left, top
    head = data[:6] + struct.pack("<2H", width, height) + data[10:11] + b"\0\0" + colours
    frame = b"," + struct.pack("<4H", 0, 0, width, height) + data[position + 9 :]
    return StrippedFile(head + control + frame, canvas=canvas)


def _skip_colours(data: bytes, flags: int, position: int) -> int:
    """The end of the table of colours that the flags at an offset may announce."""
    return position + (3 * (2 << (data[flags] & 7)) if data[flags] & 0x80 else 0)


def _skip_blocks(data: bytes, position: int) -> int:
    while data[position]:
        position += 1 + data[position]
    return position + 1

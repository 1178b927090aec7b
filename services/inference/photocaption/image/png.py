"""Reduces a PNG to what its pixels need, and reads orientation and colour profile.

Chunks that are not needed may be damaged, as in libpng, which warns and goes on. Format: PNG, third edition.
"""

import struct
import zlib
from collections.abc import Iterator

from photocaption.image.exif import read_orientation
from photocaption.image.stripped import StrippedFile

MAX_PROFILE_BYTES = 4 * 2**20
MAX_CHUNKS = 50_000

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_OVERHEAD = 12
_CRITICAL = frozenset({b"IHDR", b"IDAT"})
_TRANSPARENT_SIZES = {0: 2, 2: 6}  # of the colour that is transparent, by colour type
_PALETTE = 3


def read_png(data: bytes) -> StrippedFile:
    """The photo of a PNG; of an animation, the one that programs show which know no animations."""
    pieces = [_SIGNATURE]
    exif = profile = b""  # the first of each counts
    colour_type = int.from_bytes(data[25:26])
    colours = 0
    for kind, chunk in _walk_chunks(data):
        content = chunk[8:-4]
        if kind == b"PLTE" and colour_type == _PALETTE:
            colours = len(content) // 3
            pieces.append(chunk)
        elif kind in _CRITICAL:
            pieces.append(chunk)
        elif kind == b"tRNS" and _is_sound_transparency(chunk, colour_type, colours):
            pieces.append(chunk if colour_type == _PALETTE else _scale_transparency(content, bits=data[24]))
        elif kind == b"eXIf":
            exif = exif or content.removeprefix(b"Exif\0\0")
        elif kind == b"iCCP":
            profile = profile or content
    return StrippedFile(b"".join([*pieces, _END]), read_orientation(exif), _read_profile(profile))


def _walk_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and bytes of each chunk; the last may lack its checksum. Raises EOFError where pixels are cut off, and
    ValueError for too many chunks.
    """
    position = len(_SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(data):
            return
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        if kind == b"IEND":
            return
        if kind in _CRITICAL and position + 8 + length > len(data):
            msg = f"{kind!r} is cut off"
            raise EOFError(msg)
        yield kind, data[position : position + length + _OVERHEAD]
        position += length + _OVERHEAD
    raise ValueError("too many chunks")


def _is_sound_transparency(chunk: bytes, colour_type: int, colours: int) -> bool:
    size = len(chunk) - _OVERHEAD
    fits = 0 < size <= colours if colour_type == _PALETTE else size == _TRANSPARENT_SIZES.get(colour_type)
    return fits and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])


def _scale_transparency(content: bytes, bits: int) -> bytes:
    """The colour that is transparent as Pillow has its pixels: of 8 bits, but for grey of 16."""
    values = [int.from_bytes(content[place : place + 2]) for place in range(0, len(content), 2)]
    if bits < 8:
        values = [value * 255 // ((1 << bits) - 1) & 0xFF for value in values]
    elif bits == 16 and len(values) > 1:
        values = [value >> 8 for value in values]
    chunk = b"tRNS" + struct.pack(f">{len(values)}H", *values)
    return struct.pack(">I", len(content)) + chunk + struct.pack(">I", zlib.crc32(chunk))


def _read_profile(content: bytes) -> bytes:
    _, _, compressed = content.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(compressed[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return b""
    return profile if unpacker.eof else b""

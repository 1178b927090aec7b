"""Refuses files whose mere structure would keep a decoder busy: thousands of JPEG scans, a million PNG chunks.

A size limit does not catch them: a JPEG of 100 kB can ask for its 16 megapixels to be gone through a thousand times, at
9 ms each. The limits are far beyond what real files have: a progressive JPEG has about 10 scans, a camera's file some
hundred segments.
"""

import re
import struct
from collections.abc import Iterator

from photocaption.image.exif import MOST_TAGS, count_tags

MOST_SCANS = 50
MOST_SEGMENTS = 2_000
MOST_GAPS = 100_000
MOST_CHUNKS = 50_000
MOST_BLOCKS = 50_000

SCAN = 0xDA
_END = 0xD9
_APP1 = 0xE1
_WITHOUT_LENGTH = frozenset({0x01, 0xD8})
_EXIF = b"Exif\0\0"
# A marker: not a stuffed zero, not a restart; both belong to the compressed data between markers.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_PNG_SIGNATURE_SIZE = 8
_PNG_CHUNK_OVERHEAD = 12
_GIF_HEADER_SIZE = 13
_GIF_EXTENSION = 0x21
_GIF_IMAGE = 0x2C
_GIF_TRAILER = 0x3B


def check_structure(data: bytes, format_name: str) -> None:
    """Raise ValueError for a file that no camera and no program would write."""
    if format_name == "JPEG":
        _check_jpeg(data)
    elif format_name == "PNG":
        _check_png(data)
    elif format_name == "GIF":
        _check_gif(data)
    elif format_name == "TIFF":
        _check_tags(data)


def _check_jpeg(data: bytes) -> None:
    scans = gaps = position = 0
    exif = []
    for number, (kind, begin, end) in enumerate(walk_segments(data)):
        gaps += 0 if scans else begin - position  # after the first scan comes compressed data
        scans += kind == SCAN
        position = end
        if number > MOST_SEGMENTS or scans > MOST_SCANS or gaps > MOST_GAPS:
            raise ValueError("too many segments, scans or gaps")
        if kind == _APP1 and data.startswith(_EXIF, begin + 4):
            exif.append(data[begin + 4 + len(_EXIF) : end])
    if not scans:
        raise ValueError("no scan")
    _check_tags(b"".join(exif))


def count_scans(data: bytes) -> int:
    """How often a JPEG's decoder goes through all or some of its pixels."""
    return sum(kind == SCAN for kind, _, _ in walk_segments(data))


def walk_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Kind, begin and end of each segment, up to the end of the first image.

    What follows it, such as the film of a motion photo, is ignored.
    """
    position = 2
    while (marker := _MARKER.search(data, position)) and data[marker.end() - 1] != _END:
        kind = data[marker.end() - 1]
        length = 0 if kind in _WITHOUT_LENGTH else int.from_bytes(data[marker.end() : marker.end() + 2])
        position = marker.end() + length
        yield kind, marker.start(), min(position, len(data))


def _check_png(data: bytes) -> None:
    position = _PNG_SIGNATURE_SIZE
    for _ in range(MOST_CHUNKS):
        if position + _PNG_CHUNK_OVERHEAD > len(data):
            return
        position += struct.unpack_from(">I", data, position)[0] + _PNG_CHUNK_OVERHEAD
    raise ValueError("too many chunks")


def _check_gif(data: bytes) -> None:
    """Walk from block to block up to the first image."""
    colours = 2 << (data[10] & 7) if data[10] & 0x80 else 0
    position = _GIF_HEADER_SIZE + 3 * colours
    in_extension = False
    for _ in range(MOST_BLOCKS):
        byte = data[position] if position < len(data) else _GIF_TRAILER
        if in_extension:
            position += 1 + byte
            in_extension = byte != 0
        elif byte == _GIF_EXTENSION:
            position += 2
            in_extension = True
        elif byte in {_GIF_IMAGE, _GIF_TRAILER}:
            return
        else:
            position += 1
    raise ValueError("too many blocks")


def _check_tags(data: bytes) -> None:
    if count_tags(data) > MOST_TAGS:
        raise ValueError("too many tags")

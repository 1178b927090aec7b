"""Reads the clean aperture of an AVIF, the part of it that is displayed, which Pillow ignores.

Formats: ISO/IEC 14496-12, section 12.1.4, and 23008-12, section 9.3.
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from photocaption.image.boxes import hide_metadata, walk_boxes
from photocaption.image.stripped import Aperture, StrippedFile

MAX_ASSOCIATIONS = 10_000


def read_avif(data: bytes) -> StrippedFile:
    """The file with its metadata hidden. Raises UnsupportedImageError; ValueError for boxes without end."""
    stripped = hide_metadata(data, "AVIF", b"av01")
    try:
        return replace(stripped, aperture=_read_aperture(data))
    except (struct.error, KeyError, IndexError, ZeroDivisionError):
        return stripped


def _read_aperture(data: bytes) -> Aperture | None:
    """Of the primary image. Raises KeyError, IndexError or struct.error where the boxes for it are not there."""
    top = _index(data, 0, len(data))
    meta = _index(data, top[b"meta"][0] + 4, top[b"meta"][1])
    properties = _index(data, *meta[b"iprp"])
    primary = _read_number(data, meta[b"pitm"][0] + 4, wide=data[meta[b"pitm"][0]] > 0)
    kinds = list(walk_boxes(data, *properties[b"ipco"]))
    for index in _associations(data, properties[b"ipma"][0], primary):
        kind, begin, _ = kinds[index - 1]
        if kind == b"clap" and index:
            numbers = struct.unpack_from(">IIIIiIiI", data, begin)
            width, height, across, down = (Fraction(*numbers[place : place + 2]) for place in range(0, 8, 2))
            return Aperture(width, height, across, down)
    return None


def _associations(data: bytes, begin: int, item: int) -> Iterator[int]:
    """Numbers of an item's properties, the first of which is 1."""
    version = data[begin]
    flags = data[begin + 3]
    number_size = 4 if version else 2
    property_size = 2 if flags & 1 else 1
    (items,) = struct.unpack_from(">I", data, begin + 4)
    place = begin + 8
    for _ in range(min(items, MAX_ASSOCIATIONS)):
        number = _read_number(data, place, wide=version > 0)
        count = data[place + number_size]
        place = place + number_size + 1
        if number == item:
            most = (1 << (8 * property_size - 1)) - 1  # the highest bit says whether it is essential
            for at in range(place, place + count * property_size, property_size):
                yield int.from_bytes(data[at : at + property_size]) & most
            return
        place += count * property_size


def _index(data: bytes, begin: int, end: int) -> dict[bytes, tuple[int, int]]:
    return {kind: (inner, inner_end) for kind, inner, inner_end in walk_boxes(data, begin, end)}


def _read_number(data: bytes, place: int, *, wide: bool) -> int:
    return int(struct.unpack_from(">I" if wide else ">H", data, place)[0])

"""WebP, AVIF and HEIC with broken metadata, and with pieces that nobody knows."""

import functools
import random
import struct

import numpy as np
from PIL import Image

from support.libvips import read_by_libvips
from support.odd_files import box
from support.photos import encode_photo
from support.unusual_files.exif import make_exif
from support.unusual_files.pattern import Pixels, UnusualFile, make_pixels, turn

_FILLER = b"MM\0*\0\0\0\x08" + bytes(6) + b"\xa5" * 60


def make_webp(chance: random.Random) -> UnusualFile:
    """Lossless, among broken metadata."""
    orientation = chance.choice((1, chance.randint(1, 8)))
    exif = chance.choice((b"", b"Exif\0\0")) + make_exif(chance, orientation)
    data = encode_photo(
        Image.fromarray(make_pixels()),
        "WEBP",
        lossless=True,
        exif=exif,
        icc_profile=chance.randbytes(60),
        xmp=b"<broken",
    )
    for kind in chance.sample((b"XMP ", b"ANMX", b"junk", b"ICCP"), chance.randrange(3)):
        content = chance.randbytes(chance.choice((0, 8, 31)))
        data += kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    return UnusualFile(data + chance.randbytes(chance.choice((0, 20))), turn(make_pixels(), orientation))


def make_avif(chance: random.Random) -> UnusualFile:
    """With broken metadata, and boxes behind it that nobody knows."""
    data, pixels = _write_boxed("AVIF")
    return UnusualFile(_spoil_boxes(data, chance), pixels, 2)


def make_heic(chance: random.Random) -> UnusualFile:
    """As `make_avif`."""
    data, pixels = _write_boxed("HEIF")
    return UnusualFile(_spoil_boxes(data, chance), pixels, 12)


def _spoil_boxes(data: bytes, chance: random.Random) -> bytes:
    exif = data.index(_FILLER)
    spoilt = data[:exif] + chance.randbytes(len(_FILLER)) + data[exif + len(_FILLER) :]
    brand = chance.choice((spoilt[8:12], b"mif1"))
    after = [
        box(chance.choice((b"free", b"skip", b"mpvd", b"junk")), chance.randbytes(30))
        for _ in range(chance.randrange(3))
    ]
    return (
        spoilt[:8]
        + brand
        + chance.randbytes(4)
        + spoilt[16:]
        + b"".join(after)
        + chance.randbytes(chance.choice((0, 5)))
    )


@functools.cache
def _write_boxed(format_name: str) -> tuple[bytes, Pixels]:
    rows, columns, channels = np.mgrid[:64, :96, :3]
    smooth = (64 + rows * (channels != 1) + columns * 0.7 * (channels != 2)).astype(np.uint8)
    data = encode_photo(Image.fromarray(smooth), format_name, quality=95, exif=b"Exif\0\0" + _FILLER)
    return data, np.asarray(read_by_libvips(data)) if format_name == "AVIF" else smooth

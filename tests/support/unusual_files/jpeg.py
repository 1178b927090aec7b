"""JPEGs among whose segments are broken ones."""

import functools
import random
from typing import Any

import numpy as np
from PIL import Image

from support.libvips import read_by_libvips
from support.odd_files import jpeg_segment
from support.photos import encode_photo
from support.unusual_files.exif import make_exif
from support.unusual_files.pattern import Pixels, UnusualFile, make_pixels, turn

_JPEGS: list[tuple[str, dict[str, Any]]] = [
    ("RGB", {}), ("RGB", {"progressive": True}), ("RGB", {"restart_marker_rows": 1}), ("RGB", {"subsampling": 0}),
    ("L", {}), ("L", {"progressive": True}), ("RGB", {"optimize": True, "subsampling": 1}),
]  # fmt: skip


def make_jpeg(chance: random.Random) -> UnusualFile:
    """Baseline or progressive, in grey or colour, among broken segments, perhaps without its end."""
    base, pixels = _read_jpegs()[chance.randrange(len(_JPEGS))]
    orientation = chance.randint(1, 8)
    segments = [_spoil_segment(chance) for _ in range(chance.randrange(5))]
    segments.insert(chance.randint(0, len(segments)), jpeg_segment(0xE1, b"Exif\0\0" + make_exif(chance, orientation)))
    if chance.random() < 0.5:  # a second one has no say
        segments.append(jpeg_segment(0xE1, b"Exif\0\0" + make_exif(chance, chance.randint(1, 8))))
    begin = chance.choice((2, 4 + int.from_bytes(base[4:6])))  # with the density first, or without it
    fill = [b"\xff" * chance.choice((0, 0, 1, 3)) for _ in segments]
    spoilt = b"".join(padding + segment for padding, segment in zip(fill, segments, strict=True))
    data = base[:2] + spoilt + base[begin:]
    end = chance.randrange(5)
    data = data + chance.randbytes(50) if end == 4 else data[: len(data) - min(end, 2)]
    return UnusualFile(data, turn(pixels, orientation), 1)


def _spoil_segment(chance: random.Random) -> bytes:
    junk = chance.randbytes(chance.choice((0, 1, 5, 40, 3000)))
    kind, name = chance.choice(
        [
            (0xE0, b"JFIF\0"[: chance.randint(0, 5)] + junk[:8]), (0xE0, b"JFXX\0" + junk), (0xE0, b"AVI1" + junk),
            (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + junk), (0xE1, b"http://ns.adobe.com/xmp/extension/\0" + junk),
            (0xE1, b"exif" + junk), (0xE2, b"ICC_PROFILE\0" + junk), (0xE2, b"ICC_PROFILE"),
            (0xE2, b"MPF\0II*\0" + junk),
            (0xE2, b"MPF\0" + make_exif(chance, 1)), (0xE2, b"FPXR\0" + junk),
            (0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + junk),
            (0xED, b"Photoshop 3.0\0" + junk), (0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\xff\xff\xff\xff" + junk),
            (0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\x10\0"), (0xEE, b"Adobe"), (0xEE, b"Adobe\0\x64\0\0\0\0"),
            (0xFE, junk), (chance.choice((0xE3, 0xE4, 0xE8, 0xEB, 0xEC, 0xEF)), junk),
        ]
    )  # fmt: skip
    return jpeg_segment(kind, name)


@functools.cache
def _read_jpegs() -> list[tuple[bytes, Pixels]]:
    picture = Image.fromarray(make_pixels())
    files = [encode_photo(picture.convert(mode), "JPEG", quality=95, **options) for mode, options in _JPEGS]
    return [(data, np.asarray(read_by_libvips(data))) for data in files]

"""Generates unusual valid files, and the pixels that they show.

Parts that pixels do not need are damaged in the ways of cameras, phones and programs, and in others: tags with invalid
offsets, directories with too large counts, short segments, wrong checksums, a missing end. The pixels are known from
the generation, those of JPEG and AVIF from libvips, which reads the file before it is damaged.
"""

import random
from collections.abc import Callable

from support.unusual_files.bmp import make_bmp
from support.unusual_files.boxed import make_avif, make_heic, make_webp
from support.unusual_files.gif import make_gif
from support.unusual_files.jpeg import make_jpeg
from support.unusual_files.pattern import UnusualFile
from support.unusual_files.png import make_png
from support.unusual_files.tiff import make_tiff

KINDS: dict[str, Callable[[random.Random], UnusualFile]] = {
    "JPEG": make_jpeg, "PNG": make_png, "WebP": make_webp, "HEIC": make_heic, "AVIF": make_avif, "GIF": make_gif,
    "BMP": make_bmp, "TIFF": make_tiff,
}  # fmt: skip


def make_unusual_file(kind: str, number: int) -> UnusualFile:
    """A file of a kind in `KINDS`, the same for the same number."""
    return KINDS[kind](random.Random(f"{kind} {number}"))

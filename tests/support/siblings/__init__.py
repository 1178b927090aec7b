"""Sound files, each with oddities of its own, and the pixels that are seen in them.

What pixels do not need is damaged in every way that cameras, phones and programs are known for, and some more: tags
that point into nothing, directories that claim too much, short segments, wrong checksums, a missing end. The pixels are
known from how a file was made, those of JPEG and AVIF from libvips, which reads the file before it is spoilt.
"""

import random
from collections.abc import Callable

from support.siblings.bmp import make_bmp
from support.siblings.boxed import make_avif, make_heic, make_webp
from support.siblings.gif import make_gif
from support.siblings.jpeg import make_jpeg
from support.siblings.picture import Sibling
from support.siblings.png import make_png
from support.siblings.tiff import make_tiff

KINDS: dict[str, Callable[[random.Random], Sibling]] = {
    "JPEG": make_jpeg, "PNG": make_png, "WebP": make_webp, "HEIC": make_heic, "AVIF": make_avif, "GIF": make_gif,
    "BMP": make_bmp, "TIFF": make_tiff,
}  # fmt: skip


def make_sibling(kind: str, number: int) -> Sibling:
    """One of a kind in `KINDS`, always the same for a number."""
    return KINDS[kind](random.Random(f"{kind} {number}"))

"""TIFFs and BigTIFFs of many layouts."""

import random

import numpy as np

from support.tiff_files import tiff_of
from support.unusual_files.pattern import HEIGHT, UnusualFile, make_pixels, turn


def make_tiff(chance: random.Random) -> UnusualFile:
    """Grey or RGB in every way that TIFF has for it, among tags that make no sense."""
    channels, bits = chance.choice((1, 3, 4)), chance.choice((8, 16))
    negative, big = chance.random() < 0.5, chance.random() < 0.3
    pixels = make_pixels(channels)
    values = pixels if bits == 8 else pixels.astype(np.uint16) * 257
    photometric = (0 if negative else 1) if channels == 1 else 2
    seen = (255 - pixels if negative else pixels).repeat(3, axis=2) if channels == 1 else pixels[:, :, :3]
    orientation = chance.choice((1, chance.randint(1, 8)))
    beyond = {number: (4, [chance.choice((8, 2**31))]) for number in chance.sample((330, 34665, 34853, 40965), 2)}
    junk = {
        number: (chance.choice((1, 3, 4)), [chance.randrange(256) for _ in range(chance.choice((1, 9, 300)))])
        for number in chance.sample((269, 270, 271, 282, 283, 296, 305, 306, 700, 33723, 34377, 34675, 37724, 65000), 5)
    }
    tags = {**beyond, **junk, 274: (chance.choice((1, 3, 4)), [orientation])}
    if channels == 4:
        tags[338] = (3, [0])
    data = tiff_of(
        values, photometric, order=chance.choice("<>"), planar=channels > 1 and chance.random() < 0.5,
        deflated=chance.random() < 0.5, rows_per_strip=chance.choice((1, 7, HEIGHT)), tags=tags, big=big,
    )  # fmt: skip
    return UnusualFile(data + chance.randbytes(chance.choice((0, 50))), turn(seen, orientation), 1)

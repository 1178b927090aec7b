"""GIFs whose first frame is a part of their canvas."""

import random
import struct

import numpy as np
from PIL import Image

from support.photos import encode_photo
from support.unusual_files.pattern import HEIGHT, WIDTH, UnusualFile, make_pixels


def make_gif(chance: random.Random) -> UnusualFile:
    """A first frame anywhere on its canvas, perhaps with a colour that is transparent, among extensions."""
    frame = Image.fromarray(make_pixels()).convert(
        "P", palette=Image.Palette.ADAPTIVE, colors=chance.choice((4, 60, 256))
    )
    gif = encode_photo(frame, "GIF", interlace=chance.randrange(2), optimize=False)
    colours = 13 + 3 * (2 << (gif[10] & 7))
    palette, place = gif[13:colours], gif.index(b",\0\0\0\0", colours)
    flags, coded = gif[place + 9], gif[place + 10 : -1]
    left, top, width, height = (chance.choice((0, 0, chance.randrange(70))) for _ in range(4))
    local = chance.random() < 0.5
    transparent = chance.choice((None, int(np.asarray(frame)[3, 3])))
    control = (
        [] if transparent is None else [b"!\xf9\x04" + bytes([chance.choice((1, 5, 9, 13)), 0, 0, transparent, 0])]
    )
    blocks = [b"!\xfe\x03abc\0", b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0", b"!\x01\x00", b"!\xf0\x02xx\x01y\0"]
    spoilt = control + chance.sample(blocks, chance.randrange(4))
    chance.shuffle(spoilt)
    seen = frame.convert("RGB")
    if transparent is not None:
        seen.paste((255, 255, 255), mask=frame.point(lambda value: 255 * (value == transparent), "L"))
    size = max(width, left + WIDTH), max(height, top + HEIGHT)
    canvas = Image.new("RGB", size, "white")
    canvas.paste(seen, (left, top))
    size_of_table = gif[10] & 7
    head = chance.choice((b"GIF87a", b"GIF89a")) + struct.pack(
        "<HHBBB", width, height, size_of_table if local else 0x80 | size_of_table, chance.randrange(4), 0
    )
    descriptor = struct.pack(
        "<HHHHB", left, top, WIDTH, HEIGHT, (flags & 0x40) | (0x80 | size_of_table if local else 0)
    )
    picture = b"," + descriptor + (palette if local else b"") + coded
    further = chance.choice((b"", picture, b"!\xf9\x04\x08\0\0\0\0" + picture))
    data = b"".join([head, b"" if local else palette, *spoilt, picture, further, chance.choice((b";", b"", b";junk"))])
    return UnusualFile(data, np.asarray(canvas))

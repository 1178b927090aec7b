"""BMPs of many layouts."""

import random
import struct

import numpy as np

from support.unusual_files.pattern import HEIGHT, WIDTH, UnusualFile, make_pixels


def make_bmp(chance: random.Random) -> UnusualFile:
    """Of 8 to 32 bits, upwards or downwards, with any of three headers."""
    bits = chance.choice((8, 16, 24, 32))
    size = chance.choice((40, 108, 124))
    down = chance.random() < 0.5
    pixels = make_pixels(1).repeat(3, axis=2) if bits == 8 else make_pixels()
    masks = chance.choice(((0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F))) if bits == 16 else (0xFF0000, 0xFF00, 0xFF)
    if bits == 16:
        levels = [mask.bit_count() for mask in masks]
        words = sum(
            (pixels[:, :, channel].astype(np.uint16) >> (8 - levels[channel])) << (mask & -mask).bit_length() - 1
            for channel, mask in enumerate(masks)
        )
        rows = np.asarray(words, "<u2").view(np.uint8).reshape(HEIGHT, -1)
    elif bits == 8:
        rows = pixels[:, :, 0]
    else:
        rows = np.concatenate([pixels[:, :, ::-1], pixels[:, :, :1]][: bits // 8 - 2], axis=2).reshape(HEIGHT, -1)
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
    by_masks = bits == 16 or (bits == 32 and chance.random() < 0.5)
    table = b"".join(bytes([value] * 3 + [0]) for value in range(256)) if bits == 8 else b""
    head = struct.pack("<IiiHHIIiiII", size, WIDTH, -HEIGHT if down else HEIGHT, 1, bits, 3 * by_masks, 0, 0, 0, 0, 0)
    if by_masks or size > 40:
        head += struct.pack("<IIII", *masks, 0)
    head = head.ljust(size, b"\0") if size > 40 else head
    gap = bytes(chance.choice((0, 4, 60)))
    start = 14 + len(head) + len(table) + len(gap)
    body = (padded if down else padded[::-1]).tobytes()
    data = struct.pack("<2sIHHI", b"BM", chance.choice((0, start + len(body))), 0, 0, start) + head + table + gap + body
    return UnusualFile(data + bytes(chance.choice((0, 9))), pixels, 8 if bits == 16 else 0)

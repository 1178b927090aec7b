"""EXIF metadata that gives an orientation, among much that no reader should follow."""

import random
import struct

_SIZES_OF_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}
_NUMBERS = (0x0103, 0x010F, 0x0131, 0x0132, 0x014A, 0x0201, 0x0202, 0x8769, 0x8825, 0x927C, 0xA005)
_KINDS = (0, 1, 2, 3, 4, 5, 7, 10, 12, 13, 99)
_COUNTS = (0, 1, 2, 40, 2**31, 2**32 - 1)
_PLACES = (0, 8, 100, 2**32 - 1)


def make_exif(chance: random.Random, orientation: int) -> bytes:
    """A directory with an orientation in any size of number, among tags that no reader should follow."""
    order = chance.choice("<>")
    kind, code = chance.choice(list(_SIZES_OF_NUMBERS.items()))
    value = struct.pack(order + code, orientation).ljust(4, chance.choice((b"\0", b"\xff")))
    tags = [struct.pack(order + "HHI", 0x0112, kind, 1) + value]
    for _ in range(chance.choice((0, 3, 12))):
        number = chance.choice((0x0103, 0x010F, 0x0131, 0x0132, 0x014A, 0x0201, 0x0202, 0x8769, 0x8825, 0x927C, 0xA005))
        count = chance.choice((0, 1, 2, 40, 2**31, 2**32 - 1))
        fields = (
            number,
            chance.choice((0, 1, 2, 3, 4, 5, 7, 10, 12, 13, 99)),
            count,
            chance.choice((0, 8, 100, 2**32 - 1)),
        )
        tags.append(struct.pack(order + "HHII", *fields))
    chance.shuffle(tags)
    claimed = len(tags) + chance.choice((0, 0, 1, 100, 60_000))
    filler = bytes([chance.choice((0, 0xA5, 0xFF))]) * chance.choice((0, 4, 400))
    gap = filler if chance.random() < 0.2 else b""
    start = struct.pack(order + "2sHI", {"<": b"II", ">": b"MM"}[order], 42, 8 + len(gap))
    return start + gap + struct.pack(order + "H", min(claimed, 0xFFFF)) + b"".join(tags) + filler

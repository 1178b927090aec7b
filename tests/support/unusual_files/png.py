"""PNGs among whose chunks are broken ones."""

import functools
import random
import struct
import zlib

import numpy as np
from PIL import Image

from support.odd_files import png_chunk
from support.photos import encode_photo
from support.unusual_files.exif import make_exif
from support.unusual_files.pattern import HEIGHT, WIDTH, Pixels, UnusualFile, make_pixels, turn

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ANCILLARY = (
    b"pHYs", b"sRGB", b"gAMA", b"cHRM", b"iCCP", b"sBIT", b"bKGD", b"hIST", b"tIME", b"tEXt", b"zTXt", b"iTXt",
    b"sPLT", b"oFFs", b"sCAL", b"pCAL", b"cICP", b"mDCV", b"acTL", b"fcTL", b"caBX", b"prVt", b"meTa", b"tRNS",
)  # fmt: skip


def make_png(chance: random.Random) -> UnusualFile:
    """Of any mode, in one chunk of pixels or in many, among broken chunks, perhaps without its end."""
    mode = chance.choice(("1", "L", "P", "RGB", "RGBA", "LA", None))
    data, pixels = _write_png(mode) if mode else _write_transparent_png(chance)
    chunks = _split_png(data)
    header, needed = chunks.pop(0), [chunk for chunk in chunks if chunk[4:8] in {b"PLTE", b"tRNS"}]
    coded = b"".join(chunk[8:-4] for chunk in chunks if chunk[4:8] == b"IDAT")
    size = chance.choice((1_000_000, 200, 7))
    scattered = [png_chunk(b"IDAT", coded[place : place + size]) for place in range(0, len(coded), size)]
    orientation = chance.choice((1, chance.randint(1, 8)))
    exif = png_chunk(b"eXIf", chance.choice((b"", b"Exif\0\0")) + make_exif(chance, orientation))
    before, after = [[_spoil_chunk(chance) for _ in range(chance.randrange(4))] for _ in range(2)]
    chance.choice((before, after)).append(exif)
    end = chance.choice((png_chunk(b"IEND"), b"", b"\0\0\0\0IEND", png_chunk(b"IEND") + chance.randbytes(99)))
    return UnusualFile(
        _SIGNATURE + b"".join([header, *before, *needed, *scattered, *after, end]), turn(pixels, orientation)
    )


def _spoil_chunk(chance: random.Random) -> bytes:
    kind = chance.choice(_ANCILLARY)
    content = chance.choice(
        (
            b"",
            b"\0",
            chance.randbytes(9),
            b"name\0\0" + zlib.compress(bytes(5000)),
            b"name\0\0junk",
            chance.randbytes(2000),
        )
    )
    chunk = png_chunk(kind, content)
    return chunk[:-4] + b"oops" if kind == b"tRNS" or chance.random() < 0.5 else chunk


@functools.cache
def _write_png(mode: str) -> tuple[bytes, Pixels]:
    picture = Image.fromarray(make_pixels()).convert(mode)
    if mode in {"RGBA", "LA"}:
        picture.putalpha(Image.linear_gradient("L").resize(picture.size).point(lambda value: 255 * (value > 99)))
        flat = Image.new("RGB", picture.size, "white")
        flat.paste(picture.convert("RGB"), mask=picture.getchannel("A"))
        return encode_photo(picture), np.asarray(flat)
    return encode_photo(picture), np.asarray(picture.convert("RGB"))


def _split_png(data: bytes) -> list[bytes]:
    chunks, place = [], 8
    while place < len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4])
        chunks.append(data[place:end])
        place = end
    return chunks


def _write_transparent_png(chance: random.Random) -> tuple[bytes, Pixels]:
    """Grey of any number of bits, or RGB of 16, one value of which is transparent."""
    bits, colour = chance.choice(((1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (16, 2), (8, 2)))
    pixels = make_pixels(3 if colour else 1)
    values = pixels.astype(np.uint16) * 257 if bits == 16 else pixels >> (8 - bits)
    key = values[chance.randrange(HEIGHT), chance.randrange(WIDTH)]
    rows = values.astype(">u2").view(np.uint8) if bits == 16 else values.astype(np.uint8)
    lines = [b"\0" + (row.tobytes() if bits >= 8 else _pack(row.ravel().tolist(), bits)) for row in rows]
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, colour, 0, 0, 0))
    transparent = png_chunk(b"tRNS", struct.pack(f">{len(key)}H", *key.tolist()))
    data = b"".join([_SIGNATURE, header, transparent, png_chunk(b"IDAT", zlib.compress(b"".join(lines)))])
    seen = (pixels >> (8 - bits)).astype(np.uint16) * 255 // (2**bits - 1) if bits < 8 else pixels
    seen = np.where((values == key).all(axis=2, keepdims=True), 255, seen).astype(np.uint8)
    return data, np.broadcast_to(seen, (HEIGHT, WIDTH, 3))


def _pack(values: list[int], bits: int) -> bytes:
    text = "".join(f"{value:0{bits}b}" for value in values)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[begin : begin + 8], 2) for begin in range(0, len(text), 8))

"""Hostile images: bombs, false sizes and metadata, and mutations of valid files. All are generated."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, PngImagePlugin

from support.odd_files import box, in_boxes, png_chunk  # which has Pillow write HEIC too

_SIDE = 48
_HUGE = 65_500


def make_seeds() -> list[bytes]:
    """Sound files of every format that is accepted, in many of its forms."""
    picture = _noise()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    frames = [picture, picture.rotate(90), picture.rotate(180)]
    return [
        _save(picture, "JPEG", quality=60),
        _save(picture, "JPEG", progressive=True, exif=exif, icc_profile=b"x" * 500),
        _save(picture.convert("CMYK"), "JPEG"),
        _save(picture.convert("L"), "JPEG", optimize=True),
        _save(picture, "PNG"),
        _save(picture.convert("RGBA"), "PNG", pnginfo=_text_chunk("a" * 300)),
        _save(picture.convert("P"), "PNG", transparency=3),
        _save(picture.convert("1"), "PNG"),
        _save(picture.convert("I;16"), "PNG"),
        _save(picture, "PNG", save_all=True, append_images=frames[1:]),
        _save(picture.convert("P"), "GIF", transparency=1),
        _save(picture, "GIF", save_all=True, append_images=frames[1:], duration=10, disposal=2),
        _save(picture, "BMP"),
        _save(picture.convert("P"), "BMP"),
        _save(picture.convert("1"), "BMP"),
        _save(picture, "TIFF", compression="tiff_lzw"),
        _save(picture.convert("RGBA"), "TIFF", compression="tiff_deflate"),
        _save(picture.convert("CMYK"), "TIFF"),
        _save(picture.convert("F"), "TIFF"),
        _save(picture, "TIFF", save_all=True, append_images=frames[1:], exif=exif),
        _save(picture, "TIFF", compression="jpeg"),
        _save(picture, "WEBP", quality=50),
        _save(picture.convert("RGBA"), "WEBP", lossless=True, exif=exif),
        _save(picture, "WEBP", save_all=True, append_images=frames[1:]),
        *make_boxed_seeds(),
    ]


def make_boxed_seeds() -> list[bytes]:
    """Those that consist of boxes: HEIC and AVIF."""
    picture = _noise().resize((150, 100))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    return [
        _save(picture, "HEIF", quality=50),
        _save(picture, "HEIF", quality=30, tile_size=64, exif=exif, icc_profile=b"x" * 500),
        _save(picture.convert("RGBA"), "HEIF", quality=30),
        _save(picture, "AVIF", quality=50),
        _save(picture.convert("RGBA"), "AVIF", quality=30, exif=exif, icc_profile=b"x" * 500),
        _save(picture, "AVIF", quality=30, save_all=True, append_images=[picture.rotate(90)]),
    ]


def make_traps() -> dict[str, bytes]:
    """Files written by hand to waste memory or time, or to be taken for what they are not."""
    seeds = make_seeds()
    jpeg, png = seeds[0], seeds[4]
    pixels = zlib.compress(bytes(8 * 25))
    return {
        "nothing but a signature": png[:8],
        "a PNG bomb": _png(_HUGE, _HUGE, zlib.compress(bytes(4_000_000), 9)),
        "a PNG with no pixels": _png(0, 0, b""),
        "a PNG that is one pixel high": _png(1_000_000, 1, zlib.compress(bytes(3_000_001))),
        "a PNG with a text bomb": _png(8, 8, pixels, png_chunk(b"zTXt", b"a\0\0" + _bomb())),
        "a PNG with a profile bomb": _png(8, 8, pixels, png_chunk(b"iCCP", b"a\0\0" + _bomb())),
        "a PNG with thousands of chunks": _png(8, 8, pixels, png_chunk(b"tEXt", b"a\0b") * 20_000),
        "a PNG of endless length": png[:33] + struct.pack(">I", 2**31 - 1) + b"IDAT" + png[41:],
        "a huge JPEG": _resize_jpeg(jpeg, 65_535, 65_535),
        "a JPEG with many scans": jpeg[:-2] + _scans(jpeg) * 500 + jpeg[-2:],
        "a JPEG full of comments": jpeg[:2] + (b"\xff\xfe\xff\xff" + bytes(65_533)) * 100 + jpeg[2:],
        "a huge GIF": b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + seeds[10][10:],
        "a GIF with thousands of frames": seeds[10][:-1] + _frames(seeds[10]) * 2000 + b";",
        "a huge BMP": _bmp(30_000, 30_000),
        "an upside-down BMP": _bmp(30_000, -30_000),
        "a BMP with a negative width": _bmp(-8, 8),
        "a run-length BMP bomb": _bmp(7_000, 7_000, bits=8, compression=1),
        "a TIFF whose directory is itself": b"II*\0" + struct.pack("<I", 8) + struct.pack("<HI", 0, 8),
        "a TIFF with thousands of tags": b"II*\0" + struct.pack("<IH", 8, 60_000) + _tag(270, 2, 4, 0) * 60_000,
        "a TIFF that claims a gigabyte": _tiff(40_000, 40_000),
        "a TIFF with one enormous strip": _tiff(5_000, 5_000),
        "a big TIFF": b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + bytes(64),
        "an empty WebP": b"RIFF" + struct.pack("<I", 4) + b"WEBP",
        "a huge WebP": b"RIFF"
        + struct.pack("<I", 30)
        + b"WEBPVP8X"
        + struct.pack("<II", 10, 0)
        + b"\xff" * 6
        + bytes(8),
        "a JPEG and a ZIP": jpeg + b"PK\x03\x04" + bytes(100),
        "a GIF and a script": b"GIF89a/*" + b"*/=1;alert(1)" + seeds[10][6:],
        "an SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "a PostScript program": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999 9999\n/x {x} def x\n",
        "a PDF": b"%PDF-1.7\n" + bytes(200),
        "an ICO with a PNG in it": b"\0\0\1\0\1\0" + bytes(16) + png,
        "a HEIC with nothing in it": in_boxes(b"heic", bytes(200)),
        "a HEIC that is larger than it claims": _claim(_save(Image.new("RGB", (1024, 1024)), "HEIF"), 64, 64),
        "a HEIC that claims to be large": _claim(seeds[24], 19_000, 19_000),
        "an AVIF that claims to be large": _claim(seeds[27], 16_000, 16_000),
        "an AVIF that is larger than it claims": _claim(
            _save(Image.new("RGB", (4096, 4096)), "AVIF", speed=10), 64, 64
        ),
        "a HEIC with thousands of boxes": in_boxes(b"heic", box(b"free") * 100_000),
        "zeros": bytes(100_000),
        "text": b"hello, world",
    }


def mutate(seed: bytes, chance: random.Random) -> bytes:
    """`seed` after one to four changes of the kinds that break decoders."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 4)):
        if data:
            chance.choice(_MUTATIONS)(data, chance)
    return bytes(data)


def mutations(count: int, chance: random.Random) -> Iterator[bytes]:
    """`count` mutated files; the seeds take turns."""
    seeds = make_seeds()
    for number in range(count):
        yield mutate(seeds[number % len(seeds)], chance)


def _truncate(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _flip_bits(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 4, 32))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _flip_header(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(min(64, len(data)))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _write_extreme(data: bytearray, chance: random.Random) -> None:
    value = chance.choice(
        (b"\0\0", b"\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f")
    )
    start = chance.randrange(len(data))
    data[start : start + len(value)] = value


def _cut_out(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    del data[start : start + chance.randint(1, 64)]


def _repeat(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    data[start:start] = data[start : start + chance.randint(1, 256)] * chance.choice((1, 2, 50))


def _insert_noise(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    data[start:start] = chance.randbytes(chance.randint(1, 128))


def _swap_signature(data: bytearray, chance: random.Random) -> None:
    signature = chance.choice((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"RIFF"))
    data[: len(signature)] = signature


_MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _truncate, _flip_bits, _flip_bits, _flip_header, _write_extreme, _cut_out, _repeat, _insert_noise, _swap_signature,
)  # fmt: skip


def _noise() -> Image.Image:
    pixels = np.random.default_rng(7).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)
    return Image.fromarray(pixels).resize((_SIDE * 2, _SIDE))


def _save(picture: Image.Image, format_name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format_name, **options)
    return stream.getvalue()


def _text_chunk(text: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", text, zip=True)
    return info


def _bomb() -> bytes:
    return zlib.compress(bytes(100_000_000), 9)


def _png(width: int, height: int, pixels: bytes, extra: bytes = b"") -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND")


def _resize_jpeg(jpeg: bytes, width: int, height: int) -> bytes:
    start = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:start] + struct.pack(">HH", height, width) + jpeg[start + 4 :]


def _scans(jpeg: bytes) -> bytes:
    return jpeg[jpeg.index(b"\xff\xda") : -2]


def _frames(gif: bytes) -> bytes:
    return gif[gif.index(b",", 13 + 3 * 2 ** ((gif[10] & 7) + 1)) : -1]


def _claim(boxed: bytes, width: int, height: int) -> bytes:
    place = boxed.index(b"ispe") + 8
    return boxed[:place] + struct.pack(">II", width, height) + boxed[place + 8 :]


def _bmp(width: int, height: int, bits: int = 24, compression: int = 0) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54 + 1024 * (bits == 8)) + header + bytes(4000)


def _tag(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def _tiff(width: int, height: int) -> bytes:
    tags = [
        _tag(256, 4, 1, width), _tag(257, 4, 1, height), _tag(258, 3, 1, 8), _tag(259, 3, 1, 1), _tag(262, 3, 1, 1),
        _tag(273, 4, 1, 200), _tag(277, 3, 1, 1), _tag(278, 4, 1, height), _tag(279, 4, 1, width * height),
    ]  # fmt: skip
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(tags) + bytes(4000)

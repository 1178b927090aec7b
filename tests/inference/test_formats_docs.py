"""docs/formats.md promises nothing that is not so: each of its rows is tried here."""

import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.libvips import read_by_libvips
from support.odd_files import animation, avif_seen_through, box, exif_of, in_boxes, jpeg_scanned_again, png_claiming
from support.photos import encode_photo
from support.profiles import profile_of_swapped_colours
from support.tiff_files import tiff_of

from photocaption.errors import ImageError, ImageTooLargeError, UndecodableImageError, UnsupportedImageError
from photocaption.image.decode import decode

DOCUMENT = (Path(__file__).parents[2] / "docs/formats.md").read_text(encoding="utf-8")
PICTURE = Image.new("RGB", (64, 48), "red")
PICTURE.paste((0, 0, 255), (32, 0, 64, 48))
PICTURE.paste((255, 255, 255), (0, 32, 64, 48))
JPEG = encode_photo(PICTURE, "JPEG")
RED = np.asarray(PICTURE, int)
GREY = np.full((48, 64, 1), 200)
GREY[:, 32:] = 90
COMPRESSIONS = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "lzma", "zstd")
# How libvips has it is as good: it takes inks for those of a press, and stretches no floats.
NOT_AGREED = {"JPEG, CMYK", "TIFF, CMYK", "TIFF, grey"}
# libvips reads none of them as it comes on the index, or not to the end.
NOT_READ_ELSEWHERE = {
    "JPEG without its end", "HEIC, 8 or 10 bits", "HEIC, in tiles", "AVIF, animated", "BMP", "TIFF, Lab"
}  # fmt: skip


def several(format_name: str) -> bytes:
    return animation(format_name, ["red", "green"])


def transparent(format_name: str) -> bytes:
    picture = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 32, 48))
    return encode_photo(picture, format_name)


def tiff(values: object, photometric: int, bits: int = 8, **tags: object) -> bytes:
    return tiff_of(np.asarray(values).astype({8: np.uint8, 16: np.uint16, 32: np.float32}[bits]), photometric, **tags)  # type: ignore[arg-type]


def bmp_of_masks(*masks: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 32, 3, 0, 0, 0, 0, 0) + struct.pack("<3I", *masks)
    return b"BM" + struct.pack("<IHHI", 66 + 256, 0, 0, 66) + header + bytes(256)


def turned(format_name: str) -> bytes:
    return encode_photo(PICTURE.transpose(Image.Transpose.ROTATE_90), format_name, exif=exif_of(6))


# Files whose upper left corner is red, or as `CORNERS` has it.
CORNERS = {"TIFF, grey": (200, 200, 200), "TIFF, fax": (255, 255, 255)}
READ: dict[str, Callable[[], list[bytes]]] = {
    "JPEG, baseline": lambda: [JPEG],
    "JPEG, progressive": lambda: [encode_photo(PICTURE, "JPEG", progressive=True)],
    "JPEG without its end": lambda: [JPEG[:-1], JPEG[:-2]],
    "JPEG, CMYK": lambda: [encode_photo(PICTURE.convert("CMYK"), "JPEG")],
    "JPEG, several in one file": lambda: [several("MPO")],
    "PNG, 1 to 16 bits": lambda: [encode_photo(PICTURE), encode_photo(PICTURE.convert("P"))],
    "PNG, transparent": lambda: [
        transparent("PNG"),
        encode_photo(PICTURE.convert("P"), "PNG", transparency=b"\xff" * 9),
        encode_photo(PICTURE, "PNG", transparency=(0, 0, 255)),
    ],
    "PNG, animated": lambda: [several("PNG")],
    "WebP": lambda: [encode_photo(PICTURE, "WEBP"), encode_photo(PICTURE, "WEBP", lossless=True)],
    "WebP, animated": lambda: [several("WEBP")],
    "HEIC, 8 or 10 bits": lambda: [encode_photo(PICTURE, "HEIF")],
    "HEIC, in tiles": lambda: [encode_photo(PICTURE.resize((200, 100)), "HEIF", tile_size=64)],
    "AVIF": lambda: [encode_photo(PICTURE, "AVIF")],
    "AVIF, cropped": lambda: [avif_seen_through(encode_photo(PICTURE, "AVIF"), (32, 1, 24, 1, -16, 1, -12, 1))],
    "AVIF, animated": lambda: [several("AVIF")],
    "GIF": lambda: [encode_photo(PICTURE, "GIF"), several("GIF")],
    "BMP": lambda: [encode_photo(PICTURE, "BMP"), encode_photo(PICTURE.convert("P"), "BMP")],
    "TIFF, grey": lambda: [tiff(GREY, 1), tiff(255 - GREY, 0), tiff(GREY * 257, 1, 16), tiff(GREY / 255, 1, 32)],
    "TIFF, RGB": lambda: [tiff(RED, 2), tiff(RED * 257, 2, 16), tiff(RED, 2, planar=True)],
    "TIFF, palette": lambda: [encode_photo(PICTURE.convert("P"), "TIFF")],
    "TIFF, CMYK": lambda: [encode_photo(PICTURE.convert("CMYK"), "TIFF")],
    "TIFF, Lab": lambda: [tiff(np.tile([136, 80, 67], (48, 64, 1)), 8)],
    "TIFF, compressed": lambda: [encode_photo(PICTURE, "TIFF", compression=name) for name in COMPRESSIONS],
    "TIFF, fax": lambda: [
        encode_photo(PICTURE.getchannel("R").convert("1"), "TIFF", compression=name) for name in ("group3", "group4")
    ],
    "TIFF, several pages": lambda: [several("TIFF")],
    "BigTIFF": lambda: [tiff(RED, 2, order=order, big=True) for order in "<>"],
    "RGB with a colour profile": lambda: [
        encode_photo(Image.new("RGB", (64, 48), "lime"), name, icc_profile=profile_of_swapped_colours())
        for name in ("PNG", "TIFF", "WEBP", "AVIF", "HEIF")
    ],
    "EXIF orientation": lambda: [turned(name) for name in ("JPEG", "PNG", "WEBP", "TIFF")],
    "HEIC orientation": lambda: [turned("HEIF"), turned("AVIF")],
}

FRAME = JPEG.index(b"\xff\xc0")
HEIC, AVIF = encode_photo(PICTURE, "HEIF"), encode_photo(PICTURE, "AVIF")
REFUSED: dict[str, list[bytes]] = {
    "JPEG, arithmetic coding": [JPEG[: FRAME + 1] + b"\xc9" + JPEG[FRAME + 2 :]],
    "JPEG, lossless": [JPEG[: FRAME + 1] + b"\xc3" + JPEG[FRAME + 2 :]],
    "JPEG, 12 bits": [JPEG[: FRAME + 4] + b"\x0c" + JPEG[FRAME + 5 :]],
    "TIFF, RGB of floats": [tiff(RED, 2, 32)],
    "TIFF, LogLuv": [tiff(RED, 32845)],
    "TIFF, other compressions": [tiff(RED, 2, tags={259: (3, [34712])})],
    "DNG and other raw photos": [tiff(RED, 2, tags={50706: (1, [1, 4, 0, 0])}), tiff(RED[:, :, :1], 32803)],
    "BMP, unusual masks": [bmp_of_masks(0xFF, 0x0F00, 0xF000)],
    "AVIF, unusual colours": [AVIF[: AVIF.index(b"nclx") + 9] + b"\x0a" + AVIF[AVIF.index(b"nclx") + 10 :]],
    "HEIF with another coding": [HEIC.replace(b"hvc1", b"vvc1")],
    "HEIC film": [in_boxes(b"hevc", box(b"moov", bytes(50)))],
    "JPEG XL, JPEG 2000, SVG, PDF, films": [
        b"\xff\x0a\x00", box(b"JXL ", b"\r\n\x87\n"), box(b"jP  ", b"\r\n\x87\n"), b"\xff\x4f\xff\x51", b"<svg/>",
        b"%PDF-1.7", box(b"ftyp", b"isom"), b"\x1aE\xdf\xa3",
    ],
    "nothing at all": [b""],
    "cut off, or damaged where pixels are": [
        *(data[: len(data) // 2] for data in (encode_photo(PICTURE), HEIC, AVIF)), JPEG[:-20],
    ],
    "more pixels than are read": [png_claiming(30_000, 30_000)],
    "thousands of scans, chunks, tags or boxes": [
        jpeg_scanned_again(1_000, (64, 64)), in_boxes(b"heic", box(b"free") * 9_000)
    ],
}  # fmt: skip
STATUSES = {UnsupportedImageError: "415", UndecodableImageError: "422", ImageTooLargeError: "422"}


def rows(heading: str) -> dict[str, list[str]]:
    """The rows of the table below a heading, by their first cell."""
    section = DOCUMENT.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [re.split(r"\s*\|\s*", line.strip("| ")) for line in section.splitlines() if line.startswith("|")]
    return {first: others for first, *others in lines[2:]}


def test_the_tables_have_the_kinds_that_are_tried() -> None:
    assert rows("Read").keys() == READ.keys()
    assert rows("Refused").keys() == REFUSED.keys()


@pytest.mark.parametrize("kind", READ)
def test_what_is_said_to_be_read_is_read(kind: str) -> None:
    for data in READ[kind]():
        image, _ = decode(data)

        assert image.width >= image.height
        assert image.getpixel((2, 2)) == pytest.approx(CORNERS.get(kind, (254, 0, 0)), abs=12)


@pytest.mark.parametrize("kind", [kind for kind in READ if kind not in NOT_AGREED | NOT_READ_ELSEWHERE])
def test_it_is_read_as_another_reader_has_it(kind: str) -> None:
    pairs = [(data, other) for data in READ[kind]() if (other := read_by_libvips(data)) is not None]

    assert pairs
    for data, other in pairs:
        ours = decode(data)[0]
        assert ours.size == other.size
        assert np.abs(np.asarray(ours, np.int16) - np.asarray(other, np.int16)).mean() < 3


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_said_to_be_refused_is_refused_for_that_reason(kind: str) -> None:
    status, reason = rows("Refused")[kind]
    for data in REFUSED[kind]:
        with pytest.raises(ImageError) as refusal:
            decode(data)

        assert reason.strip("`") in str(refusal.value)
        assert STATUSES[type(refusal.value)] == status

"""Whatever bytes come, a picture comes out or an error that says what is wrong with them; quickly, and in little
memory."""

import contextlib
import io
import random
import struct
import subprocess
import sys
import time
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.odd_files import (
    animation,
    exif_flooded,
    exif_of,
    gif_flooded,
    jpeg_flooded,
    jpeg_marked,
    jpeg_scanned_again,
    jpeg_segment,
    png_beginning_with,
    png_chunk,
    png_claiming,
    png_flooded,
    tiff_flooded,
    tiff_in_one_tile,
    webp_ending_with,
)
from support.photos import encode_photo, make_photo
from support.profiles import profile_in_steps

from photocaption.errors import (
    ImageError,
    ImageTooLargeError,
    LongDecodingError,
    UndecodableImageError,
    UnsupportedImageError,
)
from photocaption.image.colour import to_rgb
from photocaption.image.decode import ImageLimits, decode
from photocaption.image.preprocessing import prepare
from photocaption.model.manifest import ImageSpec

# `photocaption.image.decode` silences Pillow for the program; pytest turns every warning into an error again.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:::PIL.{module}")
    for module in ("Image", "JpegImagePlugin", "PngImagePlugin", "TiffImagePlugin")
]

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]
RED, WHITE = (255, 0, 0), (255, 255, 255)
JFIF = b"JFIF\0\1\1\0\0\1\0\1\0\0"
ADOBE = b"Adobe\0\x64\0\0\0\0"

# How a photo is stored for each orientation: the inverse of what the viewer does.
UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
WITH_METADATA: dict[str, dict[str, Any]] = {
    "JPEG": {"exif": exif_of(6), "progressive": True},
    "PNG": {"exif": exif_of(8)},
    "TIFF": {"compression": "tiff_lzw"},
}


def pixel(image: Image.Image, x: int = 0, y: int = 0) -> tuple[int, ...]:
    value = image.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


def close_to(colour: tuple[int, ...], tolerance: int = 4) -> object:
    return pytest.approx(colour, abs=tolerance)


def make_detailed(width: int, height: int) -> Image.Image:
    """Smooth shapes with some grain, as photos have."""
    random_values = np.random.default_rng(0)
    coarse = random_values.integers(0, 256, (height // 30 + 1, width // 30 + 1, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), np.int16)
    grain = random_values.integers(-8, 9, smooth.shape, dtype=np.int16)
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


def brightness(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    weighted: npt.NDArray[np.float64] = pixels @ np.array([0.299, 0.587, 0.114])
    return weighted


def assert_decoded_or_refused(data: bytes) -> None:
    with contextlib.suppress(ImageError):
        image, info = decode(data, ImageLimits(max_pixels=10_000_000, max_held_pixels=10_000_000), sufficient_side=8)
        assert image.mode in {"RGB", "YCbCr"}
        assert info.width > 0


class TestModes:
    @pytest.mark.parametrize(
        ("mode", "format_name"),
        [
            *[(mode, "PNG") for mode in ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]],
            *[(mode, "TIFF") for mode in ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "CMYK", "YCbCr"]],
            *[(mode, "JPEG") for mode in ["L", "RGB", "CMYK"]],
            *[(mode, "GIF") for mode in ["L", "P", "RGB", "RGBA"]],
            *[(mode, "WEBP") for mode in ["L", "RGB", "RGBA"]],
            *[(mode, "BMP") for mode in ["1", "L", "P", "RGB", "RGBA"]],
        ],
    )
    @pytest.mark.parametrize("side", [1, 40, 700])
    def test_every_mode_becomes_one_of_colour(self, mode: str, format_name: str, side: int) -> None:
        data = encode_photo(Image.new("L", (side, side), 200).convert(mode), format_name)

        assert decode(data)[0].mode == "RGB"

        image, info = decode(data, sufficient_side=100)

        assert image.mode == "RGB" or (image.mode, format_name) in {("YCbCr", "JPEG"), ("YCbCr", "TIFF")}
        assert (info.width, info.height) == (side, side)

    @pytest.mark.parametrize(
        ("mode", "format_name"), [("L", "JPEG"), ("CMYK", "JPEG"), ("YCbCr", "TIFF"), ("P", "PNG")]
    )
    def test_every_mode_keeps_its_colours_when_it_is_shrunk(self, mode: str, format_name: str) -> None:
        data = encode_photo(Image.new("L", (700, 700), 200).convert(mode), format_name)

        shrunk, info = decode(data, sufficient_side=100)

        assert (info.width, info.height) == (700, 700)
        assert max(shrunk.size) < 200
        assert pixel(shrunk.convert("RGB")) == close_to(pixel(decode(data)[0]))

    @pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "P"])
    def test_colours_stay(self, mode: str) -> None:
        image, _ = decode(encode_photo(Image.new("RGB", (20, 20), (200, 200, 200)).convert(mode), "TIFF"))

        assert pixel(image) == close_to((200, 200, 200))

    def test_grey_of_16_bits_keeps_its_brightness(self) -> None:
        image, _ = decode(encode_photo(Image.fromarray(np.full((4, 4), 0x8000, np.uint16))))

        assert pixel(image) == (128, 128, 128)

    @pytest.mark.parametrize("dtype", [np.int32, np.float32])
    def test_values_without_an_agreed_range_are_stretched(self, dtype: type) -> None:
        image, _ = decode(encode_photo(Image.fromarray(np.array([[-5, 0], [0, 5]], dtype)), "TIFF"))

        assert [pixel(image, 0, 0), pixel(image, 1, 0), pixel(image, 1, 1)] == [(0,) * 3, (127,) * 3, (255,) * 3]

    def test_values_that_are_no_numbers_do_not_matter(self) -> None:
        image, _ = decode(encode_photo(Image.fromarray(np.array([[np.nan, np.inf], [0, 5]], np.float32)), "TIFF"))

        assert pixel(image, 1, 1) == WHITE

    @pytest.mark.parametrize(
        ("mode", "format_name"), [("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "WEBP"), ("RGBA", "TIFF")]
    )
    @pytest.mark.parametrize("side", [10, 1000])
    def test_what_is_transparent_is_white(self, mode: str, format_name: str, side: int) -> None:
        image, _ = decode(
            encode_photo(Image.new("RGBA", (side, side), (0, 0, 0, 0)).convert(mode), format_name), sufficient_side=10
        )

        assert pixel(image) == WHITE

    @pytest.mark.parametrize("side", [None, 1])
    def test_a_transparent_grey_of_16_bits_is_white(self, side: int | None) -> None:
        values = np.full((4, 4), 0x1234, np.uint16)
        values[:, 2:] = 0x1235
        data = encode_photo(Image.fromarray(values))
        data = data[:33] + png_chunk(b"tRNS", b"\x12\x34") + data[33:]

        image, _ = decode(data, sufficient_side=side)

        if side is None:
            assert [pixel(image, 0, 0), pixel(image, 3, 0)] == [WHITE, (0x12,) * 3]
        else:
            assert pixel(image)[0] == pytest.approx((255 + 0x12) // 2, abs=1)

    def test_what_is_half_transparent_is_half_white(self) -> None:
        image, _ = decode(encode_photo(Image.new("RGBA", (8, 8), (255, 0, 0, 128))))

        assert pixel(image) == close_to((255, 127, 127))

    @pytest.mark.parametrize("mode", ["P", "L", "RGB", "1"])
    def test_a_transparent_colour_is_white(self, mode: str) -> None:
        photo = Image.new("RGB", (8, 8), (0, 0, 0)).convert(mode)
        key = (0, 0, 0) if mode == "RGB" else photo.getpixel((0, 0))

        image, _ = decode(encode_photo(photo, transparency=key))

        assert pixel(image) == WHITE

    @pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG", "TIFF"])
    def test_the_first_frame_counts(self, format_name: str) -> None:
        image, _ = decode(animation(format_name, ["red", "green", "blue"]))

        assert pixel(image) == close_to(RED, 6)


class TestOrientation:
    @pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "TIFF"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_a_photo_comes_out_as_it_is_seen(self, format_name: str, orientation: int) -> None:
        seen = Image.new("RGB", (96, 64), "white")
        seen.paste((255, 0, 0), (0, 0, 32, 32))
        stored = seen.transpose(UNDO[orientation]) if orientation in UNDO else seen

        image, info = decode(encode_photo(stored, format_name, exif=exif_of(orientation)))

        assert image.size == (info.width, info.height) == (96, 64)
        assert [pixel(image, 10, 10), pixel(image, 80, 10), pixel(image, 10, 50)] == [
            close_to(RED, 8),
            close_to(WHITE),
            close_to(WHITE),
        ]

    @pytest.mark.parametrize(
        "exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"\xff" * 99]
    )
    def test_damaged_metadata_is_no_reason_to_refuse_a_photo(self, exif: bytes) -> None:
        image, _ = decode(encode_photo(Image.new("RGB", (8, 8), "red"), "JPEG", exif=exif))

        assert pixel(image) == close_to(RED)

    @pytest.mark.parametrize("orientation", [0, 9, 65535])
    def test_an_orientation_that_does_not_exist_is_none(self, orientation: int) -> None:
        image, info = decode(encode_photo(Image.new("RGB", (8, 4)), "JPEG", exif=exif_of(orientation)))

        assert image.size == (info.width, info.height) == (8, 4)


class TestRecognition:
    @pytest.mark.parametrize("format_name", ["ICO", "PPM", "TGA", "JPEG2000", "EPS", "PDF", "PCX", "SGI"])
    def test_formats_that_are_not_on_the_allowlist_are_refused_though_pillow_reads_them(self, format_name: str) -> None:
        with pytest.raises(UnsupportedImageError, match="JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF"):
            decode(encode_photo(Image.new("RGB", (32, 32)), format_name))

    @pytest.mark.parametrize(
        "data", [b"", b"\0", b"hello", b"<svg/>", b"PK\3\4", b"%PDF-1.7", b"RIFF\0\0\0\0WAVE", b"\xff\xd8"]
    )
    def test_what_is_no_picture_is_refused(self, data: bytes) -> None:
        with pytest.raises(UnsupportedImageError):
            decode(data)

    @pytest.mark.parametrize("format_name", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
    def test_what_follows_a_picture_does_not_matter(self, format_name: str) -> None:
        film = random.Random(0).randbytes(2_000_000)

        image, _ = decode(encode_photo(Image.new("RGB", (8, 8), "red"), format_name) + b"PK\3\4<script>" + film)

        assert pixel(image) == close_to(RED, 6)

    def test_a_phone_that_packs_several_pictures_into_a_jpeg_sends_the_first(self) -> None:
        stream = io.BytesIO()
        Image.new("RGB", (900, 900), "red").save(
            stream, "MPO", save_all=True, append_images=[Image.new("RGB", (900, 900))]
        )

        image, info = decode(stream.getvalue(), sufficient_side=100)

        assert (info.format, image.size) == ("JPEG", (113, 113))
        assert pixel(image.convert("RGB")) == close_to(RED)

    def test_only_the_decoders_of_the_allowlist_are_ever_loaded(self) -> None:
        program = (
            "import sys, io; from PIL import Image; from photocaption.image.decode import decode\n"
            "data = io.BytesIO(); Image.new('RGB', (8, 8)).save(data, 'TIFF'); decode(data.getvalue())\n"
            "print([name for name in sys.modules if name.endswith('ImagePlugin')])"
        )

        loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

        assert "TiffImagePlugin" in loaded
        assert not any(name in loaded for name in ["EpsImagePlugin", "PdfImagePlugin", "PsdImagePlugin"])


class TestDamage:
    @pytest.mark.parametrize("format_name", FORMATS)
    def test_a_picture_cut_off_anywhere_is_refused_or_decoded(self, format_name: str) -> None:
        data = encode_photo(make_photo("red"), format_name)

        for length in range(0, len(data), max(1, len(data) // 300)):
            assert_decoded_or_refused(data[:length])

    @pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
    def test_a_picture_cut_in_the_middle_is_called_damaged(self, format_name: str) -> None:
        data = encode_photo(make_detailed(100, 100), format_name)

        with pytest.raises(UndecodableImageError, match="damaged or incomplete"):
            decode(data[: len(data) // 2])

    def test_a_picture_on_which_the_decoder_breaks_is_called_damaged(self) -> None:
        data = bytearray(encode_photo(make_photo("blue"), "PNG"))
        data[11] = 4  # the length of the header, for which Pillow raises a ValueError

        with pytest.raises(UndecodableImageError, match="damaged or incomplete"):
            decode(bytes(data))

    @settings(max_examples=200)
    @given(data=st.data(), format_name=st.sampled_from(FORMATS))
    def test_a_picture_with_random_bytes_in_it_is_refused_or_decoded(
        self, data: st.DataObject, format_name: str
    ) -> None:
        damaged = bytearray(
            encode_photo(make_photo("blue", size=(24, 24)), format_name, **WITH_METADATA.get(format_name, {}))
        )
        for position in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=8)):
            damaged[position] = data.draw(st.integers(0, 255))

        assert_decoded_or_refused(bytes(damaged))

    @given(
        junk=st.binary(max_size=300),
        start=st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0+"]),
    )
    def test_junk_after_a_signature_is_refused_or_decoded(self, junk: bytes, start: bytes) -> None:
        assert_decoded_or_refused(start + junk)


class TestLimits:
    @pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (2**31 - 1, 1), (20_001, 10), (10_000, 5_001)])
    def test_a_bomb_is_refused_by_its_header(self, width: int, height: int) -> None:
        with pytest.raises(ImageTooLargeError):
            decode(png_claiming(width, height))

    def test_the_refusal_names_the_size_and_the_limits(self) -> None:
        with pytest.raises(
            ImageTooLargeError, match=r"8000 × 7000 pixels\..* 50 megapixels .* 40 .* 20 .* 10 of a WebP, .* 25"
        ):
            decode(png_claiming(8_000, 7_000))

    @pytest.mark.parametrize(
        ("format_name", "options", "pixels_held"),
        [
            ("JPEG", {}, 10_000),  # a quarter of its sides
            ("JPEG", {"progressive": True}, 10_000 + 53_334),  # and 3 bytes for each pixel
            ("JPEG", {"progressive": True, "subsampling": 0}, 10_000 + 106_667),
            ("PNG", {}, 160_000),
            ("WEBP", {}, 320_000),
        ],
    )
    def test_what_counts_is_what_has_to_be_held(
        self, format_name: str, options: dict[str, Any], pixels_held: int
    ) -> None:
        data = encode_photo(Image.new("RGB", (400, 400)), format_name, **options)

        decode(data, ImageLimits(max_held_pixels=pixels_held), sufficient_side=100)

        with pytest.raises(ImageTooLargeError):
            decode(data, ImageLimits(max_held_pixels=pixels_held - 1), sufficient_side=100)

    def test_scans_count_by_the_pixels_that_they_go_through(self) -> None:
        data = jpeg_scanned_again(14)
        scanned = 20 * 1_000_000  # six scans are there anyway
        decode(data, ImageLimits(max_pixels=scanned // 6 + 1))

        with pytest.raises(ImageTooLargeError, match="20 times through its 1000 × 1000 pixels"):
            decode(data, ImageLimits(max_pixels=scanned // 6 - 1))

    @pytest.mark.parametrize(
        ("format_name", "options", "is_long"),
        [("JPEG", {}, False), ("JPEG", {"progressive": True}, True), ("PNG", {}, True), ("WEBP", {}, True)],
    )
    def test_what_takes_long_is_not_begun_where_only_brief_work_is_wanted(
        self, format_name: str, options: dict[str, Any], *, is_long: bool
    ) -> None:
        data = encode_photo(Image.new("RGB", (2600, 1600)), format_name, **options)

        with pytest.raises(LongDecodingError) if is_long else contextlib.nullcontext():
            decode(data, sufficient_side=336, brief=True)

    @pytest.mark.parametrize("format_name", ["AVIF", "HEIF"])
    def test_of_what_takes_longer_a_byte_fewer_bytes_are_brief(self, format_name: str) -> None:
        photo = encode_photo(Image.new("RGB", (64, 64)), format_name)
        room = 2 * 2**20

        decode(photo, sufficient_side=336, brief=True)
        with pytest.raises(LongDecodingError):
            decode(photo + struct.pack(">I4s", 8 + room, b"free") + bytes(room), sufficient_side=336, brief=True)

    @pytest.mark.parametrize(
        "data",
        [
            jpeg_scanned_again(10_000),
            jpeg_flooded(1_000_000),
            jpeg_flooded(1_000_000, segment=b"\xff\xe9\x00\x02"),
            jpeg_flooded(5_000_000, segment=b"\xff"),
            jpeg_flooded(5_000_000, segment=b"\0"),
            exif_flooded(60_000),
            png_flooded(500_000),
            gif_flooded(2_000_000),
            tiff_flooded(60_000),
            tiff_flooded(400_000, big=True),
            b"\xff\xd8\xff" + bytes(30_000_000),
        ],
        ids=[
            "scans",
            "comments",
            "segments",
            "padding",
            "gaps",
            "EXIF tags",
            "chunks",
            "blocks",
            "tags",
            "big tags",
            "nothing",
        ],
    )
    def test_a_file_that_would_keep_its_decoder_busy_is_refused_at_once(self, data: bytes) -> None:
        begun = time.process_time()

        with pytest.raises(UndecodableImageError):
            decode(data)

        assert time.process_time() - begun < 0.5

    @pytest.mark.parametrize(
        "data",
        [
            png_beginning_with(*[png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(4 * 2**20)))] * 500),
            png_beginning_with(*[png_chunk(b"eXIf", tiff_flooded(6_000))] * 400),
            webp_ending_with(*[(b"EXIF", tiff_flooded(6_000))] * 400),
            jpeg_flooded(450, jpeg_segment(0xE1, b"Exif\0\0" + bytes(65_000))),
            jpeg_flooded(1, jpeg_segment(0xE2, b"ICC_PROFILE\0\1\1" + profile_in_steps(8_000))),
        ],
        ids=["profiles", "PNG tags", "WebP tags", "JPEG tags", "steps of a profile"],
    )
    def test_what_a_file_says_again_and_again_is_read_once(self, data: bytes) -> None:
        begun = time.process_time()

        assert decode(data)[1].width == 8

        assert time.process_time() - begun < 0.5

    def test_a_profile_of_a_few_steps_is_used(self) -> None:
        red = Image.new("RGB", (8, 8), (200, 30, 30))

        assert to_rgb(red, profile_in_steps(3)).getpixel((0, 0)) == (0, 255, 12)
        assert to_rgb(red, profile_in_steps(100)).getpixel((0, 0)) == (200, 30, 30)

    def test_what_a_file_says_twice_counts_as_it_says_it_first(self) -> None:
        twice = [exif_of(6), exif_of(1)]
        png = png_beginning_with(*[png_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")) for exif in twice])
        webp = webp_ending_with(*[(b"EXIF", exif) for exif in twice])

        for data in (png, webp):
            info = decode(data)[1]
            assert (info.width, info.height) == (4, 8)

    def test_a_tile_counts_however_little_of_it_is_seen(self) -> None:
        data = tiff_in_one_tile(1_984, seen=100)
        decode(data, sufficient_side=336, brief=True)

        with pytest.raises(LongDecodingError):
            decode(tiff_in_one_tile(3_072, seen=100), sufficient_side=336, brief=True)
        with pytest.raises(ImageTooLargeError):
            decode(data, ImageLimits(max_held_pixels=1_984**2 - 1))

    def test_a_large_file_is_not_even_read_where_only_brief_work_is_wanted(self) -> None:
        photo = encode_photo(Image.new("RGB", (64, 64)), "JPEG")
        film = bytes(16 * 2**20)

        decode(photo + film[: -len(photo)], sufficient_side=336, brief=True)
        with pytest.raises(LongDecodingError):
            decode(photo + film, sufficient_side=336, brief=True)

    @pytest.mark.parametrize(
        "data", [jpeg_scanned_again(20), jpeg_flooded(500), png_flooded(5_000), gif_flooded(10_000)]
    )
    def test_a_file_that_is_only_verbose_is_decoded(self, data: bytes) -> None:
        assert decode(data)[0].mode == "RGB"


class TestShrinking:
    @pytest.mark.parametrize(
        ("format_name", "size"), [("JPEG", (1000, 750)), ("PNG", (667, 500)), ("WEBP", (667, 500))]
    )
    def test_a_large_picture_comes_out_smaller_but_sufficient(self, format_name: str, size: tuple[int, int]) -> None:
        image, info = decode(encode_photo(Image.new("RGB", (2000, 1500)), format_name), sufficient_side=448)

        assert image.size == size
        assert (info.width, info.height) == (2000, 1500)

    @pytest.mark.parametrize("size", [(100, 100), (448, 448), (895, 895), (448, 5000)])
    @pytest.mark.parametrize("format_name", ["JPEG", "PNG"])
    def test_a_picture_that_is_barely_sufficient_stays(self, format_name: str, size: tuple[int, int]) -> None:
        assert decode(encode_photo(Image.new("RGB", size), format_name), sufficient_side=448)[0].size == size

    @pytest.mark.parametrize(("format_name", "most"), [("JPEG", 3.2), ("PNG", 1.0)])  # YCbCr clips colours this loud
    @pytest.mark.parametrize("size", [(1000, 1000), (1500, 1000), (3000, 2000)])
    def test_the_encoder_hardly_sees_a_difference(self, format_name: str, most: float, size: tuple[int, int]) -> None:
        data = encode_photo(make_detailed(*size), format_name)
        spec = ImageSpec(height=299, width=299, canonical_size=224, resample="bicubic")

        whole = prepare(decode(data)[0], spec)
        shrunk = prepare(decode(data, sufficient_side=448)[0], spec)

        assert np.abs(whole.astype(int) - shrunk).mean() < most
        assert np.abs(brightness(whole) - brightness(shrunk)).mean() < 1

    def test_a_jpeg_comes_as_it_is_kept(self) -> None:
        data = encode_photo(Image.new("RGB", (200, 200), RED), "JPEG")

        assert decode(data, sufficient_side=100)[0].mode == "YCbCr"
        assert decode(data, sufficient_side=101)[0].mode == decode(data)[0].mode == "RGB"

    @pytest.mark.parametrize("keep_rgb", [False, True])
    @pytest.mark.parametrize("jfif", [None, JFIF, JFIF[:9], b"JFIFX" + JFIF[5:]])
    @pytest.mark.parametrize("adobe", [None, ADOBE + b"\0", ADOBE + b"\1", ADOBE + b"\2", ADOBE])
    def test_a_jpeg_has_the_same_colours_however_it_keeps_them(
        self, keep_rgb: bool, jfif: bytes | None, adobe: bytes | None
    ) -> None:
        marks = [jpeg_segment(kind, mark) for kind, mark in ((0xE0, jfif), (0xEE, adobe)) if mark is not None]
        data = jpeg_marked(Image.new("RGB", (200, 200), (200, 40, 90)), *marks, keep_rgb=keep_rgb)

        whole, shrunk = decode(data)[0], decode(data, sufficient_side=100)[0]

        assert shrunk.size == (100, 100)
        assert pixel(shrunk.convert("RGB")) == close_to(pixel(whole), tolerance=2)

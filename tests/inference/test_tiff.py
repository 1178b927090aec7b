"""A TIFF is read by its tags, or refused as a kind that is not read; the values in these files are known."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from support.photos import encode_photo
from support.tiff_files import tiff_of

from photocaption.errors import UnsupportedImageError
from photocaption.image.decode import decode

ORDERS = pytest.mark.parametrize("order", ["<", ">"])
PACKINGS = pytest.mark.parametrize("deflated", [False, True])
HEIGHT, WIDTH = 19, 23
Pixels = npt.NDArray[np.uint8]


def make_pixels(channels: int) -> Pixels:
    """[height, width, channels]: no two channels, rows or columns are alike."""
    rows, columns, channel = np.mgrid[:HEIGHT, :WIDTH, :channels]
    pixels: Pixels = ((rows * 11 + columns * 5 + channel * 83) % 256).astype(np.uint8)
    return pixels


def read(data: bytes) -> npt.NDArray[np.int16]:
    return np.asarray(decode(data)[0], np.int16)


def widest(read_pixels: npt.NDArray[np.int16], expected: Pixels) -> int:
    """How far a value is from what it should be, at most. Grey is the same in every channel."""
    assert read_pixels.shape == (HEIGHT, WIDTH, 3)
    return int(np.abs(read_pixels - expected.astype(np.int16)).max())


@ORDERS
@PACKINGS
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
class TestColour:
    def test_rgb(self, order: str, deflated: bool, planar: bool, bits: int) -> None:
        pixels = make_pixels(3)
        values = pixels if bits == 8 else pixels.astype(np.uint16) * 257

        assert widest(read(tiff_of(values, 2, order=order, deflated=deflated, planar=planar)), pixels) == 0

    @pytest.mark.parametrize("alpha", [0, 2])
    def test_rgb_with_a_fourth_channel(self, order: str, deflated: bool, planar: bool, bits: int, alpha: int) -> None:
        pixels = make_pixels(4)
        values = pixels if bits == 8 else pixels.astype(np.uint16) * 257
        data = tiff_of(values, 2, order=order, deflated=deflated, planar=planar, tags={338: (3, [alpha])})
        opacity = pixels[:, :, 3:] / 255 if alpha else 1
        seen = (pixels[:, :, :3] * opacity + 255 * (1 - opacity)).round().astype(np.uint8)

        assert widest(read(data), seen) <= 1

    def test_premultiplied_alpha(self, order: str, deflated: bool, planar: bool, bits: int) -> None:
        pixels = make_pixels(4) // 2
        pixels[:, :, 3] = 200
        values = pixels if bits == 8 else pixels.astype(np.uint16) * 257
        data = tiff_of(values, 2, order=order, deflated=deflated, planar=planar, tags={338: (3, [1])})

        assert widest(read(data), pixels[:, :, :3] + 55) <= 1

    def test_cmyk(self, order: str, deflated: bool, planar: bool, bits: int) -> None:
        pixels = make_pixels(4)
        values = pixels if bits == 8 else pixels.astype(np.uint16) * 257
        data = tiff_of(values, 5, order=order, deflated=deflated, planar=planar)
        ink = pixels.astype(float)
        seen = ((255 - ink[:, :, :3]) * (255 - ink[:, :, 3:]) / 255).round().astype(np.uint8)

        assert widest(read(data), seen) <= 2


@ORDERS
@PACKINGS
@pytest.mark.parametrize("negative", [False, True])
class TestGrey:
    @pytest.mark.parametrize("bits", [1, 2, 4, 8])
    def test_few_bits(self, order: str, deflated: bool, negative: bool, bits: int) -> None:
        values = make_pixels(1) >> (8 - bits)
        pixels = (values.astype(int) * 255 // (2**bits - 1)).astype(np.uint8)
        data = tiff_of(values, 0 if negative else 1, order=order, deflated=deflated, bits=bits)

        assert widest(read(data), 255 - pixels if negative else pixels) == 0

    @pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
    def test_many_bits(self, order: str, deflated: bool, negative: bool, dtype: type) -> None:
        pixels = make_pixels(1)
        values = pixels.astype(dtype) << (np.dtype(dtype).itemsize * 8 - 8)
        data = tiff_of(values, 0 if negative else 1, order=order, deflated=deflated)

        assert widest(read(data), 255 - pixels if negative else pixels) <= 1

    @pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
    def test_values_without_an_agreed_range(self, order: str, deflated: bool, negative: bool, dtype: type) -> None:
        pixels = make_pixels(1)
        pixels[0, 0], pixels[0, 1] = 0, 255
        values: npt.NDArray[Any] = pixels.astype(dtype) * 7 - 50
        data = tiff_of(values, 0 if negative else 1, order=order, deflated=deflated)

        assert widest(read(data), 255 - pixels if negative else pixels) <= 1

    def test_floats_between_black_and_white(self, order: str, deflated: bool, negative: bool) -> None:
        pixels = make_pixels(1) // 2 + 20  # neither black nor white occurs
        data = tiff_of((pixels / 255).astype(np.float32), 0 if negative else 1, order=order, deflated=deflated)

        assert widest(read(data), 255 - pixels if negative else pixels) <= 1


@ORDERS
@PACKINGS
class TestFurther:
    @pytest.mark.parametrize("bits", [1, 2, 4, 8])
    @pytest.mark.parametrize("scale", [1, 257])
    def test_palettes(self, order: str, deflated: bool, bits: int, scale: int) -> None:
        palette = np.random.default_rng(0).integers(0, 256, (2**bits, 3))
        palette[0] = 255, 0, 3
        values = make_pixels(1) >> (8 - bits)
        tags = {320: (3, (palette.T.ravel() * scale).tolist())}
        data = tiff_of(values, 3, order=order, deflated=deflated, bits=bits, tags=tags)

        assert widest(read(data), palette[values[:, :, 0]].astype(np.uint8)) == 0

    @pytest.mark.parametrize("planar", [False, True])
    @pytest.mark.parametrize("rows", [1, 7, HEIGHT])
    def test_bigtiff(self, order: str, deflated: bool, planar: bool, rows: int) -> None:
        pixels = make_pixels(3)
        data = tiff_of(
            pixels,
            2,
            order=order,
            deflated=deflated,
            planar=planar,
            rows_per_strip=rows,
            tags={274: (3, [3])},
            big=True,
        )

        assert widest(read(data), pixels[::-1, ::-1]) == 0

    @pytest.mark.parametrize(("alpha", "seen"), [(0, 100), (2, 193), (999, 100)])
    def test_grey_with_a_second_channel(self, order: str, deflated: bool, alpha: int, seen: int) -> None:
        values = np.full((HEIGHT, WIDTH, 2), 100, np.uint8)
        data = tiff_of(values, 1, order=order, deflated=deflated, tags={338: (3, [alpha])})

        assert widest(read(data), np.full((1, 1, 1), seen + (alpha == 2), np.uint8)) <= 1

    def test_lab(self, order: str, deflated: bool) -> None:
        values = np.tile(np.array([136, 80, 67], np.uint8), (HEIGHT, WIDTH, 1))  # red: L 53.2, a 80.1, b 67.2

        assert widest(read(tiff_of(values, 8, order=order, deflated=deflated)), np.array([254, 0, 0], np.uint8)) <= 12

    def test_ycbcr_that_is_not_subsampled(self, order: str, deflated: bool) -> None:
        values = np.tile(np.array([76, 85, 255], np.uint8), (HEIGHT, WIDTH, 1))
        tags = {530: (3, [1, 1])}

        assert (
            widest(read(tiff_of(values, 6, order=order, deflated=deflated, tags=tags)), np.array([254, 0, 0], np.uint8))
            <= 3
        )

    @pytest.mark.parametrize("kind", [1, 3, 4])
    def test_orientation_in_any_size_of_number(self, order: str, deflated: bool, kind: int) -> None:
        pixels = make_pixels(3)
        data = tiff_of(pixels, 2, order=order, deflated=deflated, tags={274: (kind, [6])})

        image, info = decode(data)

        assert (info.width, info.height) == (HEIGHT, WIDTH)
        assert np.array_equal(np.asarray(image), np.rot90(pixels, -1))

    def test_what_pixels_do_not_need_never_refuses_them(self, order: str, deflated: bool) -> None:
        pixels = make_pixels(3)
        beyond = {number: (4, [2**31]) for number in (330, 34665, 34853, 40965)}
        damaged = {270: (3, [9] * 9), 282: (1, [0]), 700: (4, [7]), 34377: (1, [8]), 34675: (1, [1, 2, 3]), **beyond}
        data = tiff_of(pixels, 2, order=order, deflated=deflated, tags=damaged)

        assert widest(read(data), pixels) == 0


@pytest.mark.parametrize(
    ("values", "photometric", "tags", "name"),
    [
        (make_pixels(3).astype(np.float32), 2, {}, "RGB of 32 bits, floating point"),
        (make_pixels(1).astype(np.float64), 1, {}, "grey of 64 bits, floating point"),
        (make_pixels(1).astype(np.float16), 1, {}, "grey of 16 bits, floating point"),
        (make_pixels(1).astype(np.int8), 1, {}, "grey of 8 bits, signed"),
        (make_pixels(3).astype(np.uint16), 8, {}, "Lab of 16 bits"),
        (make_pixels(3), 9, {}, "ICC Lab"),
        (make_pixels(2).astype(np.uint16), 1, {338: (3, [2])}, "grey of 16 bits in 2 channels"),
        (make_pixels(4), 5, {332: (3, [2])}, "inks of 8 bits in 4 channels"),
        (make_pixels(5), 5, {338: (3, [2])}, "inks of 8 bits in 5 channels"),
        (make_pixels(3), 32845, {}, "LogLuv"),
        (make_pixels(1), 32803, {}, "raw photo"),
        (make_pixels(3), 2, {50706: (1, [1, 4, 0, 0])}, "raw photo"),
        (make_pixels(3), 2, {254: (4, [1]), 330: (4, [8])}, "raw photo"),
        (make_pixels(3), 2, {259: (3, [34712])}, "compression 34712"),
        (make_pixels(3), 2, {259: (3, [50001])}, "compression 50001"),
        (make_pixels(1).astype(np.uint16), 1, {259: (3, [7])}, "grey of 16 bits, JPEG"),
    ],
)
def test_kinds_that_are_not_read_are_named(
    values: npt.NDArray[np.uint8], photometric: int, tags: dict[int, tuple[int, list[int]]], name: str
) -> None:
    with pytest.raises(UnsupportedImageError, match=name):
        decode(tiff_of(values, photometric, tags=tags))


@pytest.mark.parametrize("compression", ["lzma", "zstd", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate"])
def test_each_compression_that_is_named_is_there(compression: str) -> None:
    picture = Image.fromarray(make_pixels(3))

    assert widest(read(encode_photo(picture, "TIFF", compression=compression)), make_pixels(3)) == 0


def test_canons_raw_photos_are_named() -> None:
    data = tiff_of(make_pixels(3), 2)

    with pytest.raises(UnsupportedImageError, match="raw photo"):
        decode(data[:8] + b"CR\2\0" + data[12:])


def test_values_of_12_bits_are_not_read() -> None:
    with pytest.raises(UnsupportedImageError, match="grey of 12 bits"):
        decode(tiff_of(make_pixels(1).astype(np.uint16) * 16, 1, bits=12))

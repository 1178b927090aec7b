"""A program gives its photo as it has it: a path, bytes, or a Pillow image."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.photos import encode_photo, make_photo, photo_bytes

from photocaption.captioner import Captioner
from photocaption.image.decode import decode
from photocaption.image.source import Photo, read_photo

RED = photo_bytes("red")


@pytest.mark.parametrize("give", [Path, str, lambda path: path.read_bytes(), Image.open])
def test_a_path_its_bytes_and_an_image_get_the_same_caption(
    captioner: Captioner, tmp_path: Path, give: Callable[[Path], Photo]
) -> None:
    path = tmp_path / "red.png"
    path.write_bytes(RED)

    assert captioner.caption(give(path)).caption == "a red square"


@pytest.mark.parametrize("give", [bytes, bytearray, memoryview])
def test_bytes_are_taken_in_each_of_their_kinds(give: Callable[[bytes], Photo]) -> None:
    assert read_photo(give(RED)) == RED


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "I", "F"])
def test_an_image_of_any_mode_is_taken(mode: str) -> None:
    image = make_photo("white").convert("L" if mode in {"I", "F"} else "RGB").convert(mode)

    decoded, info = decode(read_photo(image))

    assert (info.width, info.height) == image.size
    assert decoded.convert("RGB").getpixel((32, 32)) == pytest.approx((255, 255, 255), abs=2)


def test_the_pixels_of_an_image_are_kept() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)

    decoded, _ = decode(read_photo(Image.fromarray(noise)))

    assert np.array_equal(np.asarray(decoded.convert("RGB")), noise)


def test_an_image_stands_upright_whatever_its_exif_says() -> None:
    turned = make_photo("red", size=(60, 40))
    exif = Image.Exif()
    exif[274] = 6
    file = encode_photo(turned, "JPEG", exif=exif)

    with Image.open(io.BytesIO(file)) as image:
        _, info = decode(read_photo(image))

    assert (info.width, info.height) == (40, 60)


@pytest.mark.parametrize("wrong", [None, 7, ["photo.jpg"], np.zeros((4, 4, 3), np.uint8)])
def test_anything_else_is_a_type_error_that_says_what_is_wanted(wrong: Photo) -> None:
    with pytest.raises(TypeError, match=f"a photo is a path, bytes or a Pillow image, not {type(wrong).__name__}"):
        read_photo(wrong)


def test_a_path_to_nothing_is_an_error_of_the_system(captioner: Captioner, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        captioner.caption(tmp_path / "none.jpg")

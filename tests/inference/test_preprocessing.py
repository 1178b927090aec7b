"""The encoder's input, to the byte: captions are only comparable while these values stay."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from photocaption.image.preprocessing import prepare
from photocaption.model.manifest import ImageSpec

XCEPTION = ImageSpec(height=299, width=299, canonical_size=224, resample="bicubic")


def make_gradient(width: int, height: int) -> Image.Image:
    """Red grows to the right, green downwards, blue in steps: every resizing error shows."""
    rows, columns = np.mgrid[0:height, 0:width]
    blue = ((rows // 8 + columns // 8) % 2) * 255
    return Image.fromarray(np.stack([columns * 255 // width, rows * 255 // height, blue], axis=2).astype(np.uint8))


def test_the_values_of_a_known_picture_do_not_change() -> None:
    pixels = prepare(make_gradient(640, 480), XCEPTION)

    assert pixels.shape == (299, 299, 3)
    assert pixels.dtype == np.uint8
    assert (
        hashlib.sha256(pixels.tobytes()).hexdigest()
        == "3379e49c15344fbbfa8c1e6f5db1a08ffcd94ad4d049c67150336129d7f0c0fb"
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (640, 480), (224, 224), (299, 299), (3000, 200)])
def test_any_shape_is_squashed_to_the_input_size(size: tuple[int, int]) -> None:
    spec = ImageSpec(height=60, width=80, canonical_size=40, resample="bicubic")

    assert prepare(Image.new("RGB", size, (10, 20, 30)), spec).shape == (60, 80, 3)
    assert np.abs(prepare(Image.new("RGB", size, (10, 20, 30)), spec) - np.array([10, 20, 30])).max() <= 2


def test_the_brightness_of_a_photo_of_the_canonical_size_is_resized_once() -> None:
    photo = make_gradient(224, 224).convert("L").convert("RGB")

    expected = np.asarray(photo.resize((299, 299), Image.Resampling.BICUBIC), int)

    assert np.abs(prepare(photo, XCEPTION) - expected).max() <= 2


def test_colour_has_half_the_resolution_of_brightness() -> None:
    spec = ImageSpec(height=40, width=40, canonical_size=40, resample="bicubic")
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (200, 0, 0), (0, 102, 0)  # about equally bright

    pixels = prepare(Image.fromarray(stripes), spec)[5:35, 5:35].astype(int)

    assert np.ptp(pixels[..., 0] - pixels[..., 1]) < 20
    assert np.ptp(prepare(Image.fromarray(255 * (stripes > 150)[..., :1].repeat(3, 2).astype(np.uint8)), spec)) == 255


def test_without_a_canonical_size_a_large_photo_keeps_more_detail() -> None:
    photo = make_gradient(1200, 900)
    direct = ImageSpec(height=299, width=299, canonical_size=None, resample="bicubic")

    expected = np.asarray(photo.resize((299, 299), Image.Resampling.BICUBIC))

    assert (prepare(photo, direct) == expected).all()
    assert not (prepare(photo, XCEPTION) == expected).all()


def test_the_array_belongs_to_the_caller() -> None:
    assert prepare(make_gradient(299, 299), XCEPTION.model_copy(update={"canonical_size": None})).flags.writeable


@pytest.mark.parametrize("canonical_size", [224, None])
@pytest.mark.parametrize("size", [(640, 480), (577, 433), (300, 900)])
def test_a_photo_in_ycbcr_gives_what_it_would_in_rgb(size: tuple[int, int], canonical_size: int | None) -> None:
    spec = XCEPTION.model_copy(update={"canonical_size": canonical_size})
    photo = make_gradient(*size).resize((20, 20)).resize(size, Image.Resampling.BICUBIC).convert("YCbCr")

    difference = prepare(photo, spec) - prepare(photo.convert("RGB"), spec).astype(int)

    assert np.abs(difference).mean() < 1.5
    assert np.abs(difference).max() < 30


def test_a_photo_in_ycbcr_may_have_any_shape() -> None:
    spec = ImageSpec(height=60, width=80, canonical_size=1, resample="bicubic")

    assert prepare(Image.new("YCbCr", (1, 500), (128, 128, 128)), spec).shape == (60, 80, 3)

"""Each training photo has a few views of itself, the same ones in every run."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.config import AugmentationConfig
from training.data.dataset import Photo
from training.data.views import WHOLE, View, choose_views

CONFIG = AugmentationConfig(mirror=True, cuttings=3, worn=1, smallest_side=0.6)


def _photo(*captions: str, digest: str = "5e" * 32) -> Photo:
    return Photo("photo.jpg", Path("photo.jpg"), captions, digest)


def _pixels(image: Image.Image) -> list[int]:
    return [int(value) for value in np.asarray(image)[0]]


@pytest.fixture
def row() -> Image.Image:
    return Image.fromarray(np.arange(10, dtype=np.uint8)[None])


def test_the_whole_comes_first_and_its_features_keep_the_plain_name() -> None:
    views = choose_views(_photo("a dog"), CONFIG)

    assert views[0] == WHOLE
    assert [view.key == "" for view in views] == [True, *[False] * 5]
    assert len({view.key for view in views}) == 6


def test_a_photo_has_the_same_views_in_every_run_and_another_photo_has_others() -> None:
    first, again = (choose_views(_photo("a dog"), CONFIG) for _ in range(2))

    assert first == again
    assert first != choose_views(_photo("a dog", digest="77" * 32), CONFIG)


@pytest.mark.parametrize("caption", ["A dog on the left .", "Right: a dog"])
def test_a_photo_whose_captions_speak_of_sides_is_never_mirrored(caption: str) -> None:
    for number in range(20):
        views = choose_views(_photo("a dog", caption, digest=f"{number:064x}"), CONFIG)
        assert not any(view.mirrored for view in views)


def test_cuttings_lie_within_the_photo_and_are_no_smaller_than_asked() -> None:
    for number in range(50):
        for view in choose_views(_photo("a dog", digest=f"{number:016x}" + "0" * 48), CONFIG):
            assert 0 <= view.left < view.right <= 1 + 1e-9
            assert 0 <= view.top < view.bottom <= 1 + 1e-9
            assert min(view.right - view.left, view.bottom - view.top) >= 0.6 - 1e-9


def test_without_augmentation_there_is_the_whole_alone() -> None:
    assert choose_views(_photo("a dog"), AugmentationConfig(mirror=False, cuttings=0, worn=0)) == (WHOLE,)


def test_a_view_shows_its_part_of_the_image(row: Image.Image) -> None:
    assert _pixels(WHOLE.apply(row)) == list(range(10))
    assert _pixels(View(left=0.2, right=0.5).apply(row)) == [2, 3, 4]
    assert _pixels(View(left=0.2, right=0.5, mirrored=True).apply(row)) == [4, 3, 2]


def test_a_view_of_a_single_pixel_is_that_pixel() -> None:
    assert View(0.3, 0.3, 0.9, 0.9).apply(Image.new("RGB", (1, 1), "red")).size == (1, 1)


def test_a_worn_copy_is_smaller_and_has_lost_detail() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)

    worn = View(scale=0.5, quality=30).apply(Image.fromarray(noise))

    assert worn.size == (32, 32)
    assert np.asarray(worn).std() < noise.std() / 2


def test_one_copy_of_each_photo_is_worn() -> None:
    worn = choose_views(_photo("a dog"), CONFIG)[-1]

    assert worn.quality is not None
    assert 0.5 <= worn.scale <= 1
    assert (worn.left, worn.top, worn.right, worn.bottom) == (0, 0, 1, 1)

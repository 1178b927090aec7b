"""Each training photo has a few views of itself, the same ones in every run."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.config import AugmentationConfig
from training.data.photo import Photo
from training.data.views import WHOLE, View, choose_views

CONFIG = AugmentationConfig(copies=4, smallest_side=0.6, smallest_scale=0.7, worst_quality=50)


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
    assert [view.key == "" for view in views] == [True, *[False] * 4]
    assert len({view.key for view in views}) == 5


def test_a_photo_has_the_same_views_in_every_run_and_another_photo_has_others() -> None:
    first, again = (choose_views(_photo("a dog"), CONFIG) for _ in range(2))

    assert first == again
    assert first != choose_views(_photo("a dog", digest="77" * 32), CONFIG)


@pytest.mark.parametrize("caption", ["A dog on the left .", "Right: a dog"])
def test_a_photo_whose_captions_speak_of_sides_is_never_mirrored(caption: str) -> None:
    for number in range(20):
        views = choose_views(_photo("a dog", caption, digest=f"{number:064x}"), CONFIG)
        assert not any(view.mirrored for view in views)


def test_copies_lie_within_the_photo_and_are_no_worse_than_asked() -> None:
    mirrored = 0
    for number in range(50):
        _, *copies = choose_views(_photo("a dog", digest=f"{number:016x}" + "0" * 48), CONFIG)
        mirrored += sum(view.mirrored for view in copies)
        for view in copies:
            assert 0 <= view.left < view.right <= 1 + 1e-9
            assert 0 <= view.top < view.bottom <= 1 + 1e-9
            assert min(view.right - view.left, view.bottom - view.top) >= 0.6 - 1e-9
            assert 0.7 <= view.scale <= 1
            assert view.quality is not None
            assert 50 <= view.quality <= 95
    assert 70 < mirrored < 130


def test_without_augmentation_there_is_the_whole_alone() -> None:
    assert choose_views(_photo("a dog"), AugmentationConfig(copies=0)) == (WHOLE,)


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


def test_no_copy_is_mirrored_where_the_settings_say_so() -> None:
    config = CONFIG.model_copy(update={"mirror": False})

    assert not any(
        view.mirrored for number in range(9) for view in choose_views(_photo(digest=f"{number:064x}"), config)
    )

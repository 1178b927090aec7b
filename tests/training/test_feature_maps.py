"""Maps are computed once for each photo, whatever happens in between."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image

from photocaption.model.manifest import ImageSpec
from training.data.captioned import read_captioned
from training.data.photo import Photo
from training.data.views import WHOLE, PhotoView, View
from training.encoder.feature_maps import MapCache

IMAGE = ImageSpec(height=8, width=8, canonical_size=None, resample="bicubic")


class _Trunk:
    """Mean colour of a photo, counting its work; stops with an error after `limit` photos."""

    def __init__(self, limit: int | None = None) -> None:
        self.photos, self.limit = 0, limit

    def __call__(self, images: np.ndarray) -> np.ndarray:
        if self.limit is not None and self.photos + len(images) > self.limit:
            raise KeyboardInterrupt
        self.photos += len(images)
        means: np.ndarray = images.mean(axis=(1, 2), keepdims=True)
        return means.reshape(len(images), 1, 3).astype(np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> list[PhotoView]:
    folder = tmp_path / "data" / "Images"
    folder.mkdir(parents=True)
    for number in range(10):
        Image.new("RGB", (20, 20), (number, 2 * number, 100)).save(folder / f"{number}.png")
    rows = ["image,caption", *(f"{number}.png,a caption" for number in range(10))]
    (folder.parent / "captions.txt").write_text("\n".join(rows))
    (folder.parent / "splits.csv").write_text(
        "image,split\n" + "\n".join(f"{number}.png,train" for number in range(10))
    )
    return [(photo, WHOLE) for photo in read_captioned(folder.parent, ["train"])["train"]]


def test_maps_come_back_as_they_were_computed(photos: list[PhotoView], tmp_path: Path) -> None:
    cache = MapCache.for_trunk(tmp_path / "cache", b"trunk", IMAGE)
    cache.extract(photos, _Trunk(), IMAGE)

    maps = cache.load(photos)

    assert maps.dtype == np.uint8
    np.testing.assert_array_equal(maps[:, 0, 0], range(10))


def test_extraction_goes_on_where_it_was_stopped(photos: list[PhotoView], tmp_path: Path) -> None:
    cache = MapCache.for_trunk(tmp_path / "cache", b"trunk", IMAGE)
    first, second, third = _Trunk(limit=5), _Trunk(), _Trunk()
    with pytest.raises(KeyboardInterrupt):
        cache.extract(photos, first, IMAGE)
    cache.extract(photos, second, IMAGE)
    cache.extract(photos, third, IMAGE)

    assert (first.photos, second.photos, third.photos) == (5, 5, 0)


def test_maps_that_were_half_written_are_not_taken_for_maps(
    photos: list[PhotoView], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_half(stream: BinaryIO, _array: object, **_options: object) -> None:
        stream.write(b"half")
        raise KeyboardInterrupt

    cache = MapCache.for_trunk(tmp_path / "cache", b"trunk", IMAGE)
    monkeypatch.setattr(np, "save", write_half)
    with pytest.raises(KeyboardInterrupt):
        cache.extract(photos, _Trunk(), IMAGE)
    monkeypatch.undo()

    cache.extract(photos, _Trunk(), IMAGE)

    assert cache.load(photos[:1]).shape == (1, 1, 3)


def test_another_trunk_or_another_preprocessing_has_a_cache_of_its_own(tmp_path: Path) -> None:
    other = IMAGE.model_copy(update={"canonical_size": 4})
    folders = {
        MapCache.for_trunk(tmp_path, trunk, image).folder
        for trunk, image in ((b"one", IMAGE), (b"two", IMAGE), (b"one", other))
    }

    assert len(folders) == 3


def test_a_renamed_photo_keeps_its_maps(photos: list[PhotoView], tmp_path: Path) -> None:
    cache = MapCache.for_trunk(tmp_path / "cache", b"trunk", IMAGE)
    photo, _ = photos[0]
    renamed = Photo("renamed.png", photo.path, photo.captions, photo.sha256)

    assert cache.path(renamed) == cache.path(photo)


def test_each_view_of_a_photo_has_maps_of_its_own(tmp_path: Path) -> None:
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "gradient.png")  # black above, white below
    photo = Photo("gradient.png", tmp_path / "gradient.png", ("a gradient",), "ab" * 32)
    cache = MapCache.for_trunk(tmp_path / "cache", b"trunk", IMAGE)
    views = [(photo, WHOLE), (photo, View(bottom=0.5)), (photo, View(top=0.5))]
    cache.extract(views, _Trunk(), IMAGE)

    whole, upper, lower = (int(maps[0, 0]) for maps in cache.load(views))

    assert upper < whole - 50
    assert lower > whole + 50

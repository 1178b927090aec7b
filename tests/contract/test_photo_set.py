"""Photos that the model has not learnt from: their size must not matter much, and the docs show what is committed."""

import json

from photo_set.captions import caption_set, share_agreeing
from photo_set.photos import read_photo_set
from PIL import Image
from repository import ROOT

from photocaption.captioner import Captioner


def test_most_photos_have_the_same_caption_at_every_size() -> None:
    captions = caption_set(Captioner.load(ROOT / "artifacts" / "default"), read_photo_set())

    # 21 of 28, as docs/photos.md counts them, where four in five are the aim. Processors round differently, which may
    # change two.
    assert share_agreeing(captions) >= 19 / 28


def test_every_photo_has_a_licence_that_lets_it_be_here_and_no_metadata() -> None:
    photos = read_photo_set()

    assert len(photos) > 20
    assert {photo.licence for photo in photos} <= {"public domain", "CC0 1.0", "CC BY 2.0"}
    for photo in photos:
        with Image.open(photo.path) as image:
            assert not image.getexif()


def test_the_page_of_photos_is_of_the_committed_bundle() -> None:
    page = (ROOT / "docs" / "photos.md").read_text(encoding="utf-8")
    manifest = json.loads((ROOT / "artifacts" / "default" / "manifest.json").read_text(encoding="utf-8"))

    assert f"`{manifest['name']}` {manifest['version']}" in page
    for photo in read_photo_set():
        assert f"`{photo.path.name}`" in page

"""The whole way from bytes to a caption, on the tiny bundle whose captions are known."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.photos import make_photo, photo_bytes
from support.tiny_bundle import CELLS, COLOURS, GRID, SIDE, WORDS, write_manifest, write_tiny_bundle

from photocaption.caption import CaptionOptions, ImageInfo
from photocaption.captioner import Captioner
from photocaption.errors import UnsupportedImageError
from photocaption.model.bundle import DECODER_START, DECODER_STEP, ENCODER, VOCABULARY, Bundle


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_photo_in_any_format_is_described(captioner: Captioner, colour: str, format_name: str) -> None:
    caption = captioner.caption(photo_bytes(colour, format_name))

    assert caption.caption == f"a {colour} square"
    assert caption.alt_text == f"A {colour} square."
    assert [word.word for word in caption.words] == ["a", colour, "square"]
    assert all(0 < word.probability <= 1 for word in caption.words)
    assert (caption.image.width, caption.image.height) == (64, 64)


def test_a_batch_keeps_the_order_of_its_photos(captioner: Captioner) -> None:
    photos = [captioner.prepare(photo_bytes(colour)) for colour in COLOURS]

    captions = captioner.describe(photos)

    assert [caption.caption for caption in captions] == [f"a {colour} square" for colour in COLOURS]
    assert [caption.image for caption in captions] == [photo.info for photo in photos]


def test_no_photos_give_no_captions(captioner: Captioner) -> None:
    assert captioner.describe([]) == []


def test_alternatives_are_other_sentences_that_are_less_likely(captioner: Captioner) -> None:
    caption = captioner.caption(photo_bytes("red"), CaptionOptions(alternatives=2))

    assert caption.alternatives[0].caption == "a red photo"
    assert len(caption.alternatives) == 2
    assert caption.caption not in [alternative.caption for alternative in caption.alternatives]
    assert all(alternative.log_probability < caption.log_probability for alternative in caption.alternatives)


def test_alternatives_are_sentences_spelt_as_the_caption_is(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "nouns")
    nouns = {"square": "Square", "photo": "Photo"}
    (bundle / VOCABULARY).write_text(json.dumps([nouns.get(word, word) for word in WORDS]), encoding="utf-8")
    write_manifest(bundle)

    caption = Captioner.load(bundle, threads=1).caption(photo_bytes("red"), CaptionOptions(alternatives=1))

    assert (caption.caption, caption.alt_text) == ("a red square", "A red Square.")
    assert [(other.caption, other.alt_text) for other in caption.alternatives] == [("a red photo", "A red Photo.")]


def test_attention_lies_on_what_the_word_names(captioner: Captioner) -> None:
    photo = captioner.prepare(photo_bytes("red"))

    words = captioner.describe([photo], CaptionOptions(attention=True))[0].words

    attention = np.array(words[2].attention).reshape(GRID, GRID)  # the query of the last step is the colour just named
    assert attention.sum() == pytest.approx(1)
    assert attention[1:3, 1:3].sum() > 0.9


def test_attention_is_left_out_unless_it_is_asked_for(captioner: Captioner) -> None:
    assert all(word.attention is None for word in captioner.caption(photo_bytes("red")).words)


def test_a_decoder_without_attention_gives_none(tmp_path: Path) -> None:
    captioner = Captioner.load(write_tiny_bundle(tmp_path / "plain", attention=False), threads=1)

    caption = captioner.caption(photo_bytes("blue"), CaptionOptions(attention=True))

    assert caption.caption == "a blue square"
    assert all(word.attention is None for word in caption.words)


def test_confidence_is_calibrated_where_the_bundle_says_so(captioner: Captioner, tmp_path: Path) -> None:
    plain = Captioner.load(write_tiny_bundle(tmp_path / "plain", calibrated=False), threads=1)

    calibrated, uncalibrated = captioner.caption(photo_bytes("red")), plain.caption(photo_bytes("red"))

    mean = uncalibrated.log_probability / 4
    assert uncalibrated.confidence == pytest.approx(np.exp(mean))
    assert calibrated.confidence == pytest.approx(1 / (1 + np.exp(-(2 + 4 * mean))))


def test_known_features_are_described_as_their_photos_are(captioner: Captioner) -> None:
    photos = [captioner.prepare(photo_bytes(colour)) for colour in COLOURS]
    features = captioner.encoder.encode(np.stack([photo.pixels for photo in photos]))
    options = CaptionOptions(alternatives=2)

    descriptions = captioner.describe_features(features, options)

    assert features.shape == (len(COLOURS), CELLS, 3)
    captions = captioner.describe(photos, options)
    assert [found.caption for found in descriptions] == [caption.caption for caption in captions]
    assert [found.alternatives for found in descriptions] == [caption.alternatives for caption in captions]


def test_a_bundle_can_forbid_its_captions_to_repeat_words(tmp_path: Path) -> None:
    looping, guarded = (
        Captioner.load(write_tiny_bundle(tmp_path / str(number), repeatable_words=words), threads=1)
        for number, words in enumerate([None, ("a",)])
    )
    options = CaptionOptions(alternatives=10, beam_width=10)

    captions = [
        [other.caption.split() for other in one.caption(photo_bytes("red"), options).alternatives]
        for one in (looping, guarded)
    ]

    assert any(words.count("square") > 1 for words in captions[0])
    assert not any(words.count("square") > 1 for words in captions[1])


@pytest.mark.parametrize("options", [{"beam_width": 0}, {"beam_width": 11}, {"alternatives": -1}, {"alternatives": 11}])
def test_options_outside_their_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be from"):
        CaptionOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [1, 2, 10])
def test_the_beam_width_can_be_chosen(captioner: Captioner, width: int) -> None:
    assert captioner.caption(photo_bytes("green"), CaptionOptions(beam_width=width)).caption == "a green square"


def test_the_prepared_photo_is_small_and_knows_its_origin(captioner: Captioner) -> None:
    data = photo_bytes("red", "JPEG", size=(1600, 1200))

    photo = captioner.prepare(data)

    assert photo.pixels.shape == (SIDE, SIDE, 3)
    assert photo.info == ImageInfo(1600, 1200, "JPEG", hashlib.sha256(data).hexdigest())
    assert photo.decode_ms > 0
    assert captioner.prepare(data, "known").info.sha256 == "known"


def test_what_is_no_picture_is_refused(captioner: Captioner) -> None:
    with pytest.raises(UnsupportedImageError, match="not a photo"):
        captioner.caption(b"hello")


def test_threads_share_a_captioner(captioner: Captioner) -> None:
    photos = [photo_bytes(colour) for colour in COLOURS] * 20

    with ThreadPoolExecutor(8) as pool:
        captions = list(pool.map(captioner.caption, photos))

    assert [caption.caption for caption in captions] == [f"a {colour} square" for colour in COLOURS] * 20


def test_a_photo_with_a_picture_much_larger_than_the_model_sees_keeps_its_caption(captioner: Captioner) -> None:
    small, large = make_photo("blue", size=(48, 48)), make_photo("blue", size=(4000, 3000))

    captions = [captioner.caption(photo_bytes("blue", "JPEG", size=image.size)) for image in (small, large)]

    assert captions[0].caption == captions[1].caption
    assert replace(captions[0].image, width=4000, height=3000, sha256="") == replace(captions[1].image, sha256="")


@pytest.mark.parametrize("file", [ENCODER, DECODER_START, DECODER_STEP])
def test_a_bundle_that_is_replaced_before_a_file_is_read_gives_captions_of_the_newer_one(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, newer = write_tiny_bundle(tmp_path / "served"), write_other_bundle(tmp_path / "newer")
    read = Bundle.read

    def replace_then_read(bundle: Bundle, name: str) -> bytes:
        if name == file and newer.exists():
            served.rename(tmp_path / "older")
            newer.rename(served)
        return read(bundle, name)

    monkeypatch.setattr(Bundle, "read", replace_then_read)

    assert Captioner.load(served).caption(photo_bytes("red")).caption == "a green square"


def write_other_bundle(folder: Path) -> Path:
    """One that calls red things green, and of which every file differs from the tiny one's."""
    write_tiny_bundle(folder)
    renamed = {"red": "green", "green": "red"}
    (folder / "vocabulary.json").write_text(json.dumps([renamed.get(word, word) for word in WORDS]), encoding="utf-8")
    for name in (ENCODER, DECODER_START, DECODER_STEP):
        with (folder / name).open("ab") as file:
            file.write(b"\x32\x05newer")  # `doc_string` of ONNX's ModelProto
    write_manifest(folder)
    return folder

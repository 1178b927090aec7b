"""Encoder and decoder learn together from pixels, and what they leave is where a training job begins."""

import gzip
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from support.shapes import COLOURS, SHAPES, write_labelled_shapes
from support.weights import weights_cache

from training.cli import main
from training.config import EndToEndConfig, load_config
from training.data.captioned import read_captioned
from training.data.dataset import Source
from training.data.jpeg import compress
from training.data.mixture import Mixture
from training.fit import end_to_end
from training.fit.end_to_end import EndToEndTraining, train_end_to_end
from training.fit.job import Job
from training.fit.pixels import PixelPhotos, PixelStore
from training.fit.pretrained import Pretrained, read_pretrained, shorten
from training.models.decoder import build_decoder
from training.models.end_to_end_model import (
    AS_IT_IS,
    DRAWN,
    MIRROR,
    RandomView,
    TwoRateAdamW,
    measure_change,
    split_xception,
)

SIZE, SIDE, CHANNELS = 75, 60, 2048
PLAIN = EndToEndConfig(precision="float32", first_block=14)


@pytest.fixture
def pixels() -> np.ndarray:
    soft = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3)).astype(np.uint8)
    return np.stack([np.array(Image.fromarray(picture).resize((SIDE, SIDE))) for picture in soft])


def draw(**drawn: float) -> np.ndarray:
    """What is drawn for two pictures, the same for both: the whole but for what is said."""
    draws = AS_IT_IS.copy()
    for name, value in drawn.items():
        draws[DRAWN.index(name)] = value
    return np.stack([draws, draws])


def see(pixels: np.ndarray, config: EndToEndConfig = PLAIN, **drawn: float) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(RandomView(SIZE, config)(pixels, draw(**drawn))))


def test_a_picture_as_it_is_is_resized_as_serving_resizes_it(pixels: np.ndarray) -> None:
    seen = see(pixels)

    served = [np.array(Image.fromarray(picture).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for picture in pixels]
    np.testing.assert_allclose((seen + 1) * 127.5, np.stack(served), atol=1.5)


def test_a_mirror_image_is_the_picture_from_right_to_left(pixels: np.ndarray) -> None:
    np.testing.assert_allclose(see(pixels, mirror=0.0), see(pixels[:, :, ::-1]), atol=1e-5)


def test_a_part_is_what_a_program_would_cut_out(pixels: np.ndarray) -> None:
    config = PLAIN.model_copy(update={"smallest_side": 0.5})
    seen = see(pixels, config, width=0.0, left=1.0, height=0.0, top=0.0)

    half = SIDE // 2
    cut = [Image.fromarray(picture[:half, half:]).resize((SIZE, SIZE), Image.Resampling.BICUBIC) for picture in pixels]
    inner = (slice(None), slice(4, -4), slice(4, -4))  # the filter sees beyond the cut
    np.testing.assert_allclose(((seen + 1) * 127.5)[inner], np.stack([np.array(one) for one in cut])[inner], atol=1.5)


def test_softer_views_have_weaker_edges() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3)).astype(np.uint8)
    sharp, soft = (np.abs(np.diff(see(noise, softness=softness), axis=2)).mean() for softness in (0.0, 1.0))

    assert soft < 0.8 * sharp


@pytest.mark.parametrize(("name", "darker"), [("brightness", True), ("contrast", False)])
def test_light_changes_brightness_and_contrast_and_stays_in_range(pixels: np.ndarray, name: str, darker: bool) -> None:
    low, high = (see(pixels, PLAIN, **{name: value}) for value in (0.0, 1.0))

    assert (low.mean() < high.mean() - 0.1) == darker
    assert (low.std() < 0.9 * high.std()) != darker
    assert low.min() >= -1
    assert high.max() <= 1


def test_every_other_picture_is_worn_by_a_jpeg(pixels: np.ndarray) -> None:
    config = PLAIN.model_copy(update={"worst_quality": 10.0})
    whole, kept, best, worst = (see(pixels, config, quality=quality) for quality in (0.0, 0.5, 0.51, 1.0))

    np.testing.assert_array_equal(kept, whole)
    assert 0 < np.abs(best - whole).mean() < 0.5 * np.abs(worst - whole).mean()


@pytest.mark.parametrize("quality", [10, 40, 60, 95])
def test_what_jpeg_leaves_is_what_pillow_leaves(quality: int) -> None:
    soft = np.random.default_rng(1).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    picture = Image.fromarray(soft).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality, subsampling="4:2:0")
    expected = np.array(Image.open(data), np.float32)

    left = ops.convert_to_numpy(compress(np.array(picture, np.float32)[None], ops.full((1,), float(quality))))[0]

    lost = np.abs(expected - np.array(picture, np.float32)).mean()
    assert np.abs(left - expected).mean() < 0.35 * lost + 0.2


def test_stem_and_blocks_make_one_xception(pixels: np.ndarray) -> None:
    stem, blocks = split_xception(SIZE, weights_cache(), PLAIN, {})
    whole = keras.Model(stem.input, blocks(stem.output))
    pictures = see(pixels)

    assert whole.output_shape[1:] == (3, 3, CHANNELS)
    assert blocks(stem(pictures)).shape == (2, 3, 3, CHANNELS)
    assert all("_bn/" not in variable.path for variable in blocks.trainable_variables)
    assert any("block14" in variable.path for variable in blocks.trainable_variables)
    assert not any("block13" in variable.path for variable in blocks.trainable_variables)


def test_slow_variables_gather_speed_and_stay_slower() -> None:
    slow, fast = (keras.Variable(np.zeros(3, np.float32), name=name) for name in ("slow", "fast"))
    optimizer = TwoRateAdamW(0.1, slowly=frozenset({slow.path}), rate=0.5, ramp=4, weight_decay=0.0)
    moves = []
    for _ in range(8):
        before = ops.convert_to_numpy(slow)[0], ops.convert_to_numpy(fast)[0]
        optimizer.apply([ops.ones(3), ops.ones(3)], [slow, fast])
        moves.append((before[0] - ops.convert_to_numpy(slow)[0], before[1] - ops.convert_to_numpy(fast)[0]))

    assert [round(float(move), 3) for move, _ in moves[:5]] == [0, 0.012, 0.025, 0.037, 0.05]
    assert all(float(move) == pytest.approx(0.1, rel=1e-3) for _, move in moves)


def test_only_photos_that_may_be_are_mirrored(shapes: Path) -> None:
    photo = read_captioned(shapes)["train"][0]
    sided = replace(photo, captions=("a dog looks left",), sha256="0" * 64)
    photos = PixelPhotos([photo, sided], Mixture([2], None, 2), PixelStore([photo], SIDE), [np.array([[1], [2]])])

    draws = np.stack([photos.draw_views(np.random.default_rng(seed)) for seed in range(20)])
    pixels, of_photo, known = photos.load_inputs(np.array([0]), draws[0])

    assert draws[:, 0, MIRROR].min() < 0.5
    assert draws[:, 1, MIRROR].min() > 0.5
    assert pixels.shape == (1, SIDE, SIDE, 3)
    np.testing.assert_array_equal(of_photo, draws[0, :1])
    np.testing.assert_array_equal(known, [[1]])


def build_small_encoder(size: int, *_: object) -> tuple[keras.Model, keras.Model]:
    """What stands in for Xception's two parts, always with the same weights."""
    keras.utils.set_random_seed(1)
    pictures, grids = keras.Input((size, size, 3)), keras.Input((3, 3, 4))
    stem = keras.Model(pictures, keras.layers.Conv2D(4, 25, strides=25)(pictures))
    return stem, keras.Model(grids, keras.layers.Conv2D(6, 1, name="block14_conv")(grids))


SMALL = """encoder.size=75 encoder.canonical_size=60 decoder.units=8 decoder.heads=2 vocabulary.min_count=1
    vocabulary.max_length=8 self_critical.samples=2 end_to_end.teachers=2 end_to_end.photos_per_batch=8
    end_to_end.epochs=1 end_to_end.critical_epochs=1 end_to_end.critical_passes=2
    end_to_end.critical_encoder_rate=1e-3"""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small encoder in the place of Xception."""
    monkeypatch.setattr(end_to_end, "split_xception", build_small_encoder)
    monkeypatch.setattr(end_to_end, "load_xception", lambda size, _: build_small_encoder(size)[1])


def train(
    folder: Path, datasets: Sequence[Path], *settings: str, texts: Sequence[Path] = (), start: Pretrained | None = None
) -> Pretrained:
    """What end-to-end training leaves in a folder."""
    config = load_config(overrides=[*SMALL.split(), *settings])
    sources = [Source(dataset) for dataset in datasets]
    train_end_to_end(Job(sources, folder, config, folder, folder, "made", tuple(texts), start=start or Pretrained()))
    return read_pretrained(folder)


@pytest.mark.usefixtures("small")
def test_from_pixels_to_where_a_job_begins(shapes: Path, tmp_path: Path) -> None:
    start = train(tmp_path, [shapes])

    assert start.tuned.keys() == {f"block14_conv/{name}" for name in ("kernel", "kernel:step", "bias", "bias:step")}
    assert np.abs(start.tuned["block14_conv/kernel"]).max() > 0
    assert all(array.dtype == np.float16 for array in start.decoder.values())
    assert start.vocabulary
    assert "red" in start.vocabulary
    assert len(start.record["teachers"]) == 2
    assert len(start.record["self_critical"]) == 1


@pytest.mark.usefixtures("small")
def test_stages_are_found_again(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command again makes the same, of what it finds; other settings of the end find the teaching alone."""
    before = train(tmp_path, [shapes])
    monkeypatch.setattr(EndToEndTraining, "train_candidate", pytest.fail)

    again = train(tmp_path, [shapes])
    other = train(tmp_path, [shapes], "end_to_end.critical_learning_rate=1e-2")

    assert all((before.decoder[path] == again.decoder[path]).all() for path in before.decoder)
    assert any((before.decoder[path] != other.decoder[path]).any() for path in before.decoder)


@pytest.mark.usefixtures("small")
def test_a_start_with_a_tagger_learns_from_labels_too_and_keeps_its_tagger(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled = write_labelled_shapes(tmp_path / "labelled", ["red", "blue"], 4)
    plain = train(tmp_path / "plain", [shapes])
    assert plain.vocabulary
    tags = plain.vocabulary.encode(["red", "circle", "square"])
    config = load_config(overrides=SMALL.split()).decoder
    decoder = build_decoder(len(plain.vocabulary), 9, 6, config, tags=tags, classes=2)
    known = {shorten(variable.path): ops.convert_to_numpy(variable) for variable in decoder.weights}
    known["evidence/subjects"] = np.array([0, 1, 0], np.float32)
    begun = replace(plain, decoder=known, tags=tuple(tags))
    text = tmp_path / "text.gz"
    sentences = [f"there is a {colour} {shape} over there" for colour in COLOURS for shape in SHAPES]
    text.write_bytes(gzip.compress("".join(f"{number}\t{one}\n" for number, one in enumerate(sentences)).encode()))

    start = train(tmp_path / "more", [shapes, labelled], texts=[text], start=begun)

    assert re.search("Captions were found for [1-9][0-9]* photos with labels", capsys.readouterr().err)
    kept = {"tagger/kernel", "tagger/bias", "classes/kernel", "classes/bias", "evidence/names", "evidence/subjects"}
    assert all((start.decoder[name] == known[name].astype(np.float16)).all() for name in kept)
    assert (start.decoder["gist/kernel"] != known["gist/kernel"].astype(np.float16)).any()
    assert start.tags == tuple(tags)
    assert start.record["datasets"].keys() == {"shapes", "labelled"}
    assert start.record["start"] == plain.record
    nearer = train(tmp_path / "more", [shapes, labelled], "end_to_end.decoder_share=1e-6", texts=[text], start=begun)
    assert (nearer.decoder["gist/kernel"] == known["gist/kernel"].astype(np.float16)).all()
    assert all((nearer.tuned[name] == start.tuned[name]).all() for name in start.tuned)


def test_features_change_as_far_as_photos_are_apart() -> None:
    features = np.random.default_rng(0).normal(size=(8, 9, 6)).astype(np.float32)
    others = np.roll(features, 1, axis=0)

    assert float(measure_change(features, features)) == 0
    assert float(measure_change(features, others)) == pytest.approx(2, rel=0.3)
    assert float(measure_change(10 * features, 10 * others)) == pytest.approx(float(measure_change(features, others)))


@pytest.mark.parametrize(("devices", "warned"), [(["cpu:0"], True), (["gpu:0"], False)])
def test_a_machine_without_an_accelerator_is_told_how_long_it_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], devices: list[str], warned: bool
) -> None:
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: devices)
    monkeypatch.setattr(end_to_end, "train_end_to_end", lambda *_: None)

    assert main(["end-to-end", "--dataset", "photos", "--out", "start"]) == 0

    assert ("on a CPU this takes days" in capsys.readouterr().err) == warned

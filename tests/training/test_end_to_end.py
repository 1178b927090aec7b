"""Encoder and decoder learn together from pixels, and what they leave is where a training job begins."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from support.weights import weights_cache

from training import end_to_end
from training.config import EndToEndConfig, TrainingConfig, load_config
from training.decoder import build_decoder
from training.end_to_end import PixelStore, train_end_to_end
from training.end_to_end_model import Body, Distillation, EndToEnd, RandomView, TwoRateAdamW, split_xception
from training.fitting import SmoothedCrossEntropy
from training.start import read_start
from training.views import WHOLE, View

SIZE, SIDE, WORDS, CHANNELS = 75, 60, 9, 2048
PLAIN = EndToEndConfig(precision="float32", first_block=14)


@pytest.fixture
def pixels() -> np.ndarray:
    soft = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3)).astype(np.uint8)
    return np.stack([np.array(Image.fromarray(picture).resize((SIDE, SIDE))) for picture in soft])


def build(config: TrainingConfig, teachers: int) -> EndToEnd:
    """A model of a small network in two parts, with untaught teachers, all of their weights different."""
    pictures, grids = keras.Input((SIZE, SIZE, 3)), keras.Input((3, 3, 4))
    stem = keras.Model(pictures, keras.layers.Conv2D(4, 25, strides=25)(pictures))
    bodies = []
    for seed in range(teachers + 1):
        blocks = keras.Model(grids, keras.layers.Conv2D(6, 1)(grids))
        bodies.append(Body(blocks, build_decoder(WORDS, 9, 6, config.decoder, seed), f"body_{seed}"))
    return EndToEnd(RandomView(SIZE, PLAIN, seed=1), stem, bodies[0], bodies[1:])


def test_a_picture_as_it_is_is_resized_as_serving_resizes_it(pixels: np.ndarray) -> None:
    seen = ops.convert_to_numpy(RandomView(SIZE, PLAIN, seed=1)(pixels))

    served = [np.array(Image.fromarray(picture).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for picture in pixels]
    np.testing.assert_allclose((seen + 1) * 127.5, np.stack(served), atol=1.5)


def test_in_training_a_picture_looks_different_every_time_and_stays_in_range(pixels: np.ndarray) -> None:
    view = RandomView(SIZE, PLAIN, seed=1)

    one, other = (ops.convert_to_numpy(view(pixels, training=True)) for _ in range(2))

    assert np.abs(one - other).mean() > 0.01
    assert one.min() >= -1
    assert one.max() <= 1


def test_softer_views_have_weaker_edges() -> None:
    noise, edges = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3)).astype(np.uint8), {}
    for softest in (1.0, 4.0):
        config = PLAIN.model_copy(update={"softest": softest, "light": 0.0, "smallest_side": 1.0})
        seen = [ops.convert_to_numpy(RandomView(SIZE, config, seed)(noise, training=True)) for seed in range(4)]
        edges[softest] = float(np.abs(np.diff(np.stack(seen), axis=2)).mean())

    assert edges[4.0] < 0.95 * edges[1.0]


def test_stem_and_blocks_make_one_xception(pixels: np.ndarray) -> None:
    stem, blocks = split_xception(SIZE, weights_cache(), PLAIN)
    whole = keras.Model(stem.input, blocks(stem.output))
    pictures = RandomView(SIZE, PLAIN, seed=1)(pixels)

    assert whole.output_shape[1:] == (3, 3, CHANNELS)
    assert blocks(stem(pictures)).shape == (2, 3, 3, CHANNELS)
    assert all("_bn/" not in variable.path for variable in blocks.trainable_variables)
    assert any("block14" in variable.path for variable in blocks.trainable_variables)
    assert not any("block13" in variable.path for variable in blocks.trainable_variables)


def test_teachers_speak_in_training_alone_and_with_one_voice(config: TrainingConfig, pixels: np.ndarray) -> None:
    model, tokens = build(config, teachers=2), np.ones((2, 1, 3), np.int32)

    alone, taught = model((pixels, tokens)), model((pixels, tokens), training=True)

    assert alone.shape == (2, 1, 3, WORDS)
    assert taught.shape == (2, 1, 3, 2, WORDS)
    np.testing.assert_allclose(np.exp(ops.convert_to_numpy(taught)[..., 1, :]).sum(axis=-1), 1, rtol=1e-4)


def test_teachers_and_stem_do_not_learn(config: TrainingConfig) -> None:
    learning = {variable.path for variable in build(config, teachers=1).trainable_variables}

    assert len(learning) == len(build(config, teachers=0).trainable_variables)


def test_distillation_is_between_people_and_teachers() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(1, 1, 2, WORDS)).astype(np.float32)
    opinions = ops.convert_to_numpy(ops.log_softmax(random.normal(size=logits.shape).astype(np.float32)))
    targets = np.array([[[4, 5]]], np.int32)
    likely = ops.convert_to_numpy(ops.log_softmax(logits))

    people = ops.convert_to_numpy(SmoothedCrossEntropy(0.1).call(targets, logits))
    taught = -(np.exp(opinions) * likely).sum(axis=-1)
    both = Distillation(0.1, share=0.25).call(targets, np.stack([logits, opinions], axis=-2))

    np.testing.assert_allclose(ops.convert_to_numpy(both), 0.75 * people + 0.25 * taught, rtol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(Distillation(0.1, 0.25).call(targets, logits)), people)


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


def test_the_store_knows_the_whole_and_its_mirror_image(shapes: Path) -> None:
    from training.dataset import read_dataset

    photo = read_dataset(shapes).split("train")[0]

    whole, mirrored = PixelStore([photo], SIDE).load([(photo, WHOLE), (photo, View(mirrored=True))])

    assert whole.shape == (SIDE, SIDE, 3)
    np.testing.assert_array_equal(whole[:, ::-1], mirrored)


def build_small_encoder(size: int, cache: Path, config: EndToEndConfig) -> tuple[keras.Model, keras.Model]:
    """What stands in for Xception's two parts, always with the same weights."""
    del cache, config
    keras.utils.set_random_seed(1)
    pictures, grids = keras.Input((size, size, 3)), keras.Input((3, 3, 4))
    stem = keras.Model(pictures, keras.layers.Conv2D(4, 25, strides=25)(pictures))
    return stem, keras.Model(grids, keras.layers.Conv2D(6, 1, name="block14_conv")(grids))


def test_from_pixels_to_where_a_job_begins(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_to_end, "split_xception", build_small_encoder)
    monkeypatch.setattr(end_to_end, "load_xception", lambda size, cache: build_small_encoder(size, cache, PLAIN)[1])
    words = """encoder.size=75 encoder.canonical_size=60 decoder.units=8 decoder.heads=2 vocabulary.min_count=1
        vocabulary.max_length=8 self_critical.samples=2 end_to_end.teachers=2 end_to_end.photos_per_batch=8
        end_to_end.epochs=1 end_to_end.student_epochs=1 end_to_end.critical_epochs=1"""
    config = load_config(overrides=words.split())

    train_end_to_end(shapes, config, tmp_path, tmp_path / "start", "caption-train end-to-end")

    start = read_start(tmp_path / "start")
    assert start.tuned.keys() == {f"block14_conv/{name}" for name in ("kernel", "kernel:step", "bias", "bias:step")}
    assert np.abs(start.tuned["block14_conv/kernel"]).max() > 0
    assert start.taught.keys() == start.decoder.keys()
    assert all(array.dtype == np.float16 for array in start.decoder.values())
    assert len(start.record["teachers"]) == 2

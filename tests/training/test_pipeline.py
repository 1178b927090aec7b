"""The job from end to end on generated shapes: it learns them, in any language, and being killed on the way changes
nothing; from what it made others begin, with other datasets.
"""

import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.photos import encode_photo
from support.shapes import COLOURS, SHAPES, draw_shape, write_labelled_shapes, write_shapes
from support.teacher import write_teacher
from support.weights import weights_cache

from photocaption.caption import CaptionOptions
from photocaption.captioner import Captioner
from photocaption.model.bundle import load_bundle
from training.cli import main
from training.config import TrainingConfig
from training.encoder.cache import ExportedEncoder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SETTINGS = (
    "encoder.size=75",
    "encoder.canonical_size=null",
    "encoder.precision=float32",
    "encoder.calibration_photos=2",
    "decoder.precision=float32",
    "decoder.units=32",
    "decoder.heads=2",
    "decoder.dropout=0.1",
    "tags.least_photos=1",
    "tags.epochs=40",
    "tags.folds=2",
    "augmentation.copies=1",
    "fitting.epochs=9",
    "fitting.patience=9",
    "fitting.photos_per_batch=8",
    "fitting.learning_rate=0.01",
    "fitting.average_decay=0.5",
    "fitting.least_photos=1",
    "fitting.least_batches=1",
    "self_critical.epochs=1",
    "self_critical.photos_per_batch=8",
    "self_critical.least_batches=1",
    "vocabulary.min_count=1",
    "vocabulary.max_length=8",
    "decoding.length_penalty=0.7",
)


class _Job:
    """The command on datasets, in a folder of its own; every run of it is a new process."""

    def __init__(self, datasets: Sequence[str], folder: Path, known: Iterable[Path], *words: str) -> None:
        """`known`: what its cache has from the beginning; `words`: what else the command says."""
        self.bundle, self.runs, self.cache = folder / "bundle", folder / "runs", folder / "cache"
        self.cache.mkdir(parents=True)
        for path in known:
            (self.cache / path.name).symlink_to(path)
        named = [word for dataset in datasets for word in ("--dataset", dataset)]
        self._command = [sys.executable, "-m", "training.cli", "train", *named, "--out", str(self.bundle)]
        self._command += ["--runs", str(self.runs), "--cache", str(self.cache), *words, *SETTINGS]

    def run(self, *settings: str, expected: int = 0) -> str:
        """Run the command to its end, with `settings` that come after all others; what it says."""
        done = subprocess.run([*self._command, *settings], capture_output=True, text=True, check=False, timeout=800)
        assert done.returncode == expected, done.stderr
        return done.stderr

    def kill_when(self, reached: Callable[[], bool]) -> None:
        with subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            end = time.monotonic() + 300
            while not reached():
                assert process.poll() is None, "the job ended before it could be killed"
                assert time.monotonic() < end
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)

    def maps(self) -> list[Path]:
        return list(self.cache.glob("maps/*/*/*.npy"))

    def weights(self) -> dict[str, bytes]:
        """The best weights of the run, bit for bit."""
        (checkpoint,) = self.runs.glob("*/checkpoint.npz")
        with np.load(checkpoint, allow_pickle=False) as arrays:
            return {name: arrays[name].tobytes() for name in arrays.files if name.startswith("best/")}

    def checkpointed(self) -> bool:
        return bool(list(self.runs.glob("*/checkpoint.npz")))


@pytest.fixture(scope="module")
def finished(shapes: Path, small_encoder: ExportedEncoder, tmp_path_factory: pytest.TempPathFactory) -> _Job:
    weights = weights_cache() / "xception_imagenet.weights.h5"
    job = _Job([str(shapes)], tmp_path_factory.mktemp("finished"), [weights, small_encoder.path], "--saved-model")
    job.run()
    return job


@pytest.fixture(scope="module")
def captioner(finished: _Job) -> Captioner:
    return Captioner.load(finished.bundle)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_that_were_never_seen_are_captioned_correctly(captioner: Captioner, colour: str, shape: str) -> None:
    photo = encode_photo(draw_shape(colour, shape, seed=777))

    assert captioner.caption(photo).caption in {f"a {colour} {shape}", f"there is a {colour} {shape}"}


def test_the_two_runtimes_agree_on_the_bundle(finished: _Job, captioner: Captioner) -> None:
    tensorflow = Captioner.load(finished.bundle, runtime="tensorflow")
    images = [captioner.prepare(encode_photo(draw_shape(colour, "circle", seed=5))) for colour in COLOURS]
    options = CaptionOptions(beam_width=3, alternatives=2, attention=True)

    for ours, theirs in zip(captioner.describe(images, options), tensorflow.describe(images, options), strict=True):
        assert ours.caption == theirs.caption
        assert ours.log_probability == pytest.approx(theirs.log_probability, abs=1e-4)
        for word, other in zip(ours.words, theirs.words, strict=True):
            assert word.attention == pytest.approx(other.attention, abs=1e-4)


def test_the_manifest_says_how_the_bundle_was_made_and_what_it_scored(captioner: Captioner) -> None:
    manifest = captioner.bundle.manifest

    assert "--dataset shapes " in str(manifest.training["command"])
    assert "fitting.epochs=9" in str(manifest.training["command"])
    assert manifest.training["photos"] == {"train": 96, "dev": 18}
    assert "start" not in manifest.training
    scores: Any = manifest.scores
    assert scores["dev"]["beam"]["CIDEr"] > 100
    card = (captioner.bundle.path / "MODEL_CARD.md").read_text()
    assert "## Limits and biases" in card
    assert "- shapes: 96 training photos with 192 captions, 18 dev photos" in card
    assert "It began with" not in card


def test_killed_while_extracting_and_again_while_fitting_it_ends_the_same(
    shapes: Path, finished: _Job, tmp_path: Path
) -> None:
    known = (path for path in finished.cache.iterdir() if path.name != "maps")
    job = _Job([str(shapes)], tmp_path, known, "--saved-model")
    job.kill_when(lambda: 0 < len(job.maps()) < 60)
    extracted = len(job.maps())
    job.kill_when(job.checkpointed)
    log = job.run()

    assert 0 < extracted < 60
    forced, _, reinforced = log.partition("Self-critical training")
    assert "epoch 1: loss" not in forced
    assert "epoch 9: loss" in forced
    assert "epoch 1: reward" in reinforced
    assert job.weights() == finished.weights()
    assert load_bundle(job.bundle).manifest.scores == load_bundle(finished.bundle).manifest.scores


def test_running_the_finished_job_again_publishes_the_same_bundle_without_training(finished: _Job) -> None:
    before = finished.weights()

    log = finished.run()

    assert "epoch" not in log
    assert finished.weights() == before


def test_what_does_not_better_the_bundle_that_it_began_with_is_not_published(
    shapes: Path, finished: _Job, tmp_path: Path
) -> None:
    job = _Job([str(shapes)], tmp_path, finished.cache.iterdir(), "--start", str(finished.bundle))

    log = job.run("fitting.epochs=0", "self_critical.epochs=0", expected=1)

    assert "error: nothing is published" in log
    assert "More photos or more captions may help" in log
    assert not job.bundle.exists()


def test_from_a_bundle_new_words_are_learnt_of_another_dataset(finished: _Job, tmp_path: Path) -> None:
    yellow = write_shapes(tmp_path / "yellow", train=16, dev=2, colours={"yellow": ...})
    job = _Job([str(yellow)], tmp_path / "job", finished.cache.iterdir(), "--start", str(finished.bundle))

    log = job.run("fitting.epochs=8", "self_critical.epochs=0")

    captioner, before = Captioner.load(job.bundle), load_bundle(finished.bundle)
    manifest = captioner.bundle.manifest
    assert "1 of them new" in log
    assert captioner.bundle.vocabulary.words == (*before.vocabulary.words, "yellow")
    assert (captioner.bundle.path / "encoder.onnx").read_bytes() == (before.path / "encoder.onnx").read_bytes()
    known = before.manifest
    assert manifest.training["start"] == {"bundle": "bundle", "version": known.version, "training": known.training}
    assert f"It began with the bundle bundle {before.manifest.version}." in (job.bundle / "MODEL_CARD.md").read_text()
    said = [captioner.caption(encode_photo(draw_shape("yellow", shape, seed=777))).caption for shape in SHAPES]
    assert ["yellow" in caption.split() for caption in said] == [True, True]


def test_labels_and_texts_teach_beside_captions(shapes: Path, finished: _Job, tmp_path: Path) -> None:
    labelled = write_labelled_shapes(tmp_path / "labelled", ["yellow", "black"], 6)
    sentences = [f"there is a {colour} {shape} there" for colour in COLOURS for shape in SHAPES]
    text = tmp_path / "text.gz"
    text.write_bytes(gzip.compress("".join(f"{number}\t{one}\n" for number, one in enumerate(sentences)).encode()))
    yellow = write_shapes(tmp_path / "yellow", train=16, dev=2, colours={"yellow": ...})
    datasets = [f"{yellow}=0.6", f"{labelled}=0.4"]
    teacher = tmp_path / "teacher.onnx"
    write_teacher(teacher, classes=len(SHAPES))
    words = ("--start", str(finished.bundle), "--text", str(text), "--teacher", str(teacher), "--")
    job = _Job(datasets, tmp_path / "job", finished.cache.iterdir(), *words)

    log = job.run("fitting.epochs=8")

    manifest: Any = load_bundle(job.bundle).manifest
    datasets_of = manifest.training["datasets"]
    assert f"which knows {len(SHAPES)} classes" in log
    assert manifest.training["teacher"].keys() == {"teacher.onnx"}
    assert f"Captions were found for {datasets_of['labelled']['train']} photos with labels" in log
    assert {name: (one["share"], one["labels"]) for name, one in datasets_of.items()} == {
        "yellow": (0.6, False),
        "labelled": (0.4, True),
    }
    assert manifest.training["texts"].keys() == {"text.gz"}
    assert manifest.decoding.rare_cost == 3
    assert "a" in manifest.decoding.skipped_words
    assert manifest.decoding.reranking == TrainingConfig().decoding.reranking
    assert "trigrams.bin" in manifest.files
    assert "trigrams.bin" not in load_bundle(finished.bundle).manifest.files
    assert manifest.training["start"]["bundle"] == "bundle"
    assert manifest.scores["labelled_dev"]["subject named"] is not None
    said = Captioner.load(job.bundle).caption(encode_photo(draw_shape("yellow", "circle", seed=777))).caption
    assert "yellow" in said.split()
    card = (job.bundle / "MODEL_CARD.md").read_text()
    assert "labelled: subject named" in card or "labelled_dev: subject named" in card
    assert "Captions without photos taught it language too." in card


GERMAN = {"red": "ein roter Kreis", "green": "ein grüner Kreis", "blue": "ein blauer Kreis"}
HINDI = {"red": "लाल वर्ग", "green": "हरा वर्ग", "blue": "नीला वर्ग"}


def test_other_languages_are_learnt_side_by_side(finished: _Job, tmp_path: Path) -> None:
    german = write_shapes(tmp_path / "german", shapes=["circle"], caption=lambda colour, _: [GERMAN[colour]])
    hindi = write_shapes(tmp_path / "hindi", shapes=["square"], caption=lambda colour, _: [HINDI[colour]])
    job = _Job([f"{german}=0.5", f"{hindi}=0.5"], tmp_path / "job", finished.cache.iterdir())

    job.run("self_critical.epochs=0")

    captioner = Captioner.load(job.bundle)
    for of_colours, shape in ((GERMAN, "circle"), (HINDI, "square")):
        for colour, caption in of_colours.items():
            photo = encode_photo(draw_shape(colour, shape, seed=777))
            said = captioner.caption(photo)
            assert said.caption == caption.lower()
            assert said.alt_text == f"{caption[0].upper()}{caption[1:]}."  # with German's nouns in capitals


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (4, "error: 24 captioned photos to learn from are too few: it takes 30 or more"),
        (5, "error: 30 captioned photos are too few to train a model from scratch: begin with a trained one"),
    ],
)
def test_too_few_photos_are_refused_with_what_helps(
    train: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = write_shapes(tmp_path / "few", train=train, dev=1)
    folders = ["--runs", str(tmp_path / "runs"), "--cache", str(tmp_path / "cache")]

    assert main(["train", "--dataset", str(dataset), "--out", str(tmp_path / "bundle"), *folders]) == 1

    assert message in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_a_share_that_is_none_is_refused_before_anything_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--dataset", "nowhere=2", "--out", "bundle"]) == 1

    assert "error: --dataset: the share of nowhere must be above 0, and at most 1" in capsys.readouterr().err

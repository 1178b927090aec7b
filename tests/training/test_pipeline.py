"""The job from end to end on generated shapes: it learns them, and being killed on the way changes nothing."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.photos import encode_photo
from support.shapes import COLOURS, SHAPES, draw_shape
from support.weights import weights_cache

from inference.caption import CaptionOptions
from inference.captioner import Captioner
from inference.model.bundle import load_bundle
from training.encoder.cache import ExportedEncoder
from training.encoder.weight_deltas import ENCODER_DIFFERENCES, training_folder

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
    "fitting.epochs=5",
    "fitting.photos_per_batch=8",
    "fitting.learning_rate=0.01",
    "fitting.average_decay=0.5",
    "fitting.views=true",
    "augmentation.worn=0",
    "fine_tuning.epochs=8",
    "fine_tuning.patience=8",
    "fine_tuning.photos_per_batch=8",
    "fine_tuning.learning_rate=0.002",
    "fine_tuning.average_decay=0.5",
    "self_critical.epochs=2",
    "self_critical.photos_per_batch=8",
    "vocabulary.min_count=1",
    "vocabulary.max_length=8",
    "decoding.length_penalty=0.7",
)


class _Job:
    """The command on the shapes, in a folder of its own; every run of it is a new process."""

    def __init__(self, dataset: Path, folder: Path, known: Iterable[Path]) -> None:
        """`known`: what its cache has from the beginning."""
        self.bundle, self.runs, self.cache = folder / "bundle", folder / "runs", folder / "cache"
        self.cache.mkdir(parents=True)
        for path in known:
            (self.cache / path.name).symlink_to(path)
        self._command = [
            sys.executable,
            "-m",
            "training.cli",
            "train",
            "--dataset",
            str(dataset),
            "--out",
            str(self.bundle),
        ]
        self._command += ["--runs", str(self.runs), "--cache", str(self.cache), "--saved-model", *SETTINGS]

    def run(self) -> str:
        done = subprocess.run(self._command, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stderr
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
    job = _Job(shapes, tmp_path_factory.mktemp("finished"), [weights, small_encoder.path])
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

    assert "fitting.epochs=5" in str(manifest.training["command"])
    assert manifest.training["photos"] == {"train": 96, "dev": 18}
    scores: Any = manifest.scores
    assert scores["dev"]["beam"]["CIDEr"] > 100
    card = (captioner.bundle.path / "MODEL_CARD.md").read_text()
    assert "## Limits and biases" in card
    assert "and fine-tuned on the data above" in card
    assert ENCODER_DIFFERENCES not in manifest.files, "serving does not need it"
    differences = (training_folder(captioner.bundle.path) / ENCODER_DIFFERENCES).read_bytes()
    assert manifest.training["encoder"] == {"sha256": hashlib.sha256(differences).hexdigest(), "share": 1.0}


def test_killed_while_extracting_and_again_while_fitting_it_ends_the_same(
    shapes: Path, finished: _Job, tmp_path: Path
) -> None:
    job = _Job(shapes, tmp_path, (path for path in finished.cache.iterdir() if path.name != "maps"))
    job.kill_when(lambda: 0 < len(job.maps()) < 60)
    extracted = len(job.maps())
    job.kill_when(job.checkpointed)
    log = job.run()

    assert 0 < extracted < 60
    forced, _, tuned = log.partition("Fine-tuning")
    assert "epoch 1: loss" not in forced
    assert "epoch 5: loss" in forced
    assert "epoch 8: loss" in tuned
    assert job.weights() == finished.weights()
    assert load_bundle(job.bundle).manifest.scores == load_bundle(finished.bundle).manifest.scores


def test_running_the_finished_job_again_publishes_the_same_bundle_without_training(finished: _Job) -> None:
    before = finished.weights()

    log = finished.run()

    assert "epoch" not in log
    assert finished.weights() == before

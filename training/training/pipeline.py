"""The training job from top to bottom: dataset → encoder → maps → decoder, in phases → bundle.

Every stage keeps what it made, so that the same command goes on where it was stopped: the encoder and its trunk's maps
in the cache, the phases in the run directory. The bundle appears only at the end, whole.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from inference.captioner import Captioner
from inference.model.manifest import Manifest
from training.data.dataset import Dataset, Photo, read_dataset
from training.data.views import WHOLE, View
from training.data.words import build_vocabulary, tokenise
from training.encoder.cache import ExportedEncoder, export_encoder
from training.encoder.feature_maps import MapCache
from training.encoder.trunk import TRUNK, Trunk
from training.evaluation.report import write_report
from training.fit.phases import Material, Phases, read_phases
from training.models.decoder import build_decoder
from training.progress import say
from training.publish.bundling import Job, Trained, publish_bundle


def train(job: Job) -> Manifest:
    """Run the job and publish its bundle; what is done already is not done again. Raises TrainingError."""
    say(f"Reading {job.dataset}")
    dataset = read_dataset(job.dataset)
    photos, dev = dataset.split("train"), dataset.split("dev")
    say(f"{len(photos)} training photos, {len(dev)} dev photos")
    encoder = export_encoder(job.config.encoder, photos, job.cache, job.config.fitting.seed, job.start.tuned)
    views = [job.choose_views(photo) for photo in photos]
    trained = _fit(job, dataset, encoder, views, _extract(encoder, photos, views, dev, job.cache))
    evaluation = publish_bundle(job, trained)
    captioner = Captioner.load(job.bundle)
    report = trained.run / "report.html"
    write_report(report, captioner, dev, evaluation, read_phases(trained.run))
    say(f"Published {job.bundle}; the report is {report}")
    return captioner.bundle.manifest


def _extract(
    encoder: ExportedEncoder,
    photos: Sequence[Photo],
    views: Sequence[Sequence[View]],
    dev: Sequence[Photo],
    cache: Path,
) -> MapCache:
    """The maps of all views of the training photos, and of the dev photos as they are."""
    maps = MapCache.for_trunk(cache / "maps", encoder.read(TRUNK), encoder.image)
    wanted = [(photo, view) for photo, of_photo in zip(photos, views, strict=True) for view in of_photo]
    maps.extract([*wanted, *((photo, WHOLE) for photo in dev)], Trunk(encoder.path), encoder.image)
    return maps


def _fit(
    job: Job, dataset: Dataset, encoder: ExportedEncoder, views: Sequence[Sequence[View]], maps: MapCache
) -> Trained:
    """Take a decoder through the phases that the configuration asks for."""
    config, photos = job.config, dataset.split("train")
    words = (tokenise(caption) for photo in photos for caption in photo.captions)
    vocabulary = build_vocabulary(words, config.vocabulary.min_count)
    say(f"{len(vocabulary)} words, {config.decoder.architecture} decoder")
    _make_deterministic()
    decoder = build_decoder(
        len(vocabulary), encoder.features.cells, encoder.features.channels, config.decoder, config.fitting.seed
    )
    run = _open_run(job, dataset, encoder)
    phases = Phases(
        decoder, encoder, Material(photos, views, dataset.split("dev"), maps, vocabulary, config, run, job.cache)
    )
    if job.start.decoder:
        phases.begin(job.start)
    else:
        phases.force()
    if config.fine_tuning.epochs:
        phases.fine_tune()
    if config.self_critical.epochs:
        phases.reinforce()
    return Trained(decoder, vocabulary, phases.encoder, dataset, run, phases.choose_length_penalty())


def _open_run(job: Job, dataset: Dataset, encoder: ExportedEncoder) -> Path:
    """The directory of this configuration on this dataset: the same command finds it again."""
    parts = (
        job.config.fit_json(),
        dataset.digest,
        encoder.path.name,
        *sorted(map(_digest, job.start.decoder.values())),
    )
    run = job.runs / f"{job.bundle.name}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:8]}"
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text(job.config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    say(f"Run directory: {run}")
    return run


def _digest(array: npt.NDArray[np.generic]) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def _make_deterministic() -> None:
    """Have the backend add numbers up in the same order every time: a resumed run then repeats an undisturbed one."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()

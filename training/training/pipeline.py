"""The training job from top to bottom: datasets → encoder → maps → tagger → decoder, in phases → bundle.

Every stage keeps its results, so that the same command continues where it was stopped: the encoder and its trunk's maps
in the cache, the phases in the run directory. The bundle is published atomically at the end.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import keras

from photocaption.captioner import Captioner
from photocaption.model.manifest import Manifest
from training.arrays import hash_text
from training.data.dataset import Dataset, read_datasets
from training.data.photo import list_captions
from training.data.tags import list_classes
from training.data.texts import read_texts
from training.data.words import spell_vocabulary
from training.encoder.cache import ExportedEncoder, adopt_encoder, export_encoder
from training.errors import DatasetError, TrainingError
from training.evaluation.history import read_phases
from training.evaluation.report import write_report
from training.fit.class_words import add_class_words
from training.fit.job import Job
from training.fit.material import Material, choose_vocabulary, prepare
from training.fit.phases import Phases
from training.models.decoder import build_decoder
from training.progress import say
from training.publish.bundling import Trained, publish_bundle

_MIN_PHOTOS = 30


def train(job: Job) -> Manifest:
    """Run the job and publish its bundle; stages that are finished are not repeated. Raises TrainingError."""
    datasets = read_datasets(job.sources)
    for one in datasets:
        counts = f"{len(one.train)} training photos, {len(one.dev)} dev photos"
        say(f"{one.source.folder}: {counts}{', with labels' if one.labels else ''}")
    _check_enough(job, datasets)
    texts = list(read_texts(job.texts))
    job = _add_class_words(job, datasets, texts)
    encoder = _choose_encoder(job, datasets)
    vocabulary = choose_vocabulary(datasets, job.start.vocabulary, job.config.vocabulary.min_count)
    run = _open_run(job, datasets, encoder)
    _make_deterministic()
    material = prepare(job, datasets, texts, encoder, vocabulary, run)
    trained = _fit(job, material)
    evaluation = publish_bundle(job, trained)
    captioner = Captioner.load(job.bundle)
    report = run / "report.html"
    captioned = next(one for one in datasets if not one.labels)
    write_report(report, captioner, captioned.dev, evaluation, read_phases(run))
    say(f"Published {job.bundle}; the report is {report}")
    return captioner.bundle.manifest


def _add_class_words(job: Job, datasets: Sequence[Dataset], texts: Sequence[tuple[str, str]]) -> Job:
    labels = [label for one in datasets for label in one.labels.values()]
    if not labels or not job.start.classes:
        return job
    captions = chain(*(list_captions(one.train) for one in datasets), (caption for _, caption in texts))
    return replace(job, start=add_class_words(job.start, list_classes(labels), captions))


def _fit(job: Job, material: Material) -> Trained:
    """Train a decoder in the phases of the configuration. Raises TrainingError where it does not become better than the
    bundle that it began with.
    """
    config, features = job.config, material.encoder.features
    decoder = build_decoder(
        len(material.vocabulary),
        features.cells,
        features.channels,
        config.decoder,
        config.fitting.seed,
        material.vocabulary.encode(material.tags),
        material.classes,
    )
    if job.start.decoder:
        job.start.initialise(decoder, tagger=material.tagger is None)
    if material.tagger and decoder.evidence:
        material.tagger.put_into(decoder.evidence)
    phases = Phases(decoder, material, started=bool(job.start.decoder))
    begun = phases.tune() if job.start.bundle else None
    if job.trains_on_captions:
        phases.train_on_captions()
    if config.self_critical.epochs:
        phases.train_on_samples()
    tuned = phases.finish()
    say(f"Dev scores with length penalty {tuned.length_penalty}: {tuned}")
    if begun and tuned.score <= begun.score:
        raise TrainingError(
            f"nothing is published: on these dev photos the model that it began with is as good ({begun}) as what it "
            f"learnt ({tuned}). More photos or more captions may help"
        )
    captions = chain.from_iterable(list_captions(one.train) for one in material.datasets)
    written = spell_vocabulary(material.vocabulary, captions, job.start.vocabulary)
    return Trained(decoder, replace(material, vocabulary=written), tuned.length_penalty)


def _check_enough(job: Job, datasets: Sequence[Dataset]) -> None:
    photos = sum(len(one.train) for one in datasets if not one.labels)
    if photos < _MIN_PHOTOS:
        raise DatasetError(f"{photos} captioned photos to learn from are too few: it takes {_MIN_PHOTOS} or more")
    if photos < job.config.fitting.least_photos and not job.start.decoder:
        raise DatasetError(
            f"{photos} captioned photos are too few to train a model from scratch: begin with a trained one, "
            "--start artifacts/default"
        )


def _choose_encoder(job: Job, datasets: Sequence[Dataset]) -> ExportedEncoder:
    if job.start.bundle:
        return adopt_encoder(job.start.bundle, job.cache)
    photos = [photo for one in datasets for photo in one.train]
    return export_encoder(job.config.encoder, photos, job.cache, job.config.fitting.seed, job.start.tuned)


def _open_run(job: Job, datasets: Sequence[Dataset], encoder: ExportedEncoder) -> Path:
    """The directory of this configuration on these datasets: the same command finds it again."""
    parts = [job.config.fit_json(), encoder.path.name, *job.list_digests(datasets)]
    run = job.runs / f"{job.bundle.name}-{hash_text(' '.join(parts))}"
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text(job.config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    say(f"Run directory: {run}")
    return run


def _make_deterministic() -> None:
    """Make the backend deterministic, so that a resumed run has the same result as one that was not interrupted."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()

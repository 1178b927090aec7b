"""The training job from top to bottom: dataset → encoder → features → decoder → bundle.

Every stage keeps what it made, so that the same command goes on where it was stopped: the encoder and the features in
the cache, the fit in the run directory. The bundle appears only at the end, whole.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from inference import cpu
from inference.beam_search import SearchOptions, search
from inference.bundle import DECODER_START, DECODER_STEP, ENCODER, MODEL_CARD, VOCABULARY
from inference.captioner import Captioner
from inference.manifest import Calibration, DecoderInfo, Decoding, EncoderInfo, Manifest
from inference.onnx_runtime import OnnxEncoder
from inference.vocabulary import Vocabulary
from training.batches import Batches, TrainingPhotos
from training.calibration import fit_calibration
from training.checkpoint import EpochRecord, Progress, read_history, write_weights
from training.config import TrainingConfig
from training.dataset import Dataset, Photo, read_dataset
from training.decoder import Decoder, build_decoder
from training.encoder import ExportedEncoder, export_encoder, require_tensorflow
from training.evaluation import Evaluation, evaluate
from training.features import FeatureCache, PhotoView
from training.fitting import CHECKPOINT, Score, fit
from training.metrics import PROTOCOL, score_cider
from training.model_card import write_model_card
from training.progress import say
from training.publishing import publish, staging, write_manifest
from training.report import write_report
from training.search_decoder import SearchDecoder
from training.self_critical import SampledBatches
from training.views import WHOLE, choose_views
from training.words import TOKENS, build_vocabulary, tokenise

_SEARCH_BATCH = 250
_SELF_CRITICAL = "self-critical-"


@dataclass(frozen=True, slots=True)
class Job:
    """What to train from, where to put what comes of it, and how it was asked for.

    `bundle`: the directory to publish; `runs` holds a directory for each configuration and dataset, `cache` the
    encoder's weights, graphs and features, shared by all runs; `command`: the words that started the job, for the
    record.
    """

    dataset: Path
    bundle: Path
    config: TrainingConfig
    runs: Path
    cache: Path
    command: str
    saved_model: bool = False


@dataclass(frozen=True, slots=True)
class _Trained:
    """A fitted decoder with all that belongs to it."""

    decoder: Decoder
    vocabulary: Vocabulary
    encoder: ExportedEncoder
    dataset: Dataset
    run: Path


def train(job: Job) -> Manifest:
    """Run the job and publish its bundle; what is done already is not done again. Raises TrainingError."""
    say(f"Reading {job.dataset}")
    dataset = read_dataset(job.dataset)
    train_photos, dev_photos = dataset.split("train"), dataset.split("dev")
    say(f"{len(train_photos)} training photos, {len(dev_photos)} dev photos")
    encoder = export_encoder(job.config.encoder, train_photos, job.cache, job.config.fitting.seed)
    views = [choose_views(photo, job.config.augmentation) for photo in train_photos]
    wanted = [(photo, view) for photo, of_photo in zip(train_photos, views, strict=True) for view in of_photo]
    features = _extract(encoder, [*wanted, *((photo, WHOLE) for photo in dev_photos)], job.cache)
    photos = TrainingPhotos(train_photos, views, features.load)
    trained = _fit(job, dataset, encoder, features, photos)
    evaluation = _publish(job, trained)
    captioner = Captioner.load(job.bundle)
    report = trained.run / "report.html"
    write_report(report, captioner, dev_photos, evaluation, read_phases(trained.run))
    say(f"Published {job.bundle}; the report is {report}")
    return captioner.bundle.manifest


def read_phases(run: Path) -> dict[str, list[EpochRecord]]:
    """The epochs of a run directory, by phase; a phase that it did not have is empty."""
    rewarded = sorted(run.glob(f"{_SELF_CRITICAL}*"), key=lambda folder: folder.stat().st_mtime)
    return {
        "teacher forcing": read_history(run / CHECKPOINT),
        "self-critical": read_history(rewarded[-1] / CHECKPOINT) if rewarded else [],
    }


def _extract(encoder: ExportedEncoder, photos: Sequence[PhotoView], cache: Path) -> FeatureCache:
    features = FeatureCache.for_encoder(cache / "features", encoder.read(ENCODER), encoder.image)
    features.extract(photos, OnnxEncoder(encoder, threads=cpu.count_cores()), encoder.image)
    return features


def _fit(
    job: Job, dataset: Dataset, encoder: ExportedEncoder, features: FeatureCache, photos: TrainingPhotos
) -> _Trained:
    config = job.config
    vocabulary = build_vocabulary(
        (tokenise(caption) for photo in photos.photos for caption in photo.captions), config.vocabulary.min_count
    )
    say(f"{len(vocabulary)} words, {config.decoder.architecture} decoder")
    _make_deterministic()
    decoder = build_decoder(
        len(vocabulary), encoder.features.cells, encoder.features.channels, config.decoder, config.fitting.seed
    )
    run = _open_run(job, dataset, encoder)
    score = _DevScore(dataset.split("dev"), features, vocabulary, config)
    forced = _force(decoder, photos, vocabulary, score, config, run)
    if config.self_critical.epochs:
        _reinforce(decoder, photos, vocabulary, score, config, run, forced)
    return _Trained(decoder, vocabulary, encoder, dataset, run)


def _force(
    decoder: Decoder,
    photos: TrainingPhotos,
    vocabulary: Vocabulary,
    score: Score,
    config: TrainingConfig,
    run: Path,
) -> Progress:
    """Teach the decoder the captions of people, word by word."""
    batches = Batches(
        photos,
        vocabulary,
        max_length=config.vocabulary.max_length,
        photos_per_batch=config.fitting.photos_per_batch,
        seed=config.fitting.seed,
    )
    return fit(decoder, batches, score, config.fitting, run)


def _reinforce(
    decoder: Decoder,
    photos: TrainingPhotos,
    vocabulary: Vocabulary,
    score: Score,
    config: TrainingConfig,
    run: Path,
    forced: Progress,
) -> None:
    """Let the decoder learn from captions of its own, and keep what it was where that is no better."""
    settings = config.self_critical
    folder = run / f"{_SELF_CRITICAL}{hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:8]}"
    say(f"Self-critical training: {folder}")
    batches = SampledBatches(
        decoder,
        photos,
        vocabulary,
        settings,
        max_length=config.vocabulary.max_length,
        seed=config.fitting.seed,
    )
    rewarded = fit(decoder, batches, score, settings, folder)
    if rewarded.best is None or forced.best is None or rewarded.best.cider <= forced.best.cider:
        say("Self-critical training gained nothing on dev; the decoder stays as teacher forcing left it")
        write_weights(decoder, forced.best_weights)


class _DevScore:
    """CIDEr of a decoder's captions of the dev split, by the search that serves, words free to repeat."""

    def __init__(
        self, photos: Sequence[Photo], features: FeatureCache, vocabulary: Vocabulary, config: TrainingConfig
    ) -> None:
        self._photos, self._features, self._vocabulary = photos, features, vocabulary
        self._options = SearchOptions(
            beam_width=config.decoding.beam_width,
            length_penalty=config.decoding.length_penalty,
            max_length=config.vocabulary.max_length,
        )
        self._references = {photo.name: _split_words(photo.captions) for photo in photos}

    def __call__(self, decoder: Decoder) -> float:
        captions: dict[str, list[str]] = {}
        for begin in range(0, len(self._photos), _SEARCH_BATCH):
            photos = self._photos[begin : begin + _SEARCH_BATCH]
            features = self._features.load([(photo, WHOLE) for photo in photos]).astype(np.float32)
            found = search(SearchDecoder(decoder), features, self._options, TOKENS)
            for photo, (best, *_) in zip(photos, found, strict=True):
                captions[photo.name] = [" ".join(self._vocabulary.decode(best.tokens))]
        return score_cider(self._references, captions)[0]


def _publish(job: Job, trained: _Trained) -> Evaluation:
    """Export, score and publish; what the bundle wrote about the dev photos."""
    require_tensorflow("Exporting the bundle")
    from training.decoder_export import round_weights  # TensorFlow is needed from here on

    say("Exporting and scoring the bundle")
    round_weights(trained.decoder)
    with staging(job.bundle) as folder:
        _write_files(job, trained, folder)
        manifest = _describe(job, trained, folder)
        write_manifest(folder, manifest)
        evaluation = evaluate(Captioner.load(folder), trained.dataset.split("dev"))
        say(evaluation.to_table())
        manifest = _record_scores(manifest, evaluation)
        card = write_model_card(manifest, trained.dataset.split("train"), trained.dataset.split("dev"))
        (folder / MODEL_CARD).write_text(card, encoding="utf-8")
        write_manifest(folder, manifest)
        publish(folder, job.bundle)
    return evaluation


def _write_files(job: Job, trained: _Trained, folder: Path) -> None:
    from training.decoder_export import export_decoder, export_saved_model
    from training.encoder_export import build_encoder

    (folder / ENCODER).write_bytes(trained.encoder.read(ENCODER))
    export_decoder(trained.decoder, trained.encoder.features, job.config.decoder.precision, folder)
    words = json.dumps(trained.vocabulary.words, ensure_ascii=False, indent=0)
    (folder / VOCABULARY).write_text(words + "\n", encoding="utf-8")
    if job.saved_model:
        encoder = build_encoder(job.config.encoder.size, job.cache)
        export_saved_model(encoder, trained.decoder, trained.encoder.image, trained.encoder.features, folder)


def _describe(job: Job, trained: _Trained, folder: Path) -> Manifest:
    config = job.config
    decoding = Decoding(
        beam_width=config.decoding.beam_width,
        length_penalty=config.decoding.length_penalty,
        max_length=config.vocabulary.max_length,
        repeatable_words=_known(config.decoding.repeatable_words, trained.vocabulary),
    )
    return Manifest(
        schema_version=1,
        name=job.bundle.name,
        version=_name_version(folder, trained.encoder, decoding),
        files={},
        image=trained.encoder.image,
        features=trained.encoder.features,
        tokens=TOKENS,
        vocabulary_size=len(trained.vocabulary),
        decoding=decoding,
        encoder=EncoderInfo(architecture="xception", precision=config.encoder.precision),
        decoder=DecoderInfo(architecture=config.decoder.architecture, attention=trained.decoder.attention is not None),
        confidence=None,
        training=_record(job, trained.dataset),
        scores={},
    )


def _name_version(folder: Path, encoder: ExportedEncoder, decoding: Decoding) -> str:
    """Short hash of everything that shapes a caption: another version, perhaps other captions."""
    digest = hashlib.sha256()
    for name in (ENCODER, DECODER_START, DECODER_STEP, VOCABULARY):
        digest.update((folder / name).read_bytes())
    digest.update(encoder.image.model_dump_json().encode() + decoding.model_dump_json().encode())
    return digest.hexdigest()[:12]


def _known(words: tuple[str, ...] | None, vocabulary: Vocabulary) -> tuple[str, ...] | None:
    """Those of the words that the model can write."""
    return None if words is None else tuple(word for word in words if word in vocabulary.words)


def _record(job: Job, dataset: Dataset) -> dict[str, Any]:
    """How the bundle was made, for its manifest."""
    return {
        "command": job.command,
        "config": job.config.model_dump(mode="json"),
        "seed": job.config.fitting.seed,
        "dataset_digest": dataset.digest,
        "photos": {split: len(photos) for split, photos in dataset.photos.items()},
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }


def _record_scores(manifest: Manifest, evaluation: Evaluation) -> Manifest:
    """The manifest with the bundle's dev scores and its calibrated confidence."""
    scores = {"dev": {"protocol": PROTOCOL, **evaluation.scores}}
    return manifest.model_copy(update={"scores": scores, "confidence": _calibrate(evaluation)})


def _calibrate(evaluation: Evaluation) -> Calibration | None:
    references = {name: _split_words(captions) for name, captions in evaluation.references.items()}
    captions = {name: [description.caption] for name, description in evaluation.descriptions.items()}
    _, ciders = score_cider(references, captions)
    certainties = [
        description.log_probability / (len(description.words) + 1) for description in evaluation.descriptions.values()
    ]
    return fit_calibration(certainties, ciders)


def _split_words(captions: Sequence[str]) -> list[str]:
    """Captions as `score_cider` reads them: words separated by spaces."""
    return [" ".join(tokenise(caption)) for caption in captions]


def _open_run(job: Job, dataset: Dataset, encoder: ExportedEncoder) -> Path:
    """The directory of this configuration on this dataset: the same command finds it again."""
    parts = (job.config.fit_json(), dataset.digest, encoder.path.name)
    run = job.runs / f"{job.bundle.name}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:8]}"
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text(job.config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    say(f"Run directory: {run}")
    return run


def _make_deterministic() -> None:
    """Have the backend add numbers up in the same order every time: a resumed run then repeats an undisturbed one."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()

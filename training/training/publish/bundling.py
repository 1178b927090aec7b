"""Makes the bundle of what was trained: exports, describes, scores, calibrates, publishes."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from inference.captioner import Captioner
from inference.model.bundle import DECODER_START, DECODER_STEP, ENCODER, MODEL_CARD, VOCABULARY
from inference.model.confidence import calibrate
from inference.model.manifest import DecoderInfo, Decoding, EncoderInfo, Manifest
from inference.model.vocabulary import Vocabulary
from training.config import TrainingConfig
from training.data.dataset import Dataset, Photo
from training.data.views import WHOLE, View, choose_views
from training.data.words import TOKENS, known_words
from training.encoder import weight_deltas
from training.encoder.cache import ExportedEncoder, require_tensorflow
from training.encoder.pretrained import Start
from training.encoder.weight_deltas import ENCODER_DIFFERENCES
from training.evaluation.calibration import bin_by_confidence, fit_calibration
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.metrics import PROTOCOL
from training.models.decoder import Decoder
from training.progress import say
from training.publish.model_card import write_model_card
from training.publish.publishing import publish, staging, write_manifest


@dataclass(frozen=True, slots=True)
class Job:
    """What to train from, where to put what comes of it, and how it was asked for.

    `bundle`: the directory to publish; `runs` holds a directory for each configuration and dataset, `cache` the
    encoder's weights, graphs and maps, shared by all runs; `command`: the words that started the job, for the record;
    `start`: what an accelerator learnt before.
    """

    dataset: Path
    bundle: Path
    config: TrainingConfig
    runs: Path
    cache: Path
    command: str
    saved_model: bool = False
    start: Start = field(default_factory=Start)

    def choose_views(self, photo: Photo) -> Sequence[View]:
        """The views of a training photo that the phases learn from: none where the start is the end of learning."""
        config = self.config
        phases = [*(() if self.start.decoder else (config.fitting,)), config.fine_tuning, config.self_critical]
        phases = [phase for phase in phases if phase.epochs]
        if any(phase.views for phase in phases):
            return choose_views(photo, config.augmentation)
        return [WHOLE] if phases else []


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted decoder with all that belongs to it, and the length penalty that suits it."""

    decoder: Decoder
    vocabulary: Vocabulary
    encoder: ExportedEncoder
    dataset: Dataset
    run: Path
    length_penalty: float


def publish_bundle(job: Job, trained: Trained) -> Evaluation:
    """Export, score and publish; what the bundle wrote about the dev photos."""
    require_tensorflow("Exporting the bundle")
    from training.publish.decoder_export import round_weights  # TensorFlow is needed from here on

    say("Exporting and scoring the bundle")
    round_weights(trained.decoder)
    beside = _keep_differences(job, trained)
    with staging(job.bundle) as folder:
        _write_files(job, trained, folder)
        manifest = _describe(job, trained, folder, beside)
        write_manifest(folder, manifest)
        evaluation = evaluate(Captioner.load(folder), trained.dataset.split("dev"))
        say(evaluation.to_table())
        ciders = evaluation.ciders()
        manifest = _record_scores(manifest, evaluation, ciders)
        photos = trained.dataset
        confidences = [
            calibrate(mean, manifest.confidence, evidence=evidence)
            for mean, evidence in zip(*_read_certainties(evaluation), strict=True)
        ]
        card = write_model_card(
            manifest,
            photos.split("train"),
            photos.split("dev"),
            bin_by_confidence(confidences, ciders),
            fine_tuned=bool(trained.encoder.tuned),
        )
        (folder / MODEL_CARD).write_text(card, encoding="utf-8")
        write_manifest(folder, manifest)
        publish(folder, job.bundle)
    return evaluation


def _keep_differences(job: Job, trained: Trained) -> dict[str, Any]:
    """Write what fine-tuning changed in the encoder beside the bundle, and say for the manifest what was written."""
    if not trained.encoder.tuned:
        return {}
    path = weight_deltas.training_folder(job.bundle) / ENCODER_DIFFERENCES
    path.parent.mkdir(parents=True, exist_ok=True)
    weight_deltas.save(path, trained.encoder.tuned)
    return {"encoder": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "share": 1.0}}


def _write_files(job: Job, trained: Trained, folder: Path) -> None:
    from training.encoder.export import build_encoder
    from training.publish.decoder_export import export_decoder, export_saved_model

    (folder / ENCODER).write_bytes(trained.encoder.read(ENCODER))
    export_decoder(trained.decoder, trained.encoder.features, job.config.decoder.precision, folder)
    words = json.dumps(trained.vocabulary.words, ensure_ascii=False, indent=0)
    (folder / VOCABULARY).write_text(words + "\n", encoding="utf-8")
    if job.saved_model:
        encoder = build_encoder(job.config.encoder.size, job.cache, trained.encoder.tuned)
        export_saved_model(encoder, trained.decoder, trained.encoder.image, trained.encoder.features, folder)


def _describe(job: Job, trained: Trained, folder: Path, beside: dict[str, Any]) -> Manifest:
    config, repeatable = job.config, job.config.decoding.repeatable_words
    decoding = Decoding(
        beam_width=config.decoding.beam_width,
        length_penalty=trained.length_penalty,
        max_length=config.vocabulary.max_length,
        repeatable_words=None if repeatable is None else known_words(repeatable, trained.vocabulary),
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
        training=_record(job, trained.dataset) | beside,
        scores={},
    )


def _name_version(folder: Path, encoder: ExportedEncoder, decoding: Decoding) -> str:
    """Short hash of everything that shapes a caption: another version, perhaps other captions."""
    digest = hashlib.sha256()
    for name in (ENCODER, DECODER_START, DECODER_STEP, VOCABULARY):
        digest.update((folder / name).read_bytes())
    digest.update(encoder.image.model_dump_json().encode() + decoding.model_dump_json().encode())
    return digest.hexdigest()[:12]


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
        **({"start": job.start.record} if job.start.record else {}),
    }


def _record_scores(manifest: Manifest, evaluation: Evaluation, ciders: Sequence[float]) -> Manifest:
    """The manifest with the bundle's dev scores and its calibrated confidence."""
    scores = {"dev": {"protocol": PROTOCOL, **evaluation.scores}}
    means, evidence = _read_certainties(evaluation)
    calibration = fit_calibration(means, ciders, evidence)
    return manifest.model_copy(update={"scores": scores, "confidence": calibration})


def _read_certainties(evaluation: Evaluation) -> tuple[list[float], list[float]]:
    """The mean log-probability of each caption's tokens, the end counted, and the evidence for its words."""
    captions = evaluation.descriptions.values()
    return [one.log_probability / (len(one.words) + 1) for one in captions], [one.evidence for one in captions]

"""Makes the bundle of what was trained: exports, describes, scores, calibrates, publishes."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from photocaption.caption import Description
from photocaption.captioner import Captioner
from photocaption.model.bundle import DECODER_START, DECODER_STEP, ENCODER, MODEL_CARD, TRIGRAMS, VOCABULARY
from photocaption.model.confidence import calibrate
from photocaption.model.manifest import Calibration, DecoderInfo, EncoderInfo, ImageSpec, Manifest, SearchDefaults
from training.data.dataset import Dataset
from training.data.texts import digest_text
from training.data.words import TOKENS
from training.encoder import weight_deltas
from training.encoder.cache import ExportedEncoder, require_tensorflow
from training.encoder.weight_deltas import ENCODER_DIFFERENCES
from training.evaluation.calibration import GOOD_CIDER, Bin, bin_by_confidence, fit_calibration
from training.evaluation.datasets import evaluate_dataset
from training.evaluation.evaluate import Evaluation
from training.evaluation.metrics import PROTOCOL
from training.evaluation.subjects import SubjectEvaluation
from training.fit.dev_score import choose_search
from training.fit.job import Job
from training.fit.material import Material
from training.models.decoder import Decoder
from training.progress import say
from training.publish.model_card import write_model_card
from training.publish.publishing import publish, staging, write_manifest

Scored = Evaluation | SubjectEvaluation


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted decoder with what it learnt from, and the length penalty that suits it."""

    decoder: Decoder
    material: Material
    length_penalty: float

    @property
    def encoder(self) -> ExportedEncoder:
        """What serves in front of the decoder."""
        return self.material.encoder


def publish_bundle(job: Job, trained: Trained) -> Evaluation:
    """Export, score and publish; what the bundle wrote about the dev photos of the first dataset with captions."""
    require_tensorflow("Exporting the bundle")
    from training.publish.decoder_export import round_weights  # TensorFlow is needed from here on

    say("Exporting and scoring the bundle")
    round_weights(trained.decoder)
    beside = _keep_differences(job, trained)
    with staging(job.bundle) as folder:
        _write_files(job, trained, folder)
        manifest = _compose_manifest(job, trained, folder, beside)
        write_manifest(folder, manifest)
        datasets = [one for one in trained.material.datasets if one.dev]
        captioner = Captioner.load(folder)
        calibration, evaluations = _calibrate([evaluate_dataset(captioner, one, "dev") for one in datasets])
        for dataset, evaluation in zip(datasets, evaluations, strict=True):
            say(f"{dataset.source.name}, dev:\n{evaluation.to_table()}")
        scores = _list_scores(datasets, evaluations)
        manifest = manifest.model_copy(update={"scores": scores, "confidence": calibration})
        captioned = [one for one in evaluations if isinstance(one, Evaluation)]
        card = write_model_card(manifest, trained.material.datasets, _bin(captioned))
        (folder / MODEL_CARD).write_text(card, encoding="utf-8")
        write_manifest(folder, manifest)
        publish(folder, job.bundle)
    return captioned[0]


def _keep_differences(job: Job, trained: Trained) -> dict[str, Any]:
    """Write what fine-tuning changed in the encoder beside the bundle, and say for the manifest what was written."""
    path = weight_deltas.training_folder(job.bundle) / ENCODER_DIFFERENCES
    if job.start.bundle:
        kept = weight_deltas.training_folder(job.start.bundle.path) / ENCODER_DIFFERENCES
        if not kept.is_file() or "encoder" not in job.start.bundle.manifest.training:
            return {}
        if kept.resolve() != path.resolve():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(kept.read_bytes())
        return {"encoder": job.start.bundle.manifest.training["encoder"]}
    if not trained.encoder.tuned:
        return {}
    path.parent.mkdir(parents=True, exist_ok=True)
    weight_deltas.save(path, trained.encoder.tuned)
    return {"encoder": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "share": 1.0}}


def _write_files(job: Job, trained: Trained, folder: Path) -> None:
    from training.encoder.export import build_encoder
    from training.publish.decoder_export import export_decoder, export_saved_model

    (folder / ENCODER).write_bytes(trained.encoder.read(ENCODER))
    export_decoder(trained.decoder, trained.encoder.features, job.config.decoder.precision, folder)
    words = json.dumps(trained.material.vocabulary.words, ensure_ascii=False, indent=0)
    (folder / VOCABULARY).write_text(words + "\n", encoding="utf-8")
    if trained.material.trigrams:
        (folder / TRIGRAMS).write_bytes(trained.material.trigrams.to_bytes())
    if job.saved_model:
        encoder = build_encoder(trained.encoder.image.height, job.cache, job.start.read_tuned())
        export_saved_model(encoder, trained.decoder, trained.encoder.image, trained.encoder.features, folder)


def _compose_manifest(job: Job, trained: Trained, folder: Path, beside: dict[str, Any]) -> Manifest:
    config, material = job.config, trained.material
    decoding = choose_search(config, material.vocabulary, trained.length_penalty, material.trigrams)
    return Manifest(
        schema_version=1,
        name=job.bundle.name,
        version=name_version(folder, trained.encoder.image, decoding),
        files={},
        image=trained.encoder.image,
        features=trained.encoder.features,
        tokens=TOKENS,
        vocabulary_size=len(material.vocabulary),
        decoding=decoding,
        encoder=job.start.bundle.manifest.encoder
        if job.start.bundle
        else EncoderInfo(architecture="xception", precision=config.encoder.precision),
        decoder=DecoderInfo(architecture=config.decoder.architecture, attention=trained.decoder.attention is not None),
        confidence=None,
        training=_record(job, material.datasets) | beside,
        scores={},
    )


def name_version(folder: Path, image: ImageSpec, decoding: SearchDefaults) -> str:
    """Short hash of everything that shapes a caption: another version, perhaps other captions."""
    digest = hashlib.sha256()
    for name in (ENCODER, DECODER_START, DECODER_STEP, VOCABULARY, TRIGRAMS):
        if (folder / name).exists():
            digest.update((folder / name).read_bytes())
    digest.update(image.model_dump_json().encode() + decoding.model_dump_json().encode())
    return digest.hexdigest()[:12]


def _record(job: Job, datasets: Sequence[Dataset]) -> dict[str, Any]:
    """How the bundle was made, for its manifest."""
    records = {
        one.source.name: {
            "digest": one.digest,
            "share": one.source.share,
            "train": len(one.train),
            "dev": len(one.dev),
            "labels": bool(one.labels),
        }
        for one in datasets
    }
    return {
        "command": job.command,
        "config": job.config.model_dump(mode="json"),
        "seed": job.config.fitting.seed,
        "datasets": records,
        "texts": {path.name: digest_text(path) for path in job.texts},
        "photos": {split: sum(len(getattr(one, split)) for one in datasets) for split in ("train", "dev")},
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        **({"teacher": {job.teacher.name: digest_text(job.teacher)}} if job.teacher else {}),
        **({"start": job.start.record} if job.start.record else {}),
    }


def _calibrate(evaluations: Sequence[Scored]) -> tuple[Calibration | None, list[Scored]]:
    """What confidence means, by all that the bundle wrote, and the evaluations with it."""
    inputs: list[tuple[float, float]] = []
    goods: list[bool] = []
    for one in evaluations:
        inputs += map(_calibration_inputs, one.descriptions.values())
        goods += (
            [cider >= GOOD_CIDER for cider in one.ciders()]
            if isinstance(one, Evaluation)
            else map(one.is_named, one.descriptions)
        )
    calibration = fit_calibration([mean for mean, _ in inputs], [one for _, one in inputs], goods)

    def state(description: Description) -> Description:
        mean, strongest = _calibration_inputs(description)
        return replace(description, confidence=calibrate(mean, calibration, strongest=strongest))

    return calibration, [
        replace(one, descriptions={photo: state(description) for photo, description in one.descriptions.items()})
        for one in evaluations
    ]


def _list_scores(datasets: Sequence[Dataset], evaluations: Sequence[Scored]) -> dict[str, Any]:
    """The scores of each dataset, those of the first with captions as "dev"."""
    scores: dict[str, Any] = {}
    for dataset, one in zip(datasets, evaluations, strict=True):
        name = f"{dataset.source.name}_dev"
        if isinstance(one, Evaluation):
            scores["dev" if "dev" not in scores else name] = {"protocol": PROTOCOL, **one.scores}
        else:
            scores[name] = one.summary()
    return scores


def _bin(evaluations: Sequence[Evaluation]) -> list[Bin]:
    """What the confidence of captions means."""
    confidences = [one.confidence for evaluation in evaluations for one in evaluation.descriptions.values()]
    return bin_by_confidence(confidences, [cider for one in evaluations for cider in one.ciders()])


def _calibration_inputs(description: Description) -> tuple[float, float]:
    """The mean log-probability of a caption's tokens, the end counted, and the highest evidence for its words."""
    return description.log_probability / (len(description.words) + 1), description.strongest

"""Makes a published bundle's search faster: the same bundle with the decoder's matrices in 8 bits, and its scores anew.

The manifest's confidence stays as calibrated: log-probabilities move by hundredths.
"""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import onnx

from inference.bundle import DECODER_STEP, ENCODER, MODEL_CARD, SAVED_MODEL, load_bundle
from inference.captioner import Captioner
from inference.manifest import MANIFEST_NAME
from training import onnx_graphs
from training.dataset import Dataset, Photo
from training.evaluation import Evaluation, evaluate
from training.metrics import PROTOCOL
from training.model_card import write_model_card
from training.progress import say
from training.publishing import publish, staging, write_manifest


def compress(bundle: Path, out: Path, dataset: Dataset) -> Evaluation:
    """Publish to `out`, which may be `bundle` itself, what `bundle` holds with its step in 8 bits; returns its scores.

    A SavedModel is left out, as its weights would no longer be those of the ONNX files. Raises BundleError,
    DatasetError, PublishingError.
    """
    original = load_bundle(bundle).manifest
    with staging(out) as folder:
        _copy_files(bundle, folder)
        _compress_step(folder / DECODER_STEP)
        version = hashlib.sha256((folder / ENCODER).read_bytes() + (folder / DECODER_STEP).read_bytes()).hexdigest()[
            :12
        ]
        manifest = original.model_copy(update={"name": out.name, "version": version})
        write_manifest(folder, manifest)
        evaluation = _evaluate(folder, dataset.split("dev"))
        manifest = manifest.model_copy(update={"scores": {"dev": {"protocol": PROTOCOL, **evaluation.scores}}})
        card = write_model_card(manifest, dataset.split("train"), dataset.split("dev"))
        (folder / MODEL_CARD).write_text(card, encoding="utf-8")
        write_manifest(folder, manifest)
        publish(folder, out)
    return evaluation


def _copy_files(bundle: Path, folder: Path) -> None:
    for path in bundle.iterdir():
        if path.is_file() and path.name != MANIFEST_NAME:
            shutil.copyfile(path, folder / path.name)
    if (bundle / SAVED_MODEL).exists():
        say("Leaving out the SavedModel: it has other weights")


def _compress_step(path: Path) -> None:
    model = onnx.load(path)
    say(f"{onnx_graphs.store_eight_bits(model)} matrices of the decoder's step in 8 bits")
    onnx_graphs.save(model, path)


def _evaluate(folder: Path, photos: Sequence[Photo]) -> Evaluation:
    evaluation = evaluate(Captioner.load(folder), photos)
    say(evaluation.to_table())
    return evaluation

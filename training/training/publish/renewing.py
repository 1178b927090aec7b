"""Writes a bundle's graphs as today's export does, without a training: for one that an older export made."""

import shutil
from pathlib import Path

import numpy as np
import onnx

from photocaption.model.bundle import DECODER_START, DECODER_STEP, MODEL_CARD, Bundle, load_bundle
from photocaption.model.onnx_runtime import OnnxDecoder
from photocaption.model.runtime import Floats, Tensors
from training.errors import PublishingError
from training.publish.bundling import name_version
from training.publish.decoder_export import save_decoder
from training.publish.publishing import publish, staging, write_manifest

_FAR = 0.2
"""How far probabilities of words may be from those of the old graphs. Rounding moves them by hundredths."""
_PHOTOS, _BEAMS, _WORDS = 4, 3, 3


def renew_bundle(source: Path, target: Path) -> None:
    """Publish a bundle to `target`, which may be `source`, with the same weights in the graphs that serve fastest.

    Its scores stay: what changes is rounding. Raises `CaptionError`; `PublishingError` where the new
    graphs say something else than the old ones.
    """
    bundle = load_bundle(source)
    start, step = (onnx.load_from_string(bundle.read(name)) for name in (DECODER_START, DECODER_STEP))
    with staging(target) as folder:
        for name in bundle.manifest.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)
        save_decoder(start, step, bundle.manifest.features, folder)
        version = name_version(folder, bundle.manifest.image, bundle.manifest.decoding)
        if bundle.card:
            (folder / MODEL_CARD).write_text(bundle.card.replace(bundle.manifest.version, version), encoding="utf-8")
        write_manifest(folder, bundle.manifest.model_copy(update={"version": version}))
        _compare(bundle, load_bundle(folder))
        publish(folder, target)


def _compare(old: Bundle, new: Bundle) -> None:
    """Raise PublishingError unless two decoders say the same of the first words about photos of noise."""
    difference = float(np.abs(_say(old) - _say(new)).max())
    if not difference < _FAR:
        raise PublishingError(
            f"{old.path}: probabilities by the new graphs differ by {difference:.2f}, which is no rounding"
        )


def _say(bundle: Bundle) -> Floats:
    """Probabilities [words, photos, beams, V] of what follows each word of some that are chosen by lot."""
    lot, manifest = np.random.default_rng(0), bundle.manifest
    shape = (_PHOTOS, manifest.features.cells, manifest.features.channels)
    decoder = OnnxDecoder(bundle)
    start = decoder.start(lot.exponential(0.2, shape).astype(np.float32))
    state: Tensors = {name: np.repeat(value[:, None], _BEAMS, axis=1) for name, value in start.state.items()}
    said = []
    for _ in range(_WORDS):
        tokens = lot.integers(manifest.vocabulary_size, size=(_PHOTOS, _BEAMS), dtype=np.int32)
        step = decoder.step(tokens, start.context, state)
        said.append(np.exp(step.log_probabilities))
        state = step.state
    return np.stack(said)

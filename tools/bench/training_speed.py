"""The speed of training: photos a second in feature extraction, captions a second in teacher forcing."""

import statistics
import time

import numpy as np

from bench.photos import distinct, load_examples
from bench.sections import Section
from photocaption.captioner import Captioner
from training.config import DecoderConfig
from training.fit.fitting import SmoothedCrossEntropy
from training.models.decoder import build_decoder

_PHOTOS = 32
_BATCH = (32, 5, 15)  # photos, captions of each, words of each
_SECONDS = 12.0


def measure_training(captioner: Captioner) -> Section:
    """Extraction on photos as small as Flickr8k's, and steps of teacher forcing on a batch as large as training's."""
    extracted, fitted = _extract(captioner), _fit(captioner)
    section = Section("Training")
    section.say(
        f"Extraction: {extracted:.1f} images/s (224 × 224 JPEGs, decoded and encoded one at a time). Fitting: "
        f"{fitted:.0f} captions/s (teacher forcing, {_BATCH[0]} photos × {_BATCH[1]} captions × {_BATCH[2]} words a "
        "batch; AdamW, compiled once before the clock starts)."
    )
    return section


def _extract(captioner: Captioner) -> float:
    photos = distinct(load_examples(0.05), seed=-5)
    begun = time.perf_counter()
    for _ in range(_PHOTOS):
        captioner.encoder.encode(captioner.prepare(next(photos)).pixels[None])
    return _PHOTOS / (time.perf_counter() - begun)


def _fit(captioner: Captioner) -> float:
    import keras  # slow to import

    manifest = captioner.bundle.manifest
    photos, captions, _ = _BATCH
    cells, channels = manifest.features.rows * manifest.features.columns, manifest.features.channels
    decoder = build_decoder(manifest.vocabulary_size, cells, channels, DecoderConfig(architecture="attention"))
    decoder.compile(optimizer=keras.optimizers.AdamW(1e-3, global_clipnorm=5.0), loss=SmoothedCrossEntropy(0.1))
    chance = np.random.default_rng(0)
    features = chance.random((photos, cells, channels), dtype=np.float32).astype(np.float16)
    tokens, targets = (chance.integers(4, manifest.vocabulary_size, _BATCH).astype(np.int32) for _ in range(2))
    weights = np.full(_BATCH, 1 / tokens.size, np.float32)
    decoder.train_on_batch((features, tokens), targets, sample_weight=weights)
    rates = []
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        begun = time.perf_counter()
        decoder.train_on_batch((features, tokens), targets, sample_weight=weights)
        rates.append(photos * captions / (time.perf_counter() - begun))
    return statistics.median(rates)

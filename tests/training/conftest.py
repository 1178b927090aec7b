"""What the training tests share: a small dataset, and a decoder small enough to fit in a second."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
from support.shapes import write_shapes
from support.weights import weights_cache

from photocaption.model.vocabulary import Vocabulary
from training.config import EncoderConfig, TrainingConfig, load_config
from training.data.captioned import read_captioned
from training.data.photo import Photo
from training.data.words import build_vocabulary
from training.encoder.cache import ExportedEncoder, export_encoder

CELLS, CHANNELS = 4, 6


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes")


@pytest.fixture(scope="session")
def small_encoder(shapes: Path) -> ExportedEncoder:
    """Xception on pictures of 75 pixels, in float32. To export it takes half a minute."""
    config = EncoderConfig(size=75, canonical_size=None, precision="float32", calibration_photos=2)
    return export_encoder(config, read_captioned(shapes)["train"], weights_cache(), seed=1)


@pytest.fixture
def config() -> TrainingConfig:
    return load_config(
        overrides=[
            "decoder.units=8",
            "decoder.heads=2",
            "fitting.photos_per_batch=2",
            "fitting.epochs=3",
            "vocabulary.min_count=1",
            "vocabulary.max_length=6",
        ]
    )


@pytest.fixture
def photos() -> list[Photo]:
    captions = ["a red dog runs", "the dog", "a cat", "a cat sits on the dog", "two cats", "a dog and a cat"]
    return [
        Photo(f"{number}.jpg", Path(f"{number}.jpg"), (caption, f"{caption} here"), f"{number:064x}")
        for number, caption in enumerate(captions)
    ]


@pytest.fixture
def vocabulary(photos: list[Photo]) -> Vocabulary:
    return build_vocabulary((caption.split() for photo in photos for caption in photo.captions), 1)


@pytest.fixture
def features(photos: list[Photo]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {photo.name: random.random((CELLS, CHANNELS)).astype(np.float32) for photo in photos}

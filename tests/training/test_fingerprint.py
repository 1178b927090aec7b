"""What other preprocessing made is not taken for what today's would make."""

import pytest

from inference import preprocessing
from inference.manifest import ImageSpec
from training import encoder
from training.config import TrainingConfig

IMAGE = ImageSpec(height=71, width=71, canonical_size=64, resample="bicubic")


def test_an_encoder_is_calibrated_anew_for_other_preprocessing(
    config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = preprocessing.prepare
    before = encoder._key(config.encoder, IMAGE, [], {})
    again = encoder._key(config.encoder, IMAGE, [], {})
    monkeypatch.setattr(preprocessing, "prepare", lambda picture, image: prepare(picture, image) // 2)

    assert again == before
    assert encoder._key(config.encoder, IMAGE, [], {}) != before

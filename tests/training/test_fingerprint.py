"""What other preprocessing made is not taken for what today's would make."""

import pytest

from photocaption.image import preprocessing
from photocaption.model.manifest import ImageSpec
from training.config import TrainingConfig
from training.encoder import cache

IMAGE = ImageSpec(height=71, width=71, canonical_size=64, resample="bicubic")


def test_an_encoder_is_calibrated_anew_for_other_preprocessing(
    config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = preprocessing.prepare
    before = cache._key(config.encoder, IMAGE, [], {})
    again = cache._key(config.encoder, IMAGE, [], {})
    monkeypatch.setattr(preprocessing, "prepare", lambda picture, image: prepare(picture, image) // 2)

    assert again == before
    assert cache._key(config.encoder, IMAGE, [], {}) != before

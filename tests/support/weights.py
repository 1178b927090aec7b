"""Where the tests keep Xception's weights: the cache of the training job, so that they are fetched once a checkout."""

from pathlib import Path

from training.encoder.xception import load_xception

ROOT = Path(__file__).resolve().parents[2]


def weights_cache() -> Path:
    """The folder with the weights, fetched now if they are not there."""
    cache = ROOT / ".cache" / "training"
    load_xception(75, cache)
    return cache

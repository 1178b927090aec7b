"""Where the tests keep Xception's weights: the cache of the training job, so that they are fetched once a checkout."""

import fcntl
import functools
from pathlib import Path

from training.encoder.xception import load_xception

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def weights_cache() -> Path:
    """The folder with the weights, fetched now if they are not there."""
    cache = ROOT / ".cache" / "training"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "fetching.lock").open("w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        load_xception(75, cache)
    return cache

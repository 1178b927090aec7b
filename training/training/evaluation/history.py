"""The epochs of a run, read from the checkpoints of its phases."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CHECKPOINT = "checkpoint.npz"
SELF_CRITICAL = "self-critical-"
"""What the folders of that phase begin with, in a run's."""


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """Results of an epoch: mean training loss (nats a word, smoothed), dev score (`training.fit.dev_score`), captions a
    second, and the mean reward of sampled captions.
    """

    epoch: int
    loss: float
    score: float
    captions_per_second: float
    reward: float | None = None


def read_history(path: Path) -> list[EpochRecord]:
    """The epochs that a checkpoint holds; none where there is no file."""
    if not path.exists():
        return []
    with np.load(path, allow_pickle=False) as arrays:
        return [EpochRecord(**record) for record in json.loads(arrays["history"].tobytes())]


def read_phases(run: Path) -> dict[str, list[EpochRecord]]:
    """The epochs of a run directory, by phase; a phase that it did not have is empty."""
    folders = sorted(run.glob(f"{SELF_CRITICAL}*"), key=lambda folder: folder.stat().st_mtime)
    return {
        "teacher forcing": read_history(run / CHECKPOINT),
        "self-critical": read_history(folders[-1] / CHECKPOINT) if folders else [],
    }

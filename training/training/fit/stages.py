"""The stages of end-to-end training on disk: a repeated command continues after the last finished stage."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.arrays import Arrays, hash_text, read_arrays, save_arrays
from training.config import TrainingConfig
from training.progress import say


@dataclass(frozen=True, slots=True)
class TrainedWeights:
    """The trainable weights of a `Body` after a stage, and their dev score."""

    weights: Arrays
    score: float


class Stages:
    """Keeps stages in folders named by a hash of their settings and data."""

    def __init__(self, folder: Path, config: TrainingConfig, digest: str) -> None:
        """`digest`: of the training data and the initial weights."""
        self._folder = folder
        text = config.model_dump_json(include={"vocabulary", "encoder", "decoder", "fitting"}) + digest
        settings = config.end_to_end.model_dump(exclude={"encoder_share", "decoder_share"})
        critical = {name: value for name, value in settings.items() if name.startswith("critical_")}
        teaching = {name: value for name, value in settings.items() if name not in critical}
        self._teaching = hash_text(f"{text} {teaching}")
        rewards = config.reward.model_dump_json() + config.self_critical.model_dump_json()
        self._critical = hash_text(f"{text} {settings} {rewards}")

    def take(self, name: str, make: Callable[[], TrainedWeights]) -> TrainedWeights:
        """The weights of a stage of teacher forcing: those of an earlier run, or else of `make`, which are kept."""
        path = self._folder / f"teaching-{self._teaching}" / f"{name}.npz"
        if not path.exists():
            made = make()
            path.parent.mkdir(parents=True, exist_ok=True)
            save_arrays(path, made.weights | {"score": np.array(made.score)})
        weights = read_arrays(path.read_bytes())
        score = float(weights.pop("score"))
        say(f"{name}: dev score {score:.1f}")
        return TrainedWeights(weights, score)

    def open(self, name: str) -> Path:
        """The folder of self-critical training."""
        return self._folder / f"{name}-{self._critical}"

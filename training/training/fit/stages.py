"""The stages of end-to-end training on disk: a command that is given again goes on after the last one that is done."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.arrays import Arrays, read_arrays, save_arrays
from training.config import TrainingConfig
from training.progress import say


@dataclass(frozen=True, slots=True)
class Taught:
    """Weights that a stage leaves, those of a `Body` that can be trained, and their dev score."""

    weights: Arrays
    score: float


class Stages:
    """Where stages are kept: in folders by what shapes them, so that no other settings ever find them."""

    def __init__(self, folder: Path, config: TrainingConfig, digest: str) -> None:
        """`digest`: of what is learnt from and begun with."""
        self._folder = folder
        text = config.model_dump_json(include={"vocabulary", "encoder", "decoder", "fitting"}) + digest
        settings = config.end_to_end.model_dump()
        critical = {name: value for name, value in settings.items() if name.startswith("critical_")}
        teaching = {name: value for name, value in settings.items() if name not in critical}
        self._teaching = _digest(f"{text} {teaching}")
        rewards = config.reward.model_dump_json() + config.self_critical.model_dump_json()
        self._critical = _digest(f"{text} {settings} {rewards}")

    def take(self, name: str, make: Callable[[], Taught]) -> Taught:
        """What an earlier run made of a stage of teaching, or what `make` makes of it now."""
        path = self._folder / f"teaching-{self._teaching}" / f"{name}.npz"
        if not path.exists():
            made = make()
            path.parent.mkdir(parents=True, exist_ok=True)
            save_arrays(path, made.weights | {"score": np.array(made.score)})
        weights = read_arrays(path.read_bytes())
        score = float(weights.pop("score"))
        say(f"{name}: dev score {score:.1f}")
        return Taught(weights, score)

    def open(self, name: str) -> Path:
        """The folder of self-critical training."""
        return self._folder / f"{name}-{self._critical}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]

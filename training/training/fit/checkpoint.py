"""Checkpoints of a fit: everything that the next epoch depends on, in one file that is written atomically.

Plain NumPy arrays and JSON; nothing is pickled. A resumed fit has the same result as one that was not interrupted,
because the order of the photos and the dropout of an epoch depend on the seed and the epoch alone.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np
from keras import ops

from training.arrays import Arrays, save_arrays
from training.errors import TrainingError
from training.evaluation.history import EpochRecord


@dataclass(slots=True)
class Progress:
    """How far a fit has come: epochs done, in order, and the weights that scored best on dev."""

    history: list[EpochRecord] = field(default_factory=list)
    best_weights: Arrays = field(default_factory=dict)

    @property
    def best(self) -> EpochRecord | None:
        """The epoch with the highest dev score, the earliest of equals."""
        return max(self.history, key=lambda record: (record.score, -record.epoch), default=None)

    @property
    def epochs_since_best(self) -> int:
        """Epochs done after the best one."""
        return self.history[-1].epoch - self.best.epoch if self.best else 0


def read_weights(model: keras.Model) -> Arrays:
    """The trainable weights of a model by path."""
    return {variable.path: ops.convert_to_numpy(variable) for variable in model.trainable_variables}


def write_weights(model: keras.Model, weights: Arrays) -> None:
    """Set the trainable weights of a model. Raises TrainingError when they are another model's."""
    variables = {variable.path: variable for variable in model.trainable_variables}
    if variables.keys() != weights.keys():
        raise TrainingError("the checkpoint is of another model; remove it, or train into another folder")
    for path, variable in variables.items():
        variable.assign(weights[path])


def interpolate(before: Arrays, after: Arrays, share: float | Mapping[str, float]) -> Arrays:
    """Weights a share of the way from those before to those after, the same for all or one for each path."""
    shares = share if isinstance(share, Mapping) else dict.fromkeys(before, share)
    return {path: array + np.float32(shares[path]) * (after[path] - array) for path, array in before.items()}


def save_checkpoint(path: Path, model: keras.Model, progress: Progress) -> None:
    """Write weights, optimizer state, best weights and history."""
    arrays = {f"weights/{name}": value for name, value in read_weights(model).items()}
    arrays |= {f"best/{name}": value for name, value in progress.best_weights.items()}
    arrays |= {
        f"optimizer/{place}": ops.convert_to_numpy(value) for place, value in enumerate(model.optimizer.variables)
    }
    history = json.dumps([asdict(record) for record in progress.history])
    arrays["history"] = np.frombuffer(history.encode(), np.uint8)
    save_arrays(path, arrays)


def load_checkpoint(path: Path, model: keras.Model) -> Progress:
    """Restore a model and its optimizer; where there is no file, leave them as they are."""
    if not path.exists():
        return Progress()
    with np.load(path, allow_pickle=False) as arrays:
        write_weights(model, _below(arrays, "weights/"))
        for place, variable in enumerate(model.optimizer.variables):
            variable.assign(arrays[f"optimizer/{place}"])
        history = [EpochRecord(**record) for record in json.loads(arrays["history"].tobytes())]
        return Progress(history, _below(arrays, "best/"))


def _below(arrays: np.lib.npyio.NpzFile, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): arrays[name] for name in arrays.files if name.startswith(prefix)}

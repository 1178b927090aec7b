"""Where a training job can begin instead of with ImageNet's encoder and an untaught decoder: a folder that end-to-end
training leaves (`training.fit.end_to_end`).
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from training.encoder import weight_deltas
from training.errors import TrainingError
from training.fit.checkpoint import Arrays, read_arrays, save_arrays, write_weights
from training.models.decoder import Decoder

_ENCODER = "encoder.npz"
_DECODER = "decoder.npz"
_TAUGHT = "taught_decoder.npz"
_RECORD = "start.json"


@dataclass(frozen=True, slots=True)
class Start:
    """What is known already: `tuned`, what fine-tuning changed in the encoder (`training.encoder.weight_deltas`); the
    weights of the decoder by path, in float16, and those that it had after teacher forcing; and a record of how they
    came about.
    """

    tuned: Arrays = field(default_factory=dict)
    decoder: Arrays = field(default_factory=dict)
    taught: Arrays = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)

    def teach(self, decoder: Decoder) -> Arrays:
        """Put the weights into a decoder, and return those after teacher forcing. Raises TrainingError when they are
        those of another one.
        """
        write_weights(decoder, _widen(self.decoder))
        return _widen(self.taught)


def write_start(folder: Path, start: Start) -> None:
    """Write a folder from which `read_start` reads the same."""
    folder.mkdir(parents=True, exist_ok=True)
    weight_deltas.save(folder / _ENCODER, start.tuned)
    for name, weights in ((_DECODER, start.decoder), (_TAUGHT, start.taught)):
        save_arrays(folder / name, weights)
    (folder / _RECORD).write_text(json.dumps(start.record, indent=2) + "\n", encoding="utf-8")


def read_start(folder: Path) -> Start:
    """What `write_start` wrote. Raises TrainingError."""
    try:
        tuned, decoder, taught = (read_arrays((folder / name).read_bytes()) for name in (_ENCODER, _DECODER, _TAUGHT))
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, BadZipFile) as error:
        raise TrainingError(f"{folder} is not what end-to-end training leaves: {error}") from error
    return Start(tuned, decoder, taught, record)


def _widen(weights: Arrays) -> Arrays:
    return {path: array.astype(np.float32) for path, array in weights.items()}

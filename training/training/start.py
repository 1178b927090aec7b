"""Where a training job can begin instead of with ImageNet's encoder and an untaught decoder: a folder that end-to-end
training leaves (`training.end_to_end`).
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training import differences
from training.checkpoint import Arrays, write_weights
from training.decoder import Decoder
from training.errors import TrainingError

_ENCODER = "encoder.npz"
_DECODER = "decoder.npz"
_RECORD = "start.json"


@dataclass(frozen=True, slots=True)
class Start:
    """What is known already: `tuned`, what fine-tuning changed in the encoder (`training.differences`); the weights of
    the decoder by path, in float16; and a record of how they came about.
    """

    tuned: Arrays = field(default_factory=dict)
    decoder: Arrays = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)

    def teach(self, decoder: Decoder) -> None:
        """Put the weights into a decoder. Raises TrainingError when they are those of another one."""
        write_weights(decoder, {path: array.astype(np.float32) for path, array in self.decoder.items()})


def write_start(folder: Path, start: Start) -> None:
    """Write a folder from which `read_start` reads the same."""
    folder.mkdir(parents=True, exist_ok=True)
    differences.save(folder / _ENCODER, start.tuned)
    with (folder / _DECODER).open("wb") as stream:
        np.savez(stream, allow_pickle=False, **start.decoder)
    (folder / _RECORD).write_text(json.dumps(start.record, indent=2) + "\n", encoding="utf-8")


def read_start(folder: Path) -> Start:
    """What `write_start` wrote. Raises TrainingError."""
    try:
        tuned = differences.load((folder / _ENCODER).read_bytes())
        with np.load(folder / _DECODER, allow_pickle=False) as arrays:
            decoder = {path: arrays[path] for path in arrays.files}
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{folder} is not what end-to-end training leaves: {error}") from error
    return Start(tuned, decoder, record)

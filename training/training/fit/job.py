"""The inputs and outputs of a training job."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.config import TrainingConfig
from training.data.dataset import Dataset, Source
from training.data.texts import digest_text
from training.fit.pretrained import Pretrained


@dataclass(frozen=True, slots=True)
class Job:
    """A training job.

    `texts`: files of captions without photos; `bundle`: the directory to publish; `runs` holds a directory for each
    configuration and dataset, `cache` the encoder's weights, graphs and maps, shared by all runs; `command`: the
    command that started the job, for the manifest; `start`: pretrained weights; `teacher`: a classifier of ImageNet's
    classes in ONNX, for the tagger.
    """

    sources: Sequence[Source]
    bundle: Path
    config: TrainingConfig
    runs: Path
    cache: Path
    command: str
    texts: Sequence[Path] = ()
    saved_model: bool = False
    start: Pretrained = field(default_factory=Pretrained)
    teacher: Path | None = None

    def list_digests(self, datasets: Sequence[Dataset]) -> list[str]:
        """Digests of the training data and the pretrained weights."""
        files = [*self.texts, *([self.teacher] if self.teacher else [])]
        return [
            *(f"{one.digest} {one.source.share}" for one in datasets),
            *map(digest_text, files),
            *sorted(hashlib.sha256(array.tobytes()).hexdigest() for array in self.start.decoder.values()),
        ]

    @property
    def trains_on_captions(self) -> bool:
        """Whether there is teacher forcing; weights of end-to-end training have been through it."""
        return bool(self.config.fitting.epochs and (self.start.bundle or not self.start.decoder))

    @property
    def trains(self) -> bool:
        """Whether the decoder is trained in any phase, or published as it is."""
        return self.trains_on_captions or bool(self.config.self_critical.epochs)

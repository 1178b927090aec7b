"""What a training is asked for."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.config import TrainingConfig
from training.data.collection import Collection, Source
from training.data.texts import digest_text
from training.fit.start import Start


@dataclass(frozen=True, slots=True)
class Job:
    """What to train from, where to put what comes of it, and how it was asked for.

    `texts`: files of captions without photos; `bundle`: the directory to publish; `runs` holds a directory for each
    configuration and dataset, `cache` the encoder's weights, graphs and maps, shared by all runs; `command`: the words
    that started the job, for the record; `start`: what is known already; `teacher`: a classifier of ImageNet's classes
    in ONNX, from which the tagger learns them.
    """

    sources: Sequence[Source]
    bundle: Path
    config: TrainingConfig
    runs: Path
    cache: Path
    command: str
    texts: Sequence[Path] = ()
    saved_model: bool = False
    start: Start = field(default_factory=Start)
    teacher: Path | None = None

    def list_digests(self, collections: Sequence[Collection]) -> list[str]:
        """Of what is learnt from and begun with: the same list, the same material."""
        files = [*self.texts, *([self.teacher] if self.teacher else [])]
        return [
            *(f"{one.digest} {one.source.share}" for one in collections),
            *map(digest_text, files),
            *sorted(hashlib.sha256(array.tobytes()).hexdigest() for array in self.start.decoder.values()),
        ]

    @property
    def forces(self) -> bool:
        """Whether captions are taught word by word; what end-to-end training leaves knows them already."""
        return bool(self.config.fitting.epochs and (self.start.bundle or not self.start.decoder))

    @property
    def learns(self) -> bool:
        """Whether the decoder goes through any phase, or is published as it is."""
        return self.forces or bool(self.config.self_critical.epochs)

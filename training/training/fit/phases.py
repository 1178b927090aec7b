"""The phases of training, one after the other on the same decoder, each judged by captions of the dev split.

Teacher forcing teaches the decoder people's captions from features as ImageNet made them; fine-tuning goes on with the
encoder's last block learning too; self-critical training rewards whole sentences of the decoder's own. What a phase did
is thrown away where dev does not gain by it.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from inference.model.runtime import Floats
from inference.model.vocabulary import Vocabulary
from training.config import ScheduleConfig, TrainingConfig
from training.data.batches import Batches, LoadFeatures, TrainingPhotos
from training.data.dataset import Photo
from training.data.views import WHOLE, View
from training.encoder.cache import ExportedEncoder, export_encoder
from training.encoder.feature_maps import MapCache
from training.encoder.pretrained import Start
from training.encoder.trunk import LastBlock, Maps, read_steps
from training.fit.checkpoint import Arrays, EpochRecord, Progress, read_history, read_weights, write_weights
from training.fit.dev_score import DevScore
from training.fit.fine_tuning import build_fine_tuned, read_last_block
from training.fit.fitting import CHECKPOINT, Score, fit
from training.fit.self_critical import SampledBatches, open_rewards
from training.models.decoder import Decoder
from training.models.sampling import NEVER_WRITTEN, Sampler
from training.progress import say

_FINE_TUNING = "fine-tuning-"
_SELF_CRITICAL = "self-critical-"

Read = Callable[[Maps], Floats]


@dataclass(frozen=True, slots=True)
class Mixture:
    """Weights between those that a decoder had and those that it has: `share` of the way, from `before`."""

    before: Arrays
    share: float

    def stir(self, decoder: Decoder) -> Arrays:
        """Put the mixture into the decoder, and return the weights that it had."""
        own = read_weights(decoder)
        write_weights(decoder, {path: _go(self.share, old, own[path]) for path, old in self.before.items()})
        return own

    def scored_by(self, score: Score) -> Score:
        """What scores a decoder by the mixture, and leaves its own weights in it."""

        def score_mixture(decoder: Decoder) -> float:
            own = self.stir(decoder)
            try:
                return score(decoder)
            finally:
                write_weights(decoder, own)

        return score_mixture


@dataclass(frozen=True, slots=True)
class Material:
    """What all phases learn from and are judged by: photos with their views and maps, and the words.

    `run` holds the checkpoints of the phases, `cache` the weights of ImageNet and the encoders.
    """

    photos: Sequence[Photo]
    views: Sequence[Sequence[View]]
    dev: Sequence[Photo]
    maps: MapCache
    vocabulary: Vocabulary
    config: TrainingConfig
    run: Path
    cache: Path


class Phases:
    """A decoder and the encoder that belongs to it, taken through the phases."""

    def __init__(self, decoder: Decoder, encoder: ExportedEncoder, material: Material) -> None:
        self.decoder, self.encoder = decoder, encoder
        self._material, self._config = material, material.config
        self._cider, self._weights = -math.inf, read_weights(decoder)
        self._taught: Arrays = {}

    def begin(self, start: Start) -> None:
        """Take over what an accelerator taught the decoder, and find out how good that is."""
        self._taught = start.teach(self.decoder)
        encode = LastBlock(self.encoder.path).encode
        self._cider, self._weights = self._score(encode)(self.decoder), read_weights(self.decoder)
        say(f"Beginning with dev CIDEr {self._cider:.1f}")

    def force(self) -> None:
        """Teach the decoder people's captions, word by word."""
        config, encode = self._config.fitting, LastBlock(self.encoder.path).encode
        progress = fit(self.decoder, self._batches(config, encode), self._score(encode), config, self._material.run)
        self._keep(progress, "Teacher forcing")

    def fine_tune(self) -> None:
        """Let the encoder's last block learn with the decoder, from the same captions."""
        config, read = self._config.fine_tuning, self._read_maps()
        size, cache, tuned = self._config.encoder.size, self._material.cache, self.encoder.tuned
        model = build_fine_tuned(self.decoder, size, cache, tuned)
        score = self._score(lambda maps: ops.convert_to_numpy(model.last_block(read(maps))))
        folder = self._open(_FINE_TUNING, config)
        say(f"Fine-tuning the encoder's last block: {folder}")
        progress = fit(model, self._batches(config, read), lambda tuned: score(tuned.decoder), config, folder)
        if self._keep(progress, "Fine-tuning"):
            photos, seed = self._material.photos, self._config.fitting.seed
            tuned = tuned | read_last_block(model.last_block, size, cache)  # anew: the job's start holds the old ones
            self.encoder = export_encoder(self._config.encoder, photos, cache, seed, tuned)

    def reinforce(self) -> None:
        """Let the decoder learn from captions of its own."""
        config, encode = self._config.self_critical, LastBlock(self.encoder.path).encode
        self.decoder.drop_nothing()
        folder = self._open(_SELF_CRITICAL, self._config.fine_tuning, config)
        say(f"Self-critical training: {folder}")
        mix, score = Mixture(self._taught or read_weights(self.decoder), config.share), self._score(encode)
        with open_rewards(self._material.photos, config) as rewards:
            batches = SampledBatches(
                Sampler(self.decoder),
                self._photos(config, encode),
                rewards,
                self._material.vocabulary,
                config,
                max_length=self._config.vocabulary.max_length,
                seed=self._config.fitting.seed,
            )
            progress = fit(self.decoder, batches, mix.scored_by(score), config, folder, never=NEVER_WRITTEN)
        mix.stir(self.decoder)
        self._keep(progress, "Self-critical training")

    def choose_length_penalty(self) -> float:
        """The one that the configuration gives, or else that by which the decoder's captions of dev are best."""
        given = self._config.decoding.length_penalty
        if given is not None:
            return given
        score = self._score(LastBlock(self.encoder.path).encode, guarded=True)
        return score.tune(self.decoder).length_penalty

    def _keep(self, progress: Progress, phase: str) -> bool:
        """Whether dev gained by a phase; if not, the decoder is put back to where it was."""
        if progress.best and progress.best.cider > self._cider:
            self._cider, self._weights = progress.best.cider, read_weights(self.decoder)
            return True
        say(f"{phase} gained nothing on dev; the model stays as it was")
        write_weights(self.decoder, self._weights)
        return False

    def _read_maps(self) -> Read:
        """What turns maps as they are kept into numbers."""
        steps = read_steps(self.encoder.path)
        return steps.restore if steps else lambda maps: maps.astype(np.float32)

    def _photos(self, config: ScheduleConfig, read: Read) -> TrainingPhotos:
        photos, views = self._material.photos, self._material.views
        return TrainingPhotos(photos, views if config.views else [[WHOLE]] * len(photos), self._loader(read))

    def _batches(self, config: ScheduleConfig, read: Read) -> Batches:
        return Batches(
            self._photos(config, read),
            self._material.vocabulary,
            max_length=self._config.vocabulary.max_length,
            photos_per_batch=config.photos_per_batch,
            seed=self._config.fitting.seed,
        )

    def _score(self, read: Read, *, guarded: bool = False) -> DevScore:
        dev, load = self._material.dev, self._loader(read)
        return DevScore(dev, load, self._material.vocabulary, self._config, guarded=guarded)

    def _loader(self, read: Read) -> LoadFeatures:
        """What loads views of photos as the phase reads them."""
        return lambda photos: read(self._material.maps.load(photos))

    def _open(self, phase: str, *settings: ScheduleConfig) -> Path:
        """The folder of a phase with these settings: the same ones find it again."""
        text = " ".join(config.model_dump_json() for config in settings)
        return self._material.run / f"{phase}{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _go(share: float, begin: npt.NDArray[Any], end: npt.NDArray[Any]) -> npt.NDArray[Any]:
    gone: npt.NDArray[Any] = begin + np.float32(share) * (end - begin)
    return gone


def read_phases(run: Path) -> dict[str, list[EpochRecord]]:
    """The epochs of a run directory, by phase; a phase that it did not have is empty."""
    return {
        "teacher forcing": read_history(run / CHECKPOINT),
        "fine-tuning": _read_newest(run, _FINE_TUNING),
        "self-critical": _read_newest(run, _SELF_CRITICAL),
    }


def _read_newest(run: Path, phase: str) -> list[EpochRecord]:
    folders = sorted(run.glob(f"{phase}*"), key=lambda folder: folder.stat().st_mtime)
    return read_history(folders[-1] / CHECKPOINT) if folders else []

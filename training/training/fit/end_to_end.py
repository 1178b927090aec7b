"""End-to-end training: the encoder learns together with the decoder, from pixels, on an accelerator.

Several models are taught first, each from ImageNet's weights, with its own seed and its own rate for the encoder, and
the one with the best captions of dev goes on. At last it is rewarded for whole sentences. Every picture is cut,
softened, lit and worn anew each time that it is seen.

What it leaves is where `caption-train train --start` begins. Everything is written on `keras.ops`, and any backend runs
it; without an accelerator it would take days.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import keras
import numpy as np

from photocaption.model.runtime import Floats
from photocaption.model.vocabulary import Vocabulary
from training.arrays import Arrays
from training.config import TrainingConfig
from training.data.batches import Batch, Batches
from training.data.dataset import Photo, read_dataset
from training.data.words import build_vocabulary, tokenise
from training.encoder import weight_deltas
from training.encoder.xception import load_xception
from training.fit.checkpoint import Progress, read_weights, write_weights
from training.fit.dev_score import DevScore, DevSet
from training.fit.fitting import BatchSource, SmoothedCrossEntropy, build_schedule, fit
from training.fit.pixels import PixelPhotos, PixelStore
from training.fit.self_critical import SampledBatches, open_rewards
from training.fit.stages import Stages, Taught
from training.fit.start import write_start
from training.models.decoder import Decoder, Tensor, build_decoder
from training.models.end_to_end_model import (
    AS_IT_IS,
    Body,
    EndToEnd,
    RandomView,
    TwoRateAdamW,
    split_xception,
)
from training.models.sampling import NEVER_WRITTEN, Sampler
from training.progress import say


def train_end_to_end(dataset: Path, config: TrainingConfig, cache: Path, folder: Path, command: str) -> None:
    """Write to `folder` where a training job can begin, and beside it every stage as soon as it is done: the same
    command goes on after the last one. `cache` keeps ImageNet's weights. Raises TrainingError.
    """
    read = read_dataset(dataset)
    photos, dev = read.split("train"), read.split("dev")
    vocabulary = build_vocabulary(
        (tokenise(caption) for photo in photos for caption in photo.captions), config.vocabulary.min_count
    )
    store = PixelStore([*photos, *dev], config.encoder.canonical_size or config.encoder.size)
    training = EndToEndTraining(photos, dev, store, vocabulary, config, cache)
    stages = Stages(folder, config, read.digest)
    rates = list(islice(cycle(config.end_to_end.encoder_rates), config.end_to_end.teachers))
    teachers = [
        stages.take(f"teacher-{number}", partial(training.teach, number, rate)) for number, rate in enumerate(rates)
    ]
    best = int(np.argmax([teacher.cider for teacher in teachers]))
    taught = teachers[best]
    say(f"Self-critical training from CIDEr {taught.cider:.1f}")
    progress = training.reinforce(taught, stages.open("self-critical"))
    record = {
        "command": command,
        "config": config.end_to_end.model_dump(mode="json"),
        "dataset_digest": read.digest,
        "backend": keras.backend.backend(),
        "teachers": [teacher.cider for teacher in teachers],
        "taught": taught.cider,
        "self_critical": [record.score for record in progress.history],
    }
    training.leave(folder, record)
    say(f"Wrote {folder}: go on with caption-train train --start {folder}")


class EndToEndTraining:
    """One model that goes through all stages of a configuration on one dataset."""

    def __init__(
        self,
        photos: Sequence[Photo],
        dev: Sequence[Photo],
        store: PixelStore,
        vocabulary: Vocabulary,
        config: TrainingConfig,
        cache: Path,
    ) -> None:
        self._photos, self._dev, self._store = (
            PixelPhotos(photos, store, config.end_to_end.photos_per_batch),
            dev,
            store,
        )
        self._vocabulary, self._config, self._cache = vocabulary, config, cache
        stem, body = self._build_body("learner")
        self._model = EndToEnd(RandomView(config.encoder.size, config.end_to_end), stem, body)
        self._encoder = _Encoder(self._model)
        self._untaught = read_weights(body)
        self._teaching: TwoRateAdamW | None = None

    def teach(self, number: int, rate: float) -> Taught:
        """The teacher of a number, from ImageNet's weights; `rate` is that of its encoder."""
        config, body = self._config.end_to_end, self._model.body
        say(f"Teacher {number}: encoder at {rate:g}")
        decoder = self._build_decoder(body, self._config.fitting.seed + number)
        write_weights(body, self._untaught)
        write_weights(body.decoder, read_weights(decoder))
        batches = self._batches(number)
        if self._teaching is None:  # one for all: each new one would be compiled anew
            schedule = self._plan(config.learning_rate, config.epochs, len(batches))
            ramp = round(config.encoder_warmup_epochs * len(batches))
            self._teaching = self._optimise(schedule, rate / config.learning_rate, ramp)
            loss = SmoothedCrossEntropy(config.label_smoothing)
            self._model.compile(optimizer=self._teaching, loss=loss, jit_compile=_compiles())
            self._teaching.build(self._model.trainable_variables)
        self._teaching.restart(rate / config.learning_rate)
        _fit(self._model, batches, config.epochs)
        return Taught(read_weights(body), self.judge())

    def reinforce(self, taught: Taught, run: Path) -> Progress:
        """Let the model learn from captions of its own (`training.fit.self_critical`), of random views."""
        end_to_end, model = self._config.end_to_end, self._model
        write_weights(model.body, taught.weights)
        model.decoder.drop_nothing()
        config = self._config.self_critical.model_copy(
            update={
                "epochs": end_to_end.critical_epochs,
                "learning_rate": end_to_end.critical_learning_rate,
                "photos_per_batch": end_to_end.photos_per_batch,
            }
        )
        length = self._config.vocabulary.max_length
        with open_rewards(self._photos.photos, self._config.reward) as rewards:
            sampled = SampledBatches(
                Sampler(model.decoder, model),
                self._photos,
                rewards,
                self._vocabulary,
                config,
                max_length=length,
                seed=self._config.fitting.seed,
                rounding=length + 1,
            )
            batches = _Passes(sampled, end_to_end.critical_passes)
            optimizer = self._optimise(
                self._plan(config.learning_rate, config.epochs * end_to_end.critical_passes, len(sampled)),
                end_to_end.critical_encoder_rate / config.learning_rate,
                ramp=0,
                beta_2=config.moment_decay,
            )
            return fit(model, batches, lambda _: self.judge(), config, run, never=NEVER_WRITTEN, optimizer=optimizer)

    def judge(self) -> float:
        """Dev CIDEr × 100 of the model as it is."""
        features = dict(zip((photo.sha256 for photo in self._dev), self.encode(self._dev), strict=True))
        score = DevScore(
            [DevSet("dev", self._dev)],
            lambda photos: np.stack([features[photo.sha256] for photo, _ in photos]),
            self._vocabulary,
            self._config,
        )
        return score(self._model.decoder)

    def encode(self, photos: Sequence[Photo]) -> Floats:
        """Features [P, N, channels] of photos as they are, by the model as it is."""
        size, parts = self._config.end_to_end.photos_per_batch, []
        draws = np.repeat(AS_IT_IS[None], size, axis=0)
        for begin in range(0, len(photos), size):
            pixels = self._store.load(photos[begin : begin + size])
            whole = np.pad(pixels, ((0, size - len(pixels)), (0, 0), (0, 0), (0, 0)))  # each size costs a compilation
            parts.append(self._encoder.predict_on_batch((whole, draws))[: len(pixels)])
        return np.concatenate(parts)

    def leave(self, folder: Path, record: dict[str, Any]) -> None:
        """Write the model as it is, as the start of a job."""
        body = self._model.body
        tuned = weight_deltas.measure(load_xception(self._config.encoder.size, self._cache), body.blocks)
        write_start(folder, tuned, _halve(read_weights(body.decoder)), record)

    def _build_body(self, name: str) -> tuple[keras.Model, Body]:
        config = self._config
        stem, blocks = split_xception(config.encoder.size, self._cache, config.end_to_end)
        body = Body(blocks, build_decoder(*self._measure(blocks), config.decoder, config.fitting.seed), name)
        return stem, body

    def _build_decoder(self, body: Body, seed: int) -> Decoder:
        return build_decoder(*self._measure(body.blocks), self._config.decoder, seed)

    def _measure(self, blocks: keras.Model) -> tuple[int, int, int]:
        """Words, cells and channels."""
        _, rows, columns, channels = blocks.output_shape
        return len(self._vocabulary), rows * columns, channels

    def _batches(self, seed: int) -> Batches:
        length = self._config.vocabulary.max_length
        return Batches(
            self._photos,
            self._vocabulary,
            max_length=length,
            seed=self._config.fitting.seed + seed,
            rounding=length + 1,
        )

    def _plan(self, peak: float, epochs: int, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
        """The decoder's learning rate over epochs of `steps` each."""
        return build_schedule(peak, epochs * steps, round(self._config.end_to_end.warmup_epochs * steps))

    def _optimise(
        self,
        schedule: keras.optimizers.schedules.LearningRateSchedule,
        rate: float,
        ramp: int,
        **settings: float,
    ) -> TwoRateAdamW:
        """An optimizer of the model: the encoder at `rate` times the decoder's learning rate after `ramp` steps."""
        config, encoder = self._config.end_to_end, self._model.body.blocks.trainable_variables
        optimizer = TwoRateAdamW(
            schedule,
            slowly=frozenset(variable.path for variable in encoder),
            rate=rate,
            ramp=ramp,
            weight_decay=config.weight_decay,
            global_clipnorm=config.clip_norm,
            use_ema=True,
            ema_momentum=config.average_decay,
            **settings,
        )
        optimizer.exclude_from_weight_decay(var_list=encoder)
        return optimizer


class _Encoder(keras.Model):  # type: ignore[misc]  # Keras is untyped
    """What `EndToEnd.encode` gives, compiled."""

    def __init__(self, model: EndToEnd) -> None:
        super().__init__(name="encoder")
        self._model = model
        self.compile(jit_compile=_compiles())
        self.built = True  # its model is

    def call(self, inputs: tuple[Tensor, Tensor], training: bool = False) -> Tensor:  # noqa: ARG002 - Keras passes it
        return self._model.encode(*inputs)


class _Passes:
    """Several passes over batches as one epoch."""

    def __init__(self, batches: BatchSource, passes: int) -> None:
        self._batches, self._passes = batches, passes

    def __len__(self) -> int:
        return self._passes * len(self._batches)

    def epoch(self, number: int) -> Iterator[Batch]:
        for one in range(self._passes):
            yield from self._batches.epoch(number * self._passes + one)


def _halve(weights: Arrays) -> Arrays:
    return {path: array.astype(np.float16) for path, array in weights.items()}


def _compiles() -> bool:
    """Whether to have XLA compile: JAX does nothing else, and TensorFlow's takes minutes for an Xception on a CPU."""
    return bool(keras.backend.backend() == "jax")


def _fit(model: EndToEnd, batches: Batches, epochs: int) -> None:
    """Fit a compiled model, and leave the moving average of its weights in it."""
    model.fit(
        _flow(batches, epochs),
        steps_per_epoch=len(batches),
        epochs=epochs,
        shuffle=False,  # they are
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=_report)],
    )


def _flow(batches: Batches, epochs: int) -> Iterator[tuple[Any, Any, Any]]:
    """Inputs, targets and weights as Keras takes them."""
    for epoch in range(epochs):
        for batch in batches.epoch(epoch):
            yield (*batch.inputs, batch.tokens), batch.targets, batch.weights


def _report(epoch: int, logs: dict[str, float]) -> None:
    say(f"epoch {epoch + 1}: loss {logs['loss']:.3f}")

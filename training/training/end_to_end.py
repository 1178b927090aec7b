"""End-to-end training: the encoder learns together with the decoder, from pixels, on an accelerator.

Several teachers come first, each from ImageNet's weights, with its own seed and its own rate for the encoder. A student
then goes on from the best of them, and learns from people's captions and from what the teachers think of every next
word, all of them together: an ensemble's judgement in one model (Hinton et al. 2015). At last its decoder is rewarded
for whole sentences. Every picture is cut, softened and lit anew each time that it is seen.

What it leaves is where `caption-train train --start` begins. Everything is written on `keras.ops`, and any backend runs
it; without an accelerator it would take days.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from inference import preprocessing
from inference.image import decode
from inference.manifest import ImageSpec
from inference.runtime import Floats
from inference.vocabulary import Vocabulary
from training import differences
from training.batches import Batches, TrainingPhotos
from training.checkpoint import Arrays, Progress, read_weights
from training.config import AugmentationConfig, TrainingConfig
from training.dataset import Photo, read_dataset
from training.decoder import Decoder, Tensor, build_decoder
from training.dev_score import DevScore
from training.end_to_end_model import Body, Distillation, EndToEnd, RandomView, TwoRateAdamW, split_xception
from training.fitting import SmoothedCrossEntropy, build_schedule, fit
from training.maps import PhotoView
from training.progress import say
from training.self_critical import NEVER_WRITTEN, SampledBatches
from training.start import Start, write_start
from training.views import WHOLE, View, choose_views
from training.words import build_vocabulary, tokenise
from training.xception import load_xception

Pixels = npt.NDArray[np.uint8]


def train_end_to_end(dataset: Path, config: TrainingConfig, cache: Path, folder: Path, command: str) -> None:
    """Write to `folder` where a training job can begin. `cache` keeps ImageNet's weights. Raises TrainingError."""
    read = read_dataset(dataset)
    photos, dev = read.split("train"), read.split("dev")
    vocabulary = build_vocabulary(
        (tokenise(caption) for photo in photos for caption in photo.captions), config.vocabulary.min_count
    )
    store = PixelStore([*photos, *dev], config.encoder.canonical_size or config.encoder.size)
    training = EndToEndTraining(photos, store, vocabulary, config, cache)
    rates = list(islice(cycle(config.end_to_end.encoder_rates), config.end_to_end.teachers))
    teachers = [training.teach(number, rate) for number, rate in enumerate(rates)]
    ciders = [training.judge(teacher, dev)(teacher.body.decoder) for teacher in teachers]
    best = int(np.argmax(ciders))
    say(
        "Teachers on dev: "
        + ", ".join(f"CIDEr {cider:.1f} at {rate:g}" for cider, rate in zip(ciders, rates, strict=True))
    )
    model = training.distil(teachers, best, rates[best]) if len(teachers) > 1 else teachers[0]
    taught = _read_half(model.body.decoder)
    score = training.judge(model, dev)
    say(f"Self-critical training from CIDEr {score(model.body.decoder):.1f}")
    progress = training.reinforce(model, score, folder / "self-critical")
    tuned = differences.measure(load_xception(config.encoder.size, cache), model.body.blocks)
    record = {
        "command": command,
        "config": config.end_to_end.model_dump(mode="json"),
        "dataset_digest": read.digest,
        "backend": keras.backend.backend(),
        "teachers": ciders,
        "cider": progress.best.cider if progress.best else None,
    }
    write_start(folder, Start(tuned, _read_half(model.body.decoder), taught, record))
    say(f"Wrote {folder}: go on with caption-train train --start {folder}")


class PixelStore:
    """The photos in memory as training reads them, squashed to the canonical size."""

    def __init__(self, photos: Sequence[Photo], side: int) -> None:
        spec = ImageSpec(height=side, width=side, canonical_size=None, resample="bicubic")

        def read(photo: Photo) -> tuple[str, Pixels]:
            image, _ = decode(photo.path.read_bytes())
            return photo.sha256, preprocessing.prepare(image, spec)

        with ThreadPoolExecutor() as pool:
            self._pixels = dict(pool.map(read, photos))

    def load(self, photos: Sequence[PhotoView]) -> Pixels:
        """Pixels uint8 [P, S, S, 3]; the only view beside the whole is its mirror image."""
        return np.stack([self._pixels[photo.sha256][:, :: -1 if view.mirrored else 1] for photo, view in photos])


class EndToEndTraining:
    """The teachers and the student of a configuration, on one dataset."""

    def __init__(
        self, photos: Sequence[Photo], store: PixelStore, vocabulary: Vocabulary, config: TrainingConfig, cache: Path
    ) -> None:
        self._store, self._vocabulary, self._config, self._cache = store, vocabulary, config, cache
        mirrored = AugmentationConfig(cuttings=0, worn=0)
        views: list[tuple[View, ...]] = [choose_views(photo, mirrored) for photo in photos]
        self._photos = TrainingPhotos(photos, views, store.load)
        self._view = RandomView(config.encoder.size, config.end_to_end, config.fitting.seed)
        self._stem: keras.Model | None = None

    def teach(self, number: int, rate: float) -> EndToEnd:
        """The teacher of a number, from ImageNet's weights; `rate` is that of its encoder."""
        config = self._config.end_to_end
        model = EndToEnd(self._view, *self._build_body(f"teacher_{number}", self._config.fitting.seed + number))
        say(f"Teacher {number}: encoder at {rate:g}")
        batches = self._batches(number)
        schedule = self._plan(config.learning_rate, config.epochs, len(batches))
        ramp = round(config.encoder_warmup_epochs * len(batches))
        optimizer = self._optimise(model, schedule, rate / config.learning_rate, ramp)
        self._fit(model, optimizer, SmoothedCrossEntropy(config.label_smoothing), batches, config.epochs)
        return model

    def distil(self, teachers: Sequence[EndToEnd], best: int, rate: float) -> EndToEnd:
        """A student that goes on from the best of the teachers and learns from all."""
        config = self._config.end_to_end
        stem, body = self._build_body("student", self._config.fitting.seed)
        body.set_weights(teachers[best].body.get_weights())
        model = EndToEnd(self._view, stem, body, [teacher.body for teacher in teachers])
        say(f"Student of {len(teachers)} teachers")
        loss = Distillation(config.label_smoothing, config.teachers_share)
        batches = self._batches(len(teachers))
        schedule = self._plan(config.student_learning_rate, config.student_epochs, len(batches))
        optimizer = self._optimise(model, schedule, rate / config.student_learning_rate, ramp=0)
        self._fit(model, optimizer, loss, batches, config.student_epochs)
        return model

    def reinforce(self, model: EndToEnd, score: DevScore, run: Path) -> Progress:
        """Let the decoder learn from captions of its own (`training.self_critical`), of random views, the encoder as it
        is.
        """
        end_to_end, decoder = self._config.end_to_end, model.body.decoder
        config = self._config.self_critical.model_copy(
            update={
                "epochs": end_to_end.critical_epochs,
                "learning_rate": end_to_end.critical_learning_rate,
                "photos_per_batch": end_to_end.photos_per_batch,
            }
        )
        encoder = _Encoder(model, random=True)
        photos = replace(self._photos, load=lambda views: encoder.predict_on_batch(self._store.load(views)))
        decoder.drop_nothing()
        length, seed = self._config.vocabulary.max_length, self._config.fitting.seed
        batches = SampledBatches(decoder, photos, self._vocabulary, config, max_length=length, seed=seed)
        return fit(decoder, batches, score, config, run, never=NEVER_WRITTEN)

    def judge(self, model: EndToEnd, dev: Sequence[Photo]) -> DevScore:
        """What scores decoders by their captions of the dev split, as a model's encoder sees it."""
        features = dict(zip((photo.sha256 for photo in dev), self.encode(model, dev), strict=True))

        def load(photos: Sequence[PhotoView]) -> Floats:
            return np.stack([features[photo.sha256] for photo, _ in photos])

        return DevScore(dev, load, self._vocabulary, self._config)

    def encode(self, model: EndToEnd, photos: Sequence[Photo]) -> Floats:
        """Features [P, N, channels] of photos as they are, by a model as it is."""
        encoder = _Encoder(model)
        size = self._config.end_to_end.photos_per_batch
        parts = []
        for begin in range(0, len(photos), size):
            pixels = self._store.load([(photo, WHOLE) for photo in photos[begin : begin + size]])
            whole = np.pad(pixels, ((0, size - len(pixels)), (0, 0), (0, 0), (0, 0)))  # each size costs a compilation
            parts.append(encoder.predict_on_batch(whole)[: len(pixels)])
        return np.concatenate(parts)

    def _build_body(self, name: str, seed: int) -> tuple[keras.Model, Body]:
        config = self._config
        stem, blocks = split_xception(config.encoder.size, self._cache, config.end_to_end)
        cells, channels = blocks.output_shape[1] * blocks.output_shape[2], blocks.output_shape[3]
        decoder = build_decoder(len(self._vocabulary), cells, channels, config.decoder, seed)
        if self._stem is None:
            self._stem = stem  # the same for all
        return self._stem, Body(blocks, decoder, name)

    def _batches(self, seed: int) -> Batches:
        length = self._config.vocabulary.max_length
        return Batches(
            self._photos,
            self._vocabulary,
            max_length=length,
            photos_per_batch=self._config.end_to_end.photos_per_batch,
            seed=self._config.fitting.seed + seed,
            rounding=length + 1,
        )

    def _plan(self, peak: float, epochs: int, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
        """The decoder's learning rate over epochs of `steps` each."""
        return build_schedule(peak, epochs * steps, round(self._config.end_to_end.warmup_epochs * steps))

    def _optimise(
        self, model: EndToEnd, schedule: keras.optimizers.schedules.LearningRateSchedule, rate: float, ramp: int
    ) -> TwoRateAdamW:
        """The optimizer of a model: the encoder at `rate` times the decoder's learning rate after `ramp` steps."""
        config, encoder = self._config.end_to_end, model.body.blocks.trainable_variables
        optimizer = TwoRateAdamW(
            schedule,
            slowly=frozenset(variable.path for variable in encoder),
            rate=rate,
            ramp=ramp,
            weight_decay=config.weight_decay,
            global_clipnorm=config.clip_norm,
            use_ema=True,
            ema_momentum=config.average_decay,
        )
        optimizer.exclude_from_weight_decay(var_list=encoder)
        return optimizer

    def _fit(
        self, model: EndToEnd, optimizer: TwoRateAdamW, loss: keras.losses.Loss, batches: Batches, epochs: int
    ) -> None:
        """Fit a model, and leave the moving average of its weights in it."""
        model.compile(optimizer=optimizer, loss=loss, jit_compile=_compiles())
        model.fit(
            _flow(batches, epochs),
            steps_per_epoch=len(batches),
            epochs=epochs,
            shuffle=False,  # they are
            verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=_report)],
        )


class _Encoder(keras.Model):  # type: ignore[misc]  # Keras is untyped
    """What `EndToEnd.encode` gives, compiled."""

    def __init__(self, model: EndToEnd, *, random: bool = False) -> None:
        super().__init__(name="encoder")
        self._model, self._random = model, random
        self.compile(jit_compile=_compiles())
        self.built = True  # its model is

    def call(self, pixels: Tensor, training: bool = False) -> Tensor:  # noqa: ARG002 - Keras passes it
        return self._model.encode(pixels, random=self._random)


def _read_half(decoder: Decoder) -> Arrays:
    return {path: array.astype(np.float16) for path, array in read_weights(decoder).items()}


def _compiles() -> bool:
    """Whether to have XLA compile: JAX does nothing else, and TensorFlow's takes minutes for an Xception on a CPU."""
    return bool(keras.backend.backend() == "jax")


def _flow(batches: Batches, epochs: int) -> Iterator[tuple[Any, Any, Any]]:
    """Inputs, targets and weights as Keras takes them."""
    for epoch in range(epochs):
        for batch in batches.epoch(epoch):
            yield (batch.features, batch.tokens), batch.targets, batch.weights


def _report(epoch: int, logs: dict[str, float]) -> None:
    say(f"epoch {epoch + 1}: loss {logs['loss']:.3f}")

"""End-to-end training: encoder and decoder are trained together, from pixels, on an accelerator.

It starts from ImageNet's weights and an untrained decoder, or from a bundle, whose frozen tagger then adds a loss for
what captions do not mention. Several candidates are trained by teacher forcing, each with its own seed and learning
rate of the encoder; the one with the best dev score goes through self-critical training. Each use of a photo is
augmented at random: cropped, blurred, brightened or darkened, and compressed.

The result is the input of `caption-train train --start`. The code uses `keras.ops` and runs on any backend; without an
accelerator it would take days.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from photocaption.model.runtime import Floats
from photocaption.model.vocabulary import Vocabulary
from training.data.batches import Batch, Batches
from training.data.dataset import Dataset, read_datasets
from training.data.mixture import Mixture
from training.data.photo import Photo
from training.data.tags import set_targets
from training.data.texts import read_texts
from training.data.views import PhotoView
from training.encoder import weight_deltas
from training.encoder.xception import load_xception
from training.fit.checkpoint import Progress, interpolate, read_weights, write_weights
from training.fit.dev_score import DevScore
from training.fit.fitting import BatchSource, SmoothedCrossEntropy, build_schedule, fit
from training.fit.job import Job
from training.fit.material import (
    choose_vocabulary,
    find_captions,
    list_common,
)
from training.fit.pixels import PixelPhotos, PixelStore
from training.fit.pretrained import write_pretrained
from training.fit.self_critical import SampledBatches, open_rewards
from training.fit.stages import Stages, TrainedWeights
from training.models.decoder import Decoder, Tensor, build_decoder
from training.models.end_to_end_model import (
    AS_IT_IS,
    Body,
    EndToEnd,
    RandomView,
    TwoRateAdamW,
    split_xception,
)
from training.models.evidence import Evidence, pool
from training.models.sampling import NEVER_WRITTEN, Sampler
from training.progress import say


def train_end_to_end(job: Job) -> None:
    """Write the initial weights of a training job to the job's folder, and beside it every finished stage, after which
    a repeated command continues. Raises TrainingError.
    """
    config = job.config
    datasets = read_datasets(job.sources)
    vocabulary = choose_vocabulary(datasets, job.start.vocabulary, config.vocabulary.min_count)
    everything = [photo for one in datasets for photo in (*one.train, *one.dev)]
    store = PixelStore(everything, config.encoder.canonical_size or config.encoder.size)
    training = EndToEndTraining(job, datasets, vocabulary, store)
    stages = Stages(job.bundle, config, " ".join(job.list_digests(datasets)))
    rates = list(islice(cycle(config.end_to_end.encoder_rates), config.end_to_end.teachers))
    candidates = [
        stages.take(f"teacher-{number}", partial(training.train_candidate, number, rate))
        for number, rate in enumerate(rates)
    ]
    best = max(candidates, key=lambda candidate: candidate.score)
    say(f"Self-critical training from a dev score of {best.score:.1f}")
    progress = training.train_on_samples(best, stages.open("self-critical"))
    record = {
        "command": job.command,
        "config": config.end_to_end.model_dump(mode="json"),
        "datasets": {one.source.name: one.digest for one in datasets},
        "backend": keras.backend.backend(),
        "teachers": [candidate.score for candidate in candidates],
        "taught": best.score,
        "self_critical": [record.score for record in progress.history],
        **({"start": job.start.record} if job.start.record else {}),
    }
    training.save(job.bundle, record)
    say(f"Wrote {job.bundle}: go on with caption-train train --start {job.bundle}")


class EndToEndTraining:
    """One model that goes through all stages of a configuration."""

    def __init__(self, job: Job, datasets: Sequence[Dataset], vocabulary: Vocabulary, store: PixelStore) -> None:
        config = self._config = job.config
        self._start, self._vocabulary, self._store = job.start, vocabulary, store
        self._datasets, self._cache = datasets, job.cache
        end_to_end = config.end_to_end
        stem, blocks = split_xception(config.encoder.size, job.cache, end_to_end, job.start.read_tuned())
        body = Body(blocks, self._build_decoder(blocks, config.fitting.seed))
        self._model = EndToEnd(RandomView(config.encoder.size, end_to_end), stem, body, end_to_end)
        self._encoder = _Encoder(self._model)
        self._initial_weights = read_weights(body)
        self._optimizer: TwoRateAdamW | None = None
        self._labels = {key: label for one in datasets for key, label in one.labels.items()}
        texts = list(read_texts(job.texts))
        self._photos = self._prepare(texts)
        self._common = list_common(self._photos.photos, texts)

    def _prepare(self, texts: Sequence[tuple[str, str]]) -> PixelPhotos:
        """The training photos, with the tags and classes that the initial model predicts."""
        datasets, labels = self._datasets, self._labels
        photos: Sequence[Photo] = [photo for one in datasets for photo in one.train]
        tags, tagger = self._vocabulary.decode(self._start.tags), self._model.decoder.evidence
        evidence, classes = self._predict(tagger, photos) if tagger else (np.zeros((len(photos), 0), np.float32), None)
        photos, known, counts = find_captions(photos, datasets, labels, texts, tags, evidence)
        mixture = Mixture(counts, [one.source.share for one in datasets], self._config.end_to_end.photos_per_batch)
        of_photos = {photo.sha256: labels[photo.sha256] for photo in photos if photo.sha256 in labels}
        targets = [set_targets(photos, of_photos, tags)] if tagger else []
        targets += [] if classes is None else [classes[known]]
        return PixelPhotos(photos, mixture, self._store, targets)

    def train_candidate(self, number: int, rate: float) -> TrainedWeights:
        """Train a candidate from the initial weights by teacher forcing; `rate`: the learning rate of its encoder."""
        config, body = self._config.end_to_end, self._model.body
        say(f"Candidate {number}: encoder at {rate:g}")
        decoder = self._build_decoder(body.blocks, self._config.fitting.seed + number)
        write_weights(body, self._initial_weights)
        write_weights(body.decoder, read_weights(decoder))
        batches = self._batches(number)
        if self._optimizer is None:  # shared by all candidates: each new optimizer would be compiled again
            schedule = self._build_schedule(config.learning_rate, config.epochs, len(batches))
            ramp = round(config.encoder_warmup_epochs * len(batches))
            self._optimizer = self._build_optimizer(schedule, rate / config.learning_rate, ramp)
            loss = SmoothedCrossEntropy(config.label_smoothing)
            self._model.compile(optimizer=self._optimizer, loss=loss, jit_compile=_compiles())
            self._optimizer.build(self._model.trainable_variables)
        self._optimizer.restart(rate / config.learning_rate)
        _fit(self._model, batches, config.epochs)
        return TrainedWeights(read_weights(body), self.score_dev())

    def train_on_samples(self, best: TrainedWeights, run: Path) -> Progress:
        """Self-critical training (`training.fit.self_critical`) on random views."""
        end_to_end, model = self._config.end_to_end, self._model
        write_weights(model.body, best.weights)
        model.decoder.disable_dropout()
        config = self._config.self_critical.model_copy(
            update={
                "epochs": end_to_end.critical_epochs,
                "learning_rate": end_to_end.critical_learning_rate,
                "photos_per_batch": end_to_end.photos_per_batch,
            }
        )
        length = self._config.vocabulary.max_length
        with open_rewards(self._photos.photos, self._config.reward, self._labels, self._common) as rewards:
            sampled = SampledBatches(
                Sampler(model.decoder, model.encode),
                self._photos,
                rewards,
                self._vocabulary,
                config,
                max_length=length,
                seed=self._config.fitting.seed,
                rounding=length + 1,
            )
            batches = _Passes(sampled, end_to_end.critical_passes)
            optimizer = self._build_optimizer(
                self._build_schedule(config.learning_rate, config.epochs * end_to_end.critical_passes, len(sampled)),
                end_to_end.critical_encoder_rate / config.learning_rate,
                ramp=0,
                beta_2=config.moment_decay,
            )
            return fit(
                model, batches, lambda _: self.score_dev(), config, run, never=NEVER_WRITTEN, optimizer=optimizer
            )

    def score_dev(self) -> float:
        """The current dev score of the model."""
        photos = list({photo.sha256: photo for one in self._datasets for photo in one.dev}.values())
        rows = {photo.sha256: row for row, photo in enumerate(photos)}
        features = np.concatenate(list(self._encode(photos)))

        def load(wanted: Sequence[PhotoView]) -> Floats:
            return features[[rows[photo.sha256] for photo, _ in wanted]]

        return DevScore(self._datasets, load, self._vocabulary, self._config)(self._model.decoder)

    def save(self, folder: Path, record: dict[str, Any]) -> None:
        """Write weights between the initial and the trained ones, as the configuration says, as the start of a job."""
        body, config = self._model.body, self._config.end_to_end
        if self._start.decoder:
            learnt, of_decoder = read_weights(body), read_weights(body.decoder)
            shares = {path: config.decoder_share if path in of_decoder else config.encoder_share for path in learnt}
            write_weights(body, interpolate(self._initial_weights, learnt, shares))
        tuned = weight_deltas.measure(load_xception(self._config.encoder.size, self._cache), body.blocks)
        decoder = {variable.path: _halve(variable) for variable in body.decoder.weights}
        write_pretrained(folder, tuned, decoder, record, self._vocabulary, self._start.tags)

    def _encode(self, photos: Sequence[Photo]) -> Iterator[Floats]:
        """Features [P, N, channels] of whole photos by the current model, a batch at a time."""
        size = self._config.end_to_end.photos_per_batch
        draws = np.repeat(AS_IT_IS[None], size, axis=0)
        for begin in range(0, len(photos), size):
            pixels = self._store.load(photos[begin : begin + size])
            whole = np.pad(pixels, ((0, size - len(pixels)), (0, 0), (0, 0), (0, 0)))  # each size costs a compilation
            yield self._encoder.predict_on_batch((whole, draws))[: len(pixels)]

    def _predict(self, tagger: Evidence, photos: Sequence[Photo]) -> tuple[Floats, Floats | None]:
        """Evidence [P, G] for the start's tags, and the probabilities [P, K] of its classes."""
        pooled = np.concatenate([ops.convert_to_numpy(pool(features)) for features in self._encode(photos)])
        evidence, classes = tagger.predict_tags(pooled), tagger.predict_classes(pooled)
        probabilities = None if classes is None else ops.convert_to_numpy(ops.exp(classes)).astype(np.float16)
        return ops.convert_to_numpy(evidence), probabilities

    def _build_decoder(self, blocks: keras.Model, seed: int) -> Decoder:
        """The initial decoder: the start's, or else an untrained one."""
        _, rows, columns, channels = blocks.output_shape
        start = self._start
        decoder = build_decoder(
            len(self._vocabulary), rows * columns, channels, self._config.decoder, seed, start.tags, start.classes
        )
        if start.decoder:
            start.initialise(decoder)
        return decoder

    def _batches(self, seed: int) -> Batches:
        length = self._config.vocabulary.max_length
        return Batches(
            self._photos,
            self._vocabulary,
            max_length=length,
            seed=self._config.fitting.seed + seed,
            rounding=length + 1,
        )

    def _build_schedule(self, peak: float, epochs: int, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
        """The decoder's learning rate over epochs of `steps` each."""
        return build_schedule(peak, epochs * steps, round(self._config.end_to_end.warmup_epochs * steps))

    def _build_optimizer(
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


def _halve(variable: keras.Variable) -> npt.NDArray[np.float16]:
    half: npt.NDArray[np.float16] = ops.convert_to_numpy(variable).astype(np.float16)
    return half


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
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: say(f"epoch {epoch + 1}: loss {logs['loss']:.3f}")
            )
        ],
    )


def _flow(batches: Batches, epochs: int) -> Iterator[tuple[Any, Any, Any]]:
    """Inputs, targets and weights as Keras takes them."""
    for epoch in range(epochs):
        for batch in batches.epoch(epoch):
            yield (*batch.inputs, batch.tokens), batch.targets, batch.weights

"""End-to-end training: the encoder learns together with the decoder, from pixels, on an accelerator.

Several teachers come first, each from ImageNet's weights, with its own seed and its own rate for the encoder. A student
then goes on from the best of them, and learns from people's captions and from what the teachers think of every next
word, all of them together: an ensemble's judgement in one model (Hinton et al. 2015). Every picture is cut, softened and
lit anew each time that it is seen.

What it leaves, encoder and decoder, is where `caption-train train --start` begins. Everything is written on `keras.ops`,
and any backend runs it; without an accelerator it would take days.

Shapes: P photos, C captions, T words, S the side of the stored pixels, N grid cells, V words of the vocabulary.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from inference import preprocessing
from inference.image import decode
from inference.manifest import ImageSpec
from inference.runtime import Floats
from inference.vocabulary import Vocabulary
from training.batches import Batches, TrainingPhotos
from training.config import AugmentationConfig, EndToEndConfig, TrainingConfig
from training.dataset import Photo
from training.decoder import Decoder, Tensor, build_decoder
from training.fitting import SmoothedCrossEntropy, build_schedule
from training.maps import PhotoView
from training.progress import say
from training.views import WHOLE, View, choose_views
from training.xception import load_xception

_MIDDLE = 127.5
Pixels = npt.NDArray[np.uint8]


class RandomView(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Resizes pictures to the encoder's input as serving does, bicubic; in training a random part of each, softened and
    lit at random.
    """

    def __init__(self, size: int, config: EndToEndConfig, seed: int) -> None:
        super().__init__(name="random_view", dtype="float32")
        self._size, self._config, self._random = size, config, keras.random.SeedGenerator(seed)

    def call(self, pixels: Tensor, training: bool = False) -> Tensor:
        """float32 RGB [P, size, size, 3] in [-1, 1] of uint8 pixels [P, S, S, 3]."""
        photos, side = pixels.shape[0], pixels.shape[1]
        softness = self._soften(photos) if training else 1.0
        rows, columns = (self._weigh(side, *self._cut(photos, training), softness) for _ in range(2))
        pictures = ops.einsum("pyi,pijc->pyjc", rows, ops.cast(pixels, "float32"))
        pictures = ops.clip(ops.einsum("pxj,pyjc->pyxc", columns, pictures), 0, 255) / _MIDDLE - 1.0
        return self._light(pictures, photos) if training else pictures

    def _cut(self, photos: int, training: bool) -> tuple[Tensor, Tensor]:
        """Where a part begins and how long it is, in shares of the side: [P, 1, 1] each."""
        if not training:
            return ops.zeros((1, 1, 1)), ops.ones((1, 1, 1))
        share = self._draw((photos, 1, 1), self._config.smallest_side, 1.0)
        return self._draw((photos, 1, 1), 0.0, 1.0) * (1 - share), share

    def _soften(self, photos: int) -> Tensor:
        """How many times smaller each picture is as if it had been, [P, 1, 1]: one in two keeps its size."""
        return ops.maximum(1.0, self._draw((photos, 1, 1), 2 - self._config.softest, self._config.softest))

    def _weigh(self, side: int, begin: Tensor, share: Tensor, softness: Tensor) -> Tensor:
        """How much each of `side` pixels counts in each of the `size` that are made of them: [P, size, side].

        Keys's cubic with a = -0.5, Pillow's; stretched where it would skip pixels, or where it is to soften.
        """
        places = (ops.arange(self._size, dtype="float32") + 0.5)[None, :, None] / self._size
        centres = (begin + places * share) * side - 0.5
        reach = ops.maximum(1.0, share * side / self._size) * softness
        distance = ops.abs(centres - ops.arange(side, dtype="float32")[None, None]) / reach
        near = (1.5 * distance - 2.5) * distance * distance + 1
        far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
        weights = ops.where(distance < 1, near, ops.where(distance < 2, far, 0.0))
        return weights / ops.sum(weights, axis=-1, keepdims=True)

    def _light(self, pictures: Tensor, photos: int) -> Tensor:
        light = self._config.light
        contrast = self._draw((photos, 1, 1, 1), 1 - light, 1 + light)
        return ops.clip(pictures * contrast + self._draw((photos, 1, 1, 1), -light / 2, light / 2), -1, 1)

    def _draw(self, shape: tuple[int, ...], least: float, most: float) -> Tensor:
        return keras.random.uniform(shape, least, most, seed=self._random)


class Body(keras.Model):  # type: ignore[misc]  # Keras is untyped
    """The blocks of the encoder that learn, and a decoder behind them."""

    def __init__(self, blocks: keras.Model, decoder: Decoder, name: str) -> None:
        super().__init__(name=name)
        self.blocks, self.decoder = blocks, decoder

    def call(self, inputs: tuple[Tensor, Tensor], training: bool = False) -> Tensor:
        """Logits [P, C, T, V] of the word after each of `tokens` [P, C, T], given what the stem made of photos."""
        grids, tokens = inputs
        return self.decoder((self.encode(grids), tokens), training=training)

    def encode(self, grids: Tensor) -> Tensor:
        """Features float32 [P, N, channels]; the statistics of batch normalisation stay ImageNet's."""
        features = ops.cast(self.blocks(grids, training=False), "float32")
        return ops.reshape(features, (features.shape[0], -1, features.shape[-1]))


class EndToEnd(keras.Model):  # type: ignore[misc]  # Keras is untyped
    """From pixels and words to the next words. The stem, the encoder's first blocks, stays as ImageNet left it."""

    def __init__(self, view: RandomView, stem: keras.Model, body: Body, teachers: Sequence[Body] = ()) -> None:
        super().__init__(name="end_to_end")
        self.view, self.stem, self.body, self.teachers = view, stem, body, list(teachers)
        for part in (stem, *teachers):
            part.trainable = False

    def call(self, inputs: tuple[Tensor, Tensor], training: bool = False) -> Tensor:
        """Logits [P, C, T, V] of pixels uint8 [P, S, S, 3] and tokens [P, C, T].

        In training with teachers [P, C, T, 2, V]: the logits, and the logarithm of the teachers' mean probabilities.
        """
        pixels, tokens = inputs
        grids = self.stem(self.view(pixels, training=training), training=False)
        logits = self.body((grids, tokens), training=training)
        if not (training and self.teachers):
            return logits
        opinions = [ops.log_softmax(teacher((grids, tokens), training=False), axis=-1) for teacher in self.teachers]
        together = ops.logsumexp(ops.stack(opinions), axis=0) - float(np.log(len(opinions)))
        return ops.stack([logits, ops.stop_gradient(together)], axis=-2)

    def encode(self, pixels: Tensor) -> Tensor:
        """Features [P, N, channels] of pixels as they are."""
        return self.body.encode(self.stem(self.view(pixels), training=False))


class Distillation(keras.losses.Loss):  # type: ignore[misc]  # Keras is untyped
    """Cross-entropy with people's words, and with the teachers' probabilities for `share` of it; weighted and summed
    like `SmoothedCrossEntropy`.
    """

    def __init__(self, label_smoothing: float, share: float) -> None:
        super().__init__(name="distillation", reduction="sum")
        self._people, self._share = SmoothedCrossEntropy(label_smoothing), share

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Losses [P, C, T] of targets [P, C, T] under what `EndToEnd` gives; outside of training nobody teaches."""
        if len(y_pred.shape) == len(y_true.shape) + 1:
            return self._people.call(y_true, y_pred)
        logits, opinions = y_pred[..., 0, :], y_pred[..., 1, :]
        taught = -ops.sum(ops.exp(opinions) * ops.log_softmax(logits, axis=-1), axis=-1)
        return (1 - self._share) * self._people.call(y_true, logits) + self._share * taught


class TwoRateAdamW(keras.optimizers.AdamW):  # type: ignore[misc]  # Keras is untyped
    """AdamW that moves some variables more slowly than others, and those from a standstill: as long as the decoder
    knows nothing, it has nothing to tell the encoder.
    """

    def __init__(self, *arguments: Any, slowly: frozenset[str], rate: float, ramp: int, **named: Any) -> None:
        """`slowly`: paths of the variables that move at `rate` times the learning rate after `ramp` steps."""
        super().__init__(*arguments, **named)
        self._slowly, self._values = slowly, {"rate": rate, "ramp": float(max(ramp, 1))}

    def build(self, variables: Sequence[Any]) -> None:
        """Create the optimizer's state. Rates are a part of it: as constants, each teacher would be compiled anew."""
        if not self.built:
            self._rate, self._ramp = (
                self.add_variable((), initializer=keras.initializers.Constant(value), name=name)
                for name, value in self._values.items()
            )
        super().build(variables)

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """One variable's step."""
        if variable.path in self._slowly:
            gone = ops.cast(self.iterations, "float32") / self._ramp
            learning_rate = learning_rate * self._rate * ops.minimum(1.0, gone)
        super().update_step(gradient, variable, learning_rate)


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


def split_xception(size: int, cache: Path, first_block: int) -> tuple[keras.Model, keras.Model]:
    """Xception with ImageNet's weights in two: the stem, and from `first_block` on the blocks that learn."""
    network = load_xception(size, cache)
    border = next(layer for layer in network.layers if layer.name.startswith(f"block{first_block}_")).input
    stem, blocks = keras.Model(network.input, border), keras.Model(border, network.output)
    for layer in blocks.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return stem, blocks


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
        ramp = round(config.encoder_warmup_epochs * len(self._batches(number)))
        optimizer = self._optimise(model, config.epochs, config.learning_rate, rate, ramp)
        self._fit(model, optimizer, SmoothedCrossEntropy(config.label_smoothing), config.epochs, number)
        return model

    def distil(self, teachers: Sequence[EndToEnd], best: int, rate: float) -> EndToEnd:
        """A student that goes on from the best of the teachers and learns from all."""
        config = self._config.end_to_end
        stem, body = self._build_body("student", self._config.fitting.seed)
        body.set_weights(teachers[best].body.get_weights())
        model = EndToEnd(self._view, stem, body, [teacher.body for teacher in teachers])
        say(f"Student of {len(teachers)} teachers")
        loss = Distillation(config.label_smoothing, config.teachers_share)
        optimizer = self._optimise(model, config.student_epochs, config.student_learning_rate, rate, ramp=0)
        self._fit(model, optimizer, loss, config.student_epochs, len(teachers))
        return model

    def encode(self, model: EndToEnd, photos: Sequence[PhotoView]) -> Floats:
        """Features [P, N, channels] of views of photos, by a model as it is."""
        encoder = _Encoder(model)
        size = self._config.end_to_end.photos_per_batch
        parts = []
        for begin in range(0, len(photos), size):
            pixels = self._store.load(photos[begin : begin + size])
            whole = np.pad(pixels, ((0, size - len(pixels)), (0, 0), (0, 0), (0, 0)))  # each size costs a compilation
            parts.append(encoder.predict_on_batch(whole)[: len(pixels)])
        return np.concatenate(parts)

    def _build_body(self, name: str, seed: int) -> tuple[keras.Model, Body]:
        config = self._config
        stem, blocks = split_xception(config.encoder.size, self._cache, config.end_to_end.first_block)
        cells, channels = blocks.output_shape[1] * blocks.output_shape[2], blocks.output_shape[3]
        decoder = build_decoder(len(self._vocabulary), cells, channels, config.decoder, seed)
        if self._stem is None:
            self._stem = stem
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

    def _optimise(self, model: EndToEnd, epochs: int, peak: float, rate: float, ramp: int) -> TwoRateAdamW:
        """The optimizer of a model: the decoder at most at `peak`, the encoder at `rate` after `ramp` steps."""
        config, steps = self._config.end_to_end, len(self._batches(0))
        encoder = model.body.blocks.trainable_variables
        optimizer = TwoRateAdamW(
            build_schedule(peak, epochs * steps, round(config.warmup_epochs * steps)),
            slowly=frozenset(variable.path for variable in encoder),
            rate=rate / peak,
            ramp=ramp,
            weight_decay=config.weight_decay,
            global_clipnorm=config.clip_norm,
            use_ema=True,
            ema_momentum=config.average_decay,
        )
        optimizer.exclude_from_weight_decay(var_list=encoder)
        return optimizer

    def _fit(
        self, model: EndToEnd, optimizer: TwoRateAdamW, loss: keras.losses.Loss, epochs: int, seed: int
    ) -> None:
        """Fit a model, and leave the moving average of its weights in it."""
        batches = self._batches(seed)
        model.compile(optimizer=optimizer, loss=loss)
        model.fit(
            _flow(batches, epochs),
            steps_per_epoch=len(batches),
            epochs=epochs,
            verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=_report)],
        )


class _Encoder(keras.Model):  # type: ignore[misc]  # Keras is untyped
    """What `EndToEnd.encode` gives, compiled."""

    def __init__(self, model: EndToEnd) -> None:
        super().__init__(name="encoder")
        self._model = model

    def call(self, pixels: Tensor, training: bool = False) -> Tensor:
        return self._model.encode(pixels)


def _flow(batches: Batches, epochs: int) -> Iterator[tuple[Any, Any, Any]]:
    """Inputs, targets and weights as Keras takes them."""
    for epoch in range(epochs):
        for batch in batches.epoch(epoch):
            yield (batch.features, batch.tokens), batch.targets, batch.weights


def _report(epoch: int, logs: dict[str, float]) -> None:
    say(f"epoch {epoch + 1}: loss {logs['loss']:.3f}")

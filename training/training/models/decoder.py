"""The decoder: a Keras model that writes a caption word by word from the encoder's features.

It has two interfaces with the same weights. Training uses *teacher forcing* (`call`), which reads whole captions.
Serving uses *start and step*, which `training.publish.decoder_export` converts to the bundle's graphs. A test compares
their log-probabilities.

Shapes: P photos, C captions of a photo (or beams of its search), T words, N grid cells, D = `units`, V words of the
vocabulary, G of them tags. Everything is written on `keras.ops`, so that any Keras backend trains it.

With `architecture="pooled"` a photo is one vector, made from the mean of its projected cells; the LSTM starts from it
and reads it with every word: Show and Tell (Vinyals et al. 2015). `architecture="attention"` adds attention to the grid
for each word. A decoder with tags also gets evidence for single words (`training.models.evidence`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from training.config import DecoderConfig
from training.models.evidence import Evidence, pool

Tensor = Any  # a tensor of whichever backend runs
Tensors = dict[str, Tensor]
InputProjection = Callable[[Tensor], Tensor]

_RANK_OF_EVIDENCE = 2


class TiedEmbedding(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Word vectors, used both to read a word and to score the next one (Press and Wolf 2017)."""

    def __init__(self, words: int, units: int) -> None:
        super().__init__(name="embedding")
        self.units = units
        self.table = self.add_weight(shape=(words, units), initializer="glorot_uniform", name="table")
        self.bias = self.add_weight(shape=(words,), initializer="zeros", name="bias")

    def call(self, tokens: Tensor) -> Tensor:
        """Vectors [..., D] of tokens [...], scaled to unit variance at initialisation."""
        return ops.take(self.table, tokens, axis=0) * self.units**0.5

    def score(self, vectors: Tensor) -> Tensor:
        """Logits [..., V] of vectors [..., D]."""
        return ops.matmul(vectors, ops.transpose(self.table)) + self.bias


class GridAttention(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Gated multi-head attention to the grid, with the LSTM's state as the query.

    The query is the state *after* a word was read, as in Knowing When to Look (Lu et al. 2017), with several heads of
    scaled dot products (Vaswani et al. 2017) and a gate on the result (Show, Attend and Tell, Xu et al. 2015). The
    recurrence does not depend on the attention, so training attends for all words at once: on a CPU that is several
    times faster.
    """

    def __init__(self, units: int, heads: int) -> None:
        super().__init__(name="attention")
        self.heads, self.head_units = heads, units // heads
        self.query = keras.layers.Dense(units, name="query")
        self.key = keras.layers.Dense(units, use_bias=False, name="key")
        self.gate = keras.layers.Dense(units, activation="sigmoid", name="gate")

    def prepare(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Keys, scaled [P, heads, D / heads, N], and values [P, heads, N, D / heads] of cells [P, N, D]."""
        photos = ops.shape(cells)[0]
        keys = self._split(self.key(cells), photos) / self.head_units**0.5
        return ops.transpose(keys, (0, 1, 3, 2)), self._split(cells, photos)

    def call(self, states: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """The attended vectors [P·Q, D] for the states [P·Q, D], and the weights, mean over heads [P, Q, N]."""
        queries = self._split(self.query(states), ops.shape(keys)[0])
        weights = ops.softmax(ops.matmul(queries, keys), axis=-1)
        attended = ops.transpose(ops.matmul(weights, values), (0, 2, 1, 3))
        return ops.reshape(attended, (-1, self.heads * self.head_units)) * self.gate(states), ops.mean(weights, axis=1)

    def _split(self, vectors: Tensor, photos: Tensor) -> Tensor:
        """[P·Q, D] or [P, Q, D] → [P, heads, Q, D / heads]."""
        split = ops.reshape(vectors, (photos, -1, self.heads, self.head_units))
        return ops.transpose(split, (0, 2, 1, 3))


class Decoder(keras.Model):  # type: ignore[misc]  # Keras is untyped
    """From features [P, N, channels] and the words so far to log-probabilities of the next word."""

    def __init__(
        self, words: int, config: DecoderConfig, seed: int = 0, tags: Sequence[int] = (), classes: int = 0
    ) -> None:
        """`tags`: token ids of the words for which there is evidence; without tags the decoder has no tagger.
        `classes`: the number of the tagger's classes.
        """
        super().__init__(name=f"{config.architecture}_decoder")
        self.units, self._seed = config.units, seed
        self.embedding = TiedEmbedding(words, config.units)
        self.project = _dense(config.units, "relu", "project")
        self.normalise = keras.layers.LayerNormalization(name="normalise")
        self.glance = _dense(config.units, "linear", "glance")
        self.initial_h = _dense(config.units, "tanh", "initial_h")
        self.initial_c = _dense(config.units, "tanh", "initial_c")
        self.lstm = keras.layers.LSTM(config.units, return_sequences=True, name="lstm")
        self.attention = GridAttention(config.units, config.heads) if config.architecture == "attention" else None
        self.combine = _dense(config.units, "tanh", "combine")
        self.evidence = Evidence(tags, words, config.units, classes) if tags else None
        self._dropouts = [keras.layers.Dropout(config.dropout, seed=seed + place) for place in range(4)]

    def call(self, inputs: Sequence[Tensor], training: bool = False) -> Tensor:
        """Logits [P, C, T, V] of the word after each of `tokens` [P, C, T], which come last, given before them
        `features` [P, N, channels]; these and evidence [P, G], instead of the tagger's; or, for captions without a
        photo, evidence alone.
        """
        *photo, tokens = inputs
        image, context, state = self._encode_photo(*photo, training=training)
        photos, captions, length = ops.shape(tokens)
        words = self.embedding(tokens) + image[:, None, None]
        flat = ops.reshape(self._dropouts[1](words, training=training), (photos * captions, length, self.units))
        initial = [_flatten(state[name][:, None], (photos, captions, self.units)) for name in ("state_h", "state_c")]
        outputs = self.lstm(flat, initial_state=initial)
        states = self._dropouts[2](ops.reshape(outputs, (-1, self.units)), training=training)
        vectors, _ = self._attend(states, context)
        logits = self._score(self._dropouts[3](vectors, training=training), states, context)
        return ops.reshape(logits, (photos, captions, length, logits.shape[-1]))

    def start(self, features: Tensor, evidence: Tensor | None = None) -> tuple[Tensors, Tensors]:
        """The photo's tensors for every step (`context_*`), and the state before the first word (`state_*` [P, D])."""
        image, context, state = self._encode_photo(features, evidence, training=False)
        return {"context_image": ops.matmul(image, self.lstm.cell.kernel) + self.lstm.cell.bias, **context}, state

    def step(
        self, tokens: Tensor, context: Tensors, state: Tensors, project_input: InputProjection | None = None
    ) -> Tensors:
        """One word for every beam.

        `tokens` [P, C], `state` [P, C, D] → `log_probabilities` [P, C, V], `attention` [P, C, N] of a decoder that has
        it, and the `next_state_*` [P, C, D]. `project_input`: used instead of the method of that name.
        """
        gates = (project_input or self.project_input)(tokens) + context["context_image"][:, None]
        # Two-dimensional from here on: reshaping in graphs of higher rank takes longer than the arithmetic.
        h, c = (ops.reshape(state[name], (-1, self.units)) for name in ("state_h", "state_c"))
        h, c = self._recur(ops.reshape(gates, (-1, 4 * self.units)), h, c)
        vectors, attention = self._attend(h, context)
        log_probabilities = ops.log_softmax(self._score(vectors, h, context), axis=-1)
        outputs = {"log_probabilities": log_probabilities, "next_state_h": h, "next_state_c": c}
        outputs = {name: ops.reshape(rows, (*ops.shape(tokens), rows.shape[-1])) for name, rows in outputs.items()}
        return outputs if attention is None else outputs | {"attention": attention}

    def project_input(self, tokens: Tensor) -> Tensor:
        """The input of tokens [...] to the LSTM's gates [..., 4 D]: it depends on the token alone, so it can be a
        table.
        """
        return ops.matmul(self.embedding(tokens), self.lstm.cell.kernel)

    def reseed(self, epoch: int) -> None:
        """Make the dropout of an epoch depend on the seed and the epoch alone, so that a resumed run repeats it."""
        for place, dropout in enumerate(self._dropouts):
            if dropout.rate:  # without dropout there is no generator
                dropout.seed_generator.state.assign([self._seed + place, epoch << 16])

    def disable_dropout(self) -> None:
        """Train without dropout from now on, by the same distributions as those of `step`."""
        for dropout in self._dropouts:
            dropout.rate = 0.0

    def _encode_photo(
        self, features: Tensor, evidence: Tensor | None = None, *, training: bool
    ) -> tuple[Tensor, Tensors, Tensors]:
        """The vector [P, D] that is read with every word, tensors for attention and evidence, the first state."""
        if self.evidence and len(features.shape) == _RANK_OF_EVIDENCE:
            return self._encode_evidence(self.evidence, features)
        cells = self.normalise(self.project(ops.cast(features, "float32")))
        cells = self._dropouts[0](cells, training=training)
        mean = ops.mean(cells, axis=1)
        image, context = self.glance(mean), {}
        if self.attention:
            context["context_keys"], context["context_values"] = self.attention.prepare(cells)
        if self.evidence:
            evidence = self.evidence.predict_tags(pool(features)) if evidence is None else evidence
            gist, of_words, _ = self._encode_evidence(self.evidence, evidence)
            image = image + gist
            mean = mean + gist
            context = context | of_words
        return image, context, self._begin(mean)

    def _encode_evidence(self, tags: Evidence, evidence: Tensor) -> tuple[Tensor, Tensors, Tensors]:
        """As `_encode_photo`, of evidence alone: there are no cells to attend to."""
        gist = tags.embed_tags(evidence, self.embedding.table)
        return gist, {"context_words": tags.scatter(evidence)}, self._begin(gist)

    def _begin(self, vectors: Tensor) -> Tensors:
        return {"state_h": self.initial_h(vectors), "state_c": self.initial_c(vectors)}

    def _recur(self, gates: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """The LSTM's next state [P·C, D], from the input of the word and the photo to its gates [P·C, 4 D].

        The equations are those of `keras.layers.LSTM`, whose weights they use; a test compares the two.
        """
        gates = gates + ops.matmul(h, self.lstm.cell.recurrent_kernel)
        input_gate, forget_gate, cell_gate, output_gate = ops.split(gates, 4, axis=-1)
        c = ops.sigmoid(forget_gate) * c + ops.sigmoid(input_gate) * ops.tanh(cell_gate)
        return ops.sigmoid(output_gate) * ops.tanh(c), c

    def _attend(self, states: Tensor, context: Tensors) -> tuple[Tensor, Tensor | None]:
        """The vectors [P·Q, D] that score the next word, and the attention weights [P, Q, N]."""
        if self.attention is None:
            return self.combine(states), None
        attended, weights = ops.zeros_like(states), None
        if "context_keys" in context:
            attended, weights = self.attention(states, context["context_keys"], context["context_values"])
        return self.combine(ops.concatenate([states, attended], axis=-1)), weights

    def _score(self, vectors: Tensor, states: Tensor, context: Tensors) -> Tensor:
        """Logits [P·Q, V] of the next word, of the vectors and the states [P·Q, D]."""
        logits = self.embedding.score(vectors)
        return self.evidence.add(logits, states, context["context_words"]) if self.evidence else logits


def build_decoder(
    words: int,
    cells: int,
    channels: int,
    config: DecoderConfig,
    seed: int = 0,
    tags: Sequence[int] = (),
    classes: int = 0,
) -> Decoder:
    """A decoder with all of its weights created, the same for the same seed."""
    keras.utils.set_random_seed(seed)
    decoder = Decoder(words, config, seed, tags, classes)
    decoder((ops.zeros((1, cells, channels)), ops.zeros((1, 1, 2), dtype="int32")))
    return decoder


def _dense(units: int, activation: str, name: str) -> Callable[[Tensor], Tensor]:
    return keras.layers.Dense(units, activation=activation, name=name)  # type: ignore[no-any-return]


def _flatten(vectors: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """[P, 1, D] repeated to `shape` [P, C, D] and flattened to [P·C, D]."""
    return ops.reshape(ops.broadcast_to(vectors, shape), (shape[0] * shape[1], shape[2]))

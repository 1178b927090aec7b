"""Evidence: what a photo says of single words, and how a decoder that knows it writes them.

The words that can be seen in a photo are its *tags*. A decoder learns from captions which words follow which; how a
zebra looks it would have to learn from the few captions that speak of one. The encoder knows it from ImageNet, so a
linear classifier on its features finds the tags, and the decoder learns only when to trust it: semantic attention (You
et al. 2016; Gan et al. 2017), with tags added to the scores of words as in copying (Yao et al. 2017).

Evidence is a number for each tag: the log-odds that a caption of the photo has the word. A tagger may also know
classes, as ImageNet has them, of which a photo shows one: where that may well be one that a word names, the word gets
more. Where it is not, nothing is held against the word: a photo of a dog may have a car in it. Some words name the
subject so reliably that they get at least the log-odds of their classes, however few captions have them.

Shapes: P photos, G tags, K classes, N grid cells, D units, V words of the vocabulary.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from training.data.tags import UNKNOWN

Tensor = Any  # a tensor of whichever backend runs

LIMIT = 6.0  # of evidence as an addition to logits: e^6 says it all
HARDLY = 0.01  # so likely, a class says little
LEAST, MOST = 1e-30, 0.85  # how likely classes make a subject
TINY = 1e-6


def pool(features: Tensor) -> Tensor:
    """A photo as one vector float32 [P, channels] of unit length: square roots of the mean of features [P, N,
    channels]. The root keeps one strong channel from drowning the others (Arandjelović and Zisserman 2012).
    """
    means = ops.mean(ops.relu(ops.cast(features, "float32")), axis=1)
    roots = ops.sqrt(ops.maximum(means, TINY**2))  # whose slope at zero has no end
    return roots / (ops.norm(roots, axis=-1, keepdims=True) + TINY)


class Evidence(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """A decoder's tags: their classifier, what the photo's vector gets of them, and what their words' logits get."""

    def __init__(self, tags: Sequence[int], words: int, units: int, classes: int = 0) -> None:
        """`tags`: the token ids of the tags, among those of `words` words; `classes`: how many the tagger knows."""
        super().__init__(name="evidence")
        self.tags, self._scale = np.asarray(tags, np.int32), units**0.5
        self._places = np.full(words, len(tags), np.int32)
        self._places[self.tags] = np.arange(len(tags))
        self.tagger = keras.layers.Dense(len(tags), name="tagger")
        self.tagger.trainable = False  # it is fitted by itself: captions would teach it what is said, not what is seen
        self.classes = keras.layers.Dense(classes, name="classes", trainable=False) if classes else None
        self.names = self._store((classes, len(tags)), "names") if classes else None
        self.subjects = self._store((len(tags),), "subjects") if classes else None
        self.gist = keras.layers.Dense(units, use_bias=False, kernel_initializer="zeros", name="gist")
        self.trust = keras.layers.Dense(1, activation="softplus", name="trust")
        self.built = True  # its parts are when they are used

    def predict_tags(self, pooled: Tensor) -> Tensor:
        """Evidence [P, G] of features that are pooled [P, channels]."""
        evidence = self.tagger(pooled)
        if self.classes is None:
            return evidence
        return add_classes(evidence, self.classes(pooled), self.names, self.subjects)

    def predict_classes(self, pooled: Tensor) -> Tensor | None:
        """The logarithms [P, K] of how likely each class is, of features that are pooled [P, channels]; None where no
        classes are known.
        """
        return None if self.classes is None else ops.log_softmax(self.classes(pooled), axis=-1)

    def embed_tags(self, evidence: Tensor, table: Tensor) -> Tensor:
        """The vectors [P, D] of the probable tags of photos, added up, from the table [V, D] of word vectors."""
        vectors = ops.take(table, self.tags, axis=0)
        return self.gist(ops.matmul(ops.sigmoid(evidence), vectors) * self._scale)

    def scatter(self, evidence: Tensor) -> Tensor:
        """Evidence for every word [P, V]: within ±6, and zero of words that are no tags."""
        clipped = ops.clip(evidence, -LIMIT, LIMIT)
        return ops.take(ops.pad(clipped, ((0, 0), (0, 1))), self._places, axis=1)

    def read_trust(self) -> float:
        """How far tags are trusted on the average of all states: a bias, before the softplus."""
        return float(ops.convert_to_numpy(self.trust.bias)[0])

    def write_trust(self, bias: float) -> None:
        """Trust tags more or less, whatever the state."""
        self.trust.bias.assign([bias])

    def write_names(self, names: Tensor, subjects: Tensor) -> None:
        """Set which tags name which classes [K, G], and which tags are subjects [G]."""
        if self.names is not None and self.subjects is not None:
            self.names.assign(names)
            self.subjects.assign(subjects)

    def write_class_weight(self, weight: float) -> None:
        """How much the chance of a class counts for each of its names."""
        if self.names is not None:
            self.names.assign(weight * ops.cast(self.names > 0, "float32"))

    def _store(self, shape: tuple[int, ...], name: str) -> keras.Variable:
        return self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name)

    def add(self, logits: Tensor, states: Tensor, words: Tensor) -> Tensor:
        """Logits [P·Q, V] with the evidence for words [P, V], as far as states [P·Q, D] trust it."""
        trust = ops.reshape(self.trust(states), (ops.shape(words)[0], -1, 1))
        return logits + ops.reshape(trust * words[:, None], (-1, words.shape[-1]))


def add_classes(evidence: Tensor, logits: Tensor, names: Tensor, subjects: Tensor) -> Tensor:
    """Evidence [P, G] with what logits [P, K] of classes add to it (`credit_names`), and for those tags of which
    `subjects` [G] is 1, and not 0, no less than the log-odds of their classes.
    """
    chances = _add_up(logits, names)
    likely = ops.clip(chances * subjects, LEAST, MOST)
    return ops.maximum(evidence + _credit(chances), ops.log(likely / (1 - likely)))


def credit_names(logits: Tensor, names: Tensor) -> Tensor:
    """What tags get [P, G] for the chance that a photo shows a class that they name, from logits [P, K] of classes that
    exclude each other: 4.6 where that is certain, and nothing where it is out of the question. `names` [K, G] has 1 for
    each name of a class, or more, as if the class were so many times as likely.
    """
    return _credit(_add_up(logits, names))


def _credit(chances: Tensor) -> Tensor:
    return ops.log(1 + chances / HARDLY)


def _add_up(logits: Tensor, names: Tensor) -> Tensor:
    """The probabilities [P, G] of the classes of each tag, from logits [P, K]."""
    return ops.matmul(ops.softmax(logits, axis=-1), names)


def score_tags(shown: Tensor, evidence: Tensor) -> Tensor:
    """The loss [P] of evidence [P, G] for what photos show [P, G] (`training.data.tags`): cross-entropy of what is
    known, in nats, summed over tags.
    """
    known = ops.cast(shown != UNKNOWN, evidence.dtype)
    losses = ops.relu(evidence) - evidence * shown + ops.softplus(-ops.abs(evidence))
    return ops.sum(losses * known, axis=-1)

"""Batches for teacher forcing: photos with all of their captions, in an order that depends on the seed and the epoch
alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.vocabulary import Vocabulary
from training.dataset import Photo
from training.read_ahead import read_ahead
from training.words import TOKENS, encode_caption, tokenise

# How far, in words, photos of a batch may differ in the length of their longest caption; more mixes better and pads
# more.
_MIXING = 3.0
# Batches have lengths of multiples of this: each length costs the backend a compilation.
_ROUNDING = 3

LoadFeatures = Callable[[Sequence[Photo]], npt.NDArray[np.float16]]


@dataclass(frozen=True, slots=True)
class Batch:
    """P photos with C captions each: `features` float16 [P, cells, channels], `tokens` and `targets` int32 [P, C, T].

    `targets` are the tokens one place on, and padding where there is nothing to predict.
    """

    features: npt.NDArray[np.float16]
    tokens: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]


class Batches:
    """The training split as batches, epoch after epoch."""

    def __init__(
        self,
        photos: Sequence[Photo],
        vocabulary: Vocabulary,
        load_features: LoadFeatures,
        *,
        max_length: int,
        photos_per_batch: int,
        seed: int,
    ) -> None:
        self._photos, self._load, self._seed = photos, load_features, seed
        self._size = min(photos_per_batch, len(photos))
        self._captions = pad_captions(photos, vocabulary, max_length)
        self._lengths = (self._captions[:, :, 1:] != TOKENS.padding).sum(axis=2).max(axis=1)

    def __len__(self) -> int:
        """Batches in an epoch: the photos left over by the last whole batch are left out, other ones each time."""
        return len(self._photos) // self._size

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch; the next one is read from disk while one is used."""
        places = self._shuffle(np.random.default_rng([self._seed, number]))
        yield from read_ahead(self._gather, places)

    def _shuffle(self, random: np.random.Generator) -> list[npt.NDArray[np.intp]]:
        """Places of the photos of each batch: photos whose captions are about equally long share one, so that little is
        padding.
        """
        order = random.permutation(len(self._photos))[: len(self) * self._size]
        similar = order[np.argsort(self._lengths[order] + random.uniform(0, _MIXING, len(order)), kind="stable")]
        places = similar.reshape(len(self), self._size)
        return list(places[random.permutation(len(places))])

    def _gather(self, places: npt.NDArray[np.intp]) -> Batch:
        longest = int(self._lengths[places].max())
        captions = self._captions[places, :, : -(-longest // _ROUNDING) * _ROUNDING + 1]
        features = self._load([self._photos[place] for place in places])
        return Batch(features, captions[:, :, :-1], captions[:, :, 1:])


def pad_captions(photos: Sequence[Photo], vocabulary: Vocabulary, max_length: int) -> npt.NDArray[np.int32]:
    """Token ids [photos, captions, max_length + 2] of all captions, padded: start, words, end."""
    most = max(len(photo.captions) for photo in photos)
    padded = np.full((len(photos), most, max_length + 2), TOKENS.padding, np.int32)
    for row, photo in enumerate(photos):
        for place, caption in enumerate(photo.captions):
            ids = encode_caption(tokenise(caption), vocabulary, max_length)
            padded[row, place, : len(ids)] = ids
    return padded

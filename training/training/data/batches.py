"""Batches for teacher forcing: photos with all of their captions, in an order that depends on the seed and the epoch
alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from inference.model.vocabulary import Vocabulary
from training.data.dataset import Photo
from training.data.read_ahead import read_ahead
from training.data.views import View
from training.data.words import TOKENS, encode_caption, tokenise
from training.encoder.feature_maps import PhotoView

# How far, in words, photos of a batch may differ in the length of their longest caption; more mixes better and pads
# more.
_MIXING = 3.0
_ROUNDING = 3

Places = npt.NDArray[np.intp]
Features = npt.NDArray[Any]
Inputs = tuple[npt.NDArray[Any], ...]
LoadFeatures = Callable[[Sequence[PhotoView]], Features]


@dataclass(frozen=True, slots=True)
class Batch:
    """P photos with C captions each: `inputs`, what a model reads beside the tokens, features float32 [P, cells,
    channels] alone or whatever else is loaded of photos; `tokens` and `targets` int32 [P, C, T], `weights` float32
    [P, C, T].

    `targets` are the tokens one place on, and padding where there is nothing to predict; `weights` say how much each
    target counts in the loss, 0 for padding; `reward`: the mean reward of captions that the decoder wrote itself.
    """

    inputs: Inputs
    tokens: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    reward: float | None = None


class PhotoSource(Protocol):
    """The training split, and what a model reads of it."""

    @property
    def photos(self) -> Sequence[Photo]: ...

    def __len__(self) -> int: ...

    def draw_views(self, random: np.random.Generator) -> Any:  # noqa: ANN401 - each source has views of its own
        """A view of each photo."""
        ...

    def load_inputs(self, places: Places, views: Any) -> Inputs:  # noqa: ANN401
        """What a model reads of the photos at `places`; `views` are those of all photos."""
        ...


@dataclass(frozen=True, slots=True)
class TrainingPhotos:
    """The training split, the views that each photo has, and how their features are read."""

    photos: Sequence[Photo]
    views: Sequence[Sequence[View]]
    load: LoadFeatures

    def __len__(self) -> int:
        return len(self.photos)

    def draw_views(self, random: np.random.Generator) -> list[View]:
        """A view of each photo, each of a photo's views as likely as the others."""
        return [views[int(random.integers(len(views)))] for views in self.views]

    def load_inputs(self, places: Places, views: Sequence[View]) -> Inputs:
        """Features [P, cells, channels] of the photos at `places`, alone; `views` are those of all photos."""
        return (self.load([(self.photos[place], views[place]) for place in places]),)


class Batches:
    """The training split with its captions as batches, epoch after epoch."""

    def __init__(
        self,
        photos: PhotoSource,
        vocabulary: Vocabulary,
        *,
        max_length: int,
        photos_per_batch: int,
        seed: int,
        rounding: int = _ROUNDING,
    ) -> None:
        """`rounding`: batches have lengths of multiples of this many words, each of which the backend compiles for."""
        self._photos, self._seed, self._rounding = photos, seed, rounding
        self._size = min(photos_per_batch, len(photos))
        self._captions = pad_captions(photos.photos, vocabulary, max_length)
        self._lengths = (self._captions[:, :, 1:] != TOKENS.padding).sum(axis=2).max(axis=1)

    def __len__(self) -> int:
        """Batches in an epoch: the photos left over by the last whole batch are left out, other ones each time."""
        return len(self._photos) // self._size

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch; the next one is read from disk while one is used."""
        random = np.random.default_rng([self._seed, number])
        places = self._shuffle(random)
        views = self._photos.draw_views(random)
        yield from read_ahead(lambda batch: self._gather(batch, views), places)

    def _shuffle(self, random: np.random.Generator) -> list[Places]:
        """Places of the photos of each batch: photos whose captions are about equally long share one, so that little is
        padding.
        """
        order = random.permutation(len(self._photos))[: len(self) * self._size]
        similar = order[np.argsort(self._lengths[order] + random.uniform(0, _MIXING, len(order)), kind="stable")]
        places = similar.reshape(len(self), self._size)
        return list(places[random.permutation(len(places))])

    def _gather(self, places: Places, views: Sequence[View]) -> Batch:
        longest = int(self._lengths[places].max())
        captions = self._captions[places, :, : -(-longest // self._rounding) * self._rounding + 1]
        words = (captions[:, :, 1:] != TOKENS.padding).astype(np.float32)
        inputs = self._photos.load_inputs(places, views)
        return Batch(inputs, captions[:, :, :-1], captions[:, :, 1:], words / words.sum())


def pad_captions(photos: Sequence[Photo], vocabulary: Vocabulary, max_length: int) -> npt.NDArray[np.int32]:
    """Token ids [photos, captions, max_length + 2] of all captions, padded: start, words, end."""
    most = max(len(photo.captions) for photo in photos)
    padded = np.full((len(photos), most, max_length + 2), TOKENS.padding, np.int32)
    for row, photo in enumerate(photos):
        for place, caption in enumerate(photo.captions):
            ids = encode_caption(tokenise(caption), vocabulary, max_length)
            padded[row, place, : len(ids)] = ids
    return padded

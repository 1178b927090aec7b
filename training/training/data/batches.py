"""Batches for teacher forcing: photos with all of their captions, in an order that depends on the seed and the epoch
alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from photocaption.model.vocabulary import Vocabulary
from training.data.mixture import Mixture
from training.data.photo import Photo
from training.data.prefetch import prefetch
from training.data.views import PhotoView, View
from training.data.words import TOKENS, encode_caption, tokenise

# How far, in words, photos of a batch may differ in the length of their longest caption: more mixes photos better, and
# needs more padding.
_MIXING = 3.0
ROUNDING = 3  # words, of which batches have a multiple: the backend compiles for each length

Places = npt.NDArray[np.intp]
Features = npt.NDArray[Any]
Inputs = tuple[npt.NDArray[Any], ...]
LoadFeatures = Callable[[Sequence[PhotoView]], Features]


@dataclass(frozen=True, slots=True)
class Batch:
    """P photos with C captions each: `inputs`, what a model reads beside the tokens, such as features float32 [P,
    cells, channels]; `tokens` and `targets` int32 [P, C, T], `weights` float32 [P, C, T].

    `targets` are the tokens shifted by one, and padding where there is nothing to predict; `weights`: of each target in
    the loss, 0 for padding; `reward`: the mean reward of sampled captions, None for references.
    """

    inputs: Inputs
    tokens: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    reward: float | None = None


DrawTexts = Callable[[np.random.Generator], Batch]


class PhotoSource(Protocol):
    """The training split as inputs of a model."""

    @property
    def photos(self) -> Sequence[Photo]: ...

    @property
    def mixture(self) -> Mixture: ...

    def draw_views(self, random: np.random.Generator) -> Any:  # noqa: ANN401 - each source has views of its own
        """A view of each photo."""
        ...

    def load_inputs(self, places: Places, views: Any) -> Inputs:  # noqa: ANN401
        """The inputs for the photos at `places`; `views` are those of all photos."""
        ...


@dataclass(frozen=True, slots=True)
class TrainingPhotos:
    """The training split, the views that each photo has, and how their features are read.

    `evidence`: of a tagger, [P, G] for the first view of all photos, then for the second, …; empty where the decoder
    has no tags.
    """

    photos: Sequence[Photo]
    mixture: Mixture
    views: Sequence[Sequence[View]]
    load: LoadFeatures
    evidence: Sequence[Features] = ()

    def draw_views(self, random: np.random.Generator) -> list[int]:
        """The place of a random view of each photo."""
        return [int(random.integers(len(views))) for views in self.views]

    def load_inputs(self, places: Places, views: Sequence[int]) -> Inputs:
        """Features [P, cells, channels] of the photos at `places`, and the evidence for them; `views` are those of all
        photos.
        """
        features = self.load([(self.photos[place], self.views[place][views[place]]) for place in places])
        if not self.evidence:
            return (features,)
        return features, np.stack([self.evidence[views[place]][place] for place in places])


class Batches:
    """The training split with its captions as batches, mixed with batches of captions without photos."""

    def __init__(
        self,
        photos: PhotoSource,
        vocabulary: Vocabulary,
        *,
        max_length: int,
        seed: int,
        rounding: int = ROUNDING,
        draw_texts: DrawTexts | None = None,
        texts_share: float = 0.0,
    ) -> None:
        """`rounding`: batches have lengths of multiples of this many words, each of which the backend compiles for;
        `draw_texts`: gives a batch of captions without photos, as a `texts_share` of all batches are.
        """
        self._photos = photos
        self._seed = seed
        self._rounding = rounding
        self._captions = pad_captions(photos.photos, vocabulary, max_length)
        self._lengths = (self._captions[:, :, 1:] != TOKENS.padding).sum(axis=2).max(axis=1)
        self._draw_texts = draw_texts
        self._of_texts = round(photos.mixture.batches * texts_share / (1 - texts_share)) if draw_texts else 0

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._photos.mixture.batches + self._of_texts

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch; the next one is read from disk while one is used."""
        random = np.random.default_rng([self._seed, number])
        places: list[Places | None] = [*self._shuffle(random), *[None] * self._of_texts]
        views = self._photos.draw_views(random)
        order = random.permutation(len(places))
        yield from prefetch(lambda batch: self._gather(batch, views, random), [places[place] for place in order])

    def _shuffle(self, random: np.random.Generator) -> list[Places]:
        """Places of the photos of each batch: photos whose captions are about equally long share one, so that little is
        padding.
        """
        order, mixture = self._photos.mixture.draw(random), self._photos.mixture
        similar = order[np.argsort(self._lengths[order] + random.uniform(0, _MIXING, len(order)), kind="stable")]
        return list(similar.reshape(mixture.batches, mixture.size))

    def _gather(self, places: Places | None, views: Any, random: np.random.Generator) -> Batch:  # noqa: ANN401
        if places is None:
            assert self._draw_texts is not None
            return self._draw_texts(random)
        longest = int(self._lengths[places].max())
        captions = self._captions[places, :, : round_up(longest, self._rounding) + 1]
        inputs = self._photos.load_inputs(places, views)
        return Batch(inputs, captions[:, :, :-1], captions[:, :, 1:], weigh_words(captions[:, :, 1:]))


def round_up(length: int, rounding: int = ROUNDING) -> int:
    """The length in words that batches have whose longest caption has `length`."""
    return -(-length // rounding) * rounding


def weigh_words(targets: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """Weights for targets that make the loss a mean over words."""
    words: npt.NDArray[np.float32] = (targets != TOKENS.padding).astype(np.float32)
    words /= words.sum()
    return words


def pad_captions(photos: Sequence[Photo], vocabulary: Vocabulary, max_length: int) -> npt.NDArray[np.int32]:
    """Token ids [photos, captions, max_length + 2] of all captions, padded: start, words, end."""
    most = max(len(photo.captions) for photo in photos)
    padded = np.full((len(photos), most, max_length + 2), TOKENS.padding, np.int32)
    for row, photo in enumerate(photos):
        for place, caption in enumerate(photo.captions):
            ids = encode_caption(tokenise(caption), vocabulary, max_length)
            padded[row, place, : len(ids)] = ids
    return padded

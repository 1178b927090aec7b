"""Batches of captions without photos, with synthetic evidence for their words.

The distribution of a tagger's evidence for each word, in photos whose captions have the word and in others, is measured
on real photos; the evidence for a caption is sampled from it. Shapes: P photos, G tags.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photocaption.model.runtime import Floats
from photocaption.model.vocabulary import Vocabulary
from training.data.batches import Batch, round_up, weigh_words
from training.data.words import TOKENS, encode_caption, tokenise

_MAX_CAPTIONS = 5  # captions of a photo
_PRIOR_PHOTOS = 10.0  # weight of the mean over all words in the mean of each


@dataclass(frozen=True, slots=True)
class EvidenceStatistics:
    """Mean and standard deviation of the evidence [G] for each tag, where captions have the word and where not."""

    present: tuple[Floats, Floats]
    absent: tuple[Floats, Floats]

    @classmethod
    def of(cls, evidence: Floats, shown: Floats) -> "EvidenceStatistics":
        """Of out-of-fold evidence [P, G], and the shares of captions with each word [P, G]."""
        return cls(_measure(evidence, shown > 0), _measure(evidence, shown == 0))

    def draw(self, shown: npt.NDArray[np.bool_], random: np.random.Generator) -> Floats:
        """Synthetic evidence [P, G] for captions with these words."""
        noise = random.standard_normal(shown.shape, np.float32)
        return np.where(shown, self.present[0] + self.present[1] * noise, self.absent[0] + self.absent[1] * noise)


def _measure(evidence: Floats, chosen: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the chosen evidence of each tag; those of rare tags are shrunk to all's."""
    counts = chosen.sum(axis=0)
    picked = np.where(chosen, evidence, 0)
    mean, square = picked.sum() / max(1, counts.sum()), (picked**2).sum() / max(1, counts.sum())
    means = (picked.sum(axis=0) + _PRIOR_PHOTOS * mean) / (counts + _PRIOR_PHOTOS)
    squares = ((picked**2).sum(axis=0) + _PRIOR_PHOTOS * square) / (counts + _PRIOR_PHOTOS)
    return means.astype(np.float32), np.sqrt(np.maximum(squares - means**2, 0)).astype(np.float32)


class TextOnlyBatches:
    """Captions by photo, as random batches."""

    def __init__(
        self,
        captions: Iterable[tuple[str, str]],
        vocabulary: Vocabulary,
        tags: Sequence[str],
        statistics: EvidenceStatistics,
        *,
        max_length: int,
        size: int,
    ) -> None:
        """`captions`: ids of photos, with a caption each time; `size`: photos of a batch."""
        photos: dict[str, list[list[int]]] = {}
        for photo, caption in captions:
            photos.setdefault(photo, []).append(encode_caption(tokenise(caption), vocabulary, max_length))
        self._photos = list(photos.values())
        self._statistics = statistics
        self._size = size
        self._places = np.full(len(vocabulary), len(tags))
        self._places[vocabulary.encode(tags)] = np.arange(len(tags))

    def draw(self, random: np.random.Generator) -> Batch:
        """A batch of photos at random, whose one input is evidence."""
        chosen = [self._photos[place] for place in random.integers(len(self._photos), size=self._size)]
        longest = max(len(ids) for captions in chosen for ids in captions[:_MAX_CAPTIONS]) - 1
        tokens = np.full((self._size, _MAX_CAPTIONS, round_up(longest) + 1), TOKENS.padding, np.int32)
        shown = np.zeros((self._size, self._places.max() + 1), bool)
        for row, captions in enumerate(chosen):
            for column, ids in enumerate(captions[:_MAX_CAPTIONS]):
                tokens[row, column, : len(ids)] = ids
                shown[row, self._places[ids]] = True
        evidence = self._statistics.draw(shown[:, :-1], random)
        return Batch((evidence,), tokens[:, :, :-1], tokens[:, :, 1:], weigh_words(tokens[:, :, 1:]))

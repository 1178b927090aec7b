"""Finds captions for photos that have only a label, among the captions of other photos: those that name the label, and
whose other content words are likely by the tagger's evidence for the photo.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from photocaption.model.runtime import Floats
from training.data.content_words import FUNCTION_WORDS
from training.data.labelled import LabelledPhoto, name_words
from training.data.photo import Photo
from training.data.words import tokenise

_MAX_CAPTIONS = 5  # for a photo
_MIN_CAPTIONS = 3  # with fewer, the label is too rare in captions
_MIN_WORDS = 6
_MAX_WORDS = 14
_NO_TAG = -2.5  # log-probability that is assumed for words that are not tags


class CaptionFinder:
    """Captions to choose from, indexed by their content words."""

    def __init__(self, captions: Sequence[str], tags: Sequence[str]) -> None:
        words = {" ".join(one): one for one in map(tokenise, captions) if _MIN_WORDS <= len(one) <= _MAX_WORDS}
        self._captions = list(words)
        places = {tag: place for place, tag in enumerate(tags)}
        self._content = np.full((len(words), _MAX_WORDS), -1, np.int32)
        holders: dict[str, list[int]] = {}
        for row, one in enumerate(words.values()):
            for column, word in enumerate(content := [word for word in one if word not in FUNCTION_WORDS]):
                self._content[row, column] = places.get(word, len(tags))
            for word in set(content):
                holders.setdefault(word, []).append(row)
        self._holders: dict[str, npt.NDArray[np.intp]] = {word: np.array(rows) for word, rows in holders.items()}

    def find(self, label: LabelledPhoto, evidence: Floats) -> tuple[str, ...]:
        """The captions that name a label with the most likely words by the evidence [G]; none where too few name it."""
        named = [self._holders[word] for word in {label.subject, *name_words(label.label)} if word in self._holders]
        rows = np.unique(np.concatenate(named)) if named else np.array([], int)
        if len(rows) < _MIN_CAPTIONS:
            return ()
        likely = np.append(-np.logaddexp(0, -evidence), _NO_TAG)
        content = self._content[rows]
        fit = np.where(content >= 0, likely[content], 0).sum(axis=1) / (content >= 0).sum(axis=1)
        return tuple(self._captions[row] for row in rows[np.argsort(-fit, kind="stable")[:_MAX_CAPTIONS]])

    def caption(self, photos: Sequence[Photo], labels: Mapping[str, LabelledPhoto], evidence: Floats) -> list[Photo]:
        """The photos; those with labels get the captions found for them by the evidence [P, G], which may be none."""
        return [
            replace(photo, captions=self.find(labels[photo.sha256], row)) if photo.sha256 in labels else photo
            for photo, row in zip(photos, evidence, strict=True)
        ]

"""The tagger's training targets: which words the captions of each photo have, and which words name the classes.

Captions give a target for every tag. A label gives a positive target for its own words and negative ones for other
kinds of subjects: a photo labelled "tabby" shows no boat, and "grass" has no target.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from photocaption.model.vocabulary import Vocabulary
from training.config import TagsConfig
from training.data.content_words import FUNCTION_WORDS
from training.data.labelled import LabelledPhoto, name_words
from training.data.photo import Photo
from training.data.words import tokenise

Targets = npt.NDArray[np.float32]
UNKNOWN = -1.0
_LABEL_TARGET = 0.8  # probability that a caption would have the label's own word


def choose_tags(
    photos: Sequence[Photo], labels: Collection[LabelledPhoto], vocabulary: Vocabulary, config: TagsConfig
) -> tuple[str, ...]:
    """The content words that the captions of most photos have or that labels accept; the most frequent first."""
    counts = Counter(word for photo in photos for word in {*chain(*map(tokenise, photo.captions))})
    counts.update(word for one in labels for word in name_words(one.label) | one.accepted)
    known = [word for word in vocabulary.words if word not in FUNCTION_WORDS and counts[word] >= config.least_photos]
    return tuple(sorted(known, key=lambda word: -counts[word])[: config.most])


def find_subjects(labels: Collection[LabelledPhoto]) -> frozenset[str]:
    """The words that name one kind of subject and no other."""
    groups = {one.accepted for one in labels if one.subject}
    labelled = {word for one in labels if one.subject for word in name_words(one.label) & one.accepted}
    # "bus" names a kind although other labels accept it; "animal" does not
    shared = {word for word in {*chain(*groups)} if sum(word in group for group in groups) > 1}
    return frozenset(chain(*groups)) - (shared - labelled)


def list_classes(labels: Collection[LabelledPhoto]) -> list[LabelledPhoto]:
    """A labelled photo of each class, in the order of synsets, which is ImageNet's."""
    classes = {one.synset: one for one in labels if one.synset}
    return [classes[synset] for synset in sorted(classes)]


def name_classes(classes: Sequence[LabelledPhoto], tags: Sequence[str]) -> npt.NDArray[np.float32]:
    """[classes, tags]: 1 where a tag names a class, by its own names or as its kind of subject; not by a name that is
    another subject's, as a passenger car's is.
    """
    subjects = find_subjects(classes)
    places = {tag: place for place, tag in enumerate(tags)}
    names = np.zeros((len(classes), len(tags)), np.float32)
    for row, one in zip(names, classes, strict=True):
        others = subjects - one.accepted if one.subject else frozenset()
        for word in (name_words(one.label) - others) | {one.subject} | ({f"{one.subject}s"} & one.accepted):
            if word in places:
                row[places[word]] = 1
    return names


def set_targets(photos: Sequence[Photo], labels: Mapping[str, LabelledPhoto], tags: Sequence[str]) -> Targets:
    """Targets float32 [P, G] of P photos: the share of their captions that has each word; of labelled photos, which
    `labels` has by hash, those of the label, `UNKNOWN` for other words.
    """
    places = {tag: place for place, tag in enumerate(tags)}
    subjects = find_subjects(labels.values())
    shown = np.zeros((len(photos), len(tags)), np.float32)
    for row, photo in enumerate(photos):
        if label := labels.get(photo.sha256):
            shown[row] = _read_label(label, places, subjects)
        else:
            captions = [tokenise(caption) for caption in photo.captions]
            for word in chain(*map(set, captions)):
                if word in places:
                    shown[row, places[word]] += 1 / len(captions)
    return shown


def _read_label(label: LabelledPhoto, places: Mapping[str, int], subjects: Collection[str]) -> Targets:
    shown = np.full(len(places), UNKNOWN, np.float32)
    if label.subject:
        for word in subjects:
            if word in places and word not in label.accepted:
                shown[places[word]] = 0
    for word in {label.subject or label.label.split(",")[0], *name_words(label.label)}:
        if word in places:
            shown[places[word]] = _LABEL_TARGET
    return shown

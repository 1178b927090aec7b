"""What a tagger learns: of each photo, which words its captions have, and which kind of subject it shows.

The captions of a photo say of every tag whether somebody wrote it. A label says only that its own words are there, and
that those of other kinds of subjects are not: a photo labelled "tabby" shows no boat, and nothing is known of "grass".
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from photocaption.model.vocabulary import Vocabulary
from training.config import TagsConfig
from training.data.content_words import FUNCTION_WORDS
from training.data.dataset import Photo
from training.data.labelled import LabelledPhoto, name_words
from training.data.words import tokenise

UNKNOWN = -1.0
_SURE = 0.8  # that somebody would write a label's own word
_MOST_OFTEN = 0.6  # of a photo's captions speak of its subject


@dataclass(frozen=True, slots=True)
class Kinds:
    """Kinds of subjects of which a photo shows one, in their order: the groups of words that labels accept, with the
    words that name this kind and no other; then people, who are in photos of anything; then what else labels speak of.
    """

    groups: tuple[frozenset[str], ...] = ()
    names: tuple[frozenset[str], ...] = ()
    people: frozenset[str] = frozenset()
    others: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.groups) + 1 + len(self.others) if self.groups else 0

    def weigh_tags(self, tags: Sequence[str], config: TagsConfig) -> npt.NDArray[np.float32]:
        """[kinds, tags]: how much of a kind's log-odds each tag gets."""
        rows = np.zeros((len(self), len(tags)), np.float32)
        for row, words in zip(rows, (*self.names, *([self.people] if self.groups else [])), strict=False):
            row[:] = [tag in words for tag in tags]
        rows[: len(self.groups)] *= config.kinds_weight
        rows[len(self.groups) :] *= config.people_weight
        return rows

    def of_label(self, label: LabelledPhoto) -> int:
        """The kind of a labelled photo, or -1."""
        if label.subject:
            return self.groups.index(label.accepted) if label.accepted in self.groups else -1
        return len(self.groups) + 1 + self.others.index(label.kind) if self.groups else -1

    def of_captions(self, captions: Sequence[Sequence[str]]) -> int:
        """The one kind that most captions of a photo speak of, people where they speak of nothing else, or -1."""
        often = _MOST_OFTEN * len(captions)
        spoken = [sum(not words.isdisjoint(one) for one in captions) >= often for words in (*self.names, self.people)]
        *kinds, people = np.flatnonzero(spoken).tolist() or [-1]
        if people != len(self.groups):
            kinds.append(people)
        return -1 if len(kinds) > 1 else (kinds or [people])[0]


@dataclass(frozen=True, slots=True)
class Targets:
    """What P photos show: `tags` float32 [P, G], the share of captions that have each word, `UNKNOWN` where nobody
    says; `kinds` int32 [P], the place of the kind or -1.
    """

    tags: npt.NDArray[np.float32]
    kinds: npt.NDArray[np.int32]

    def repeat(self, times: int) -> "Targets":
        """Those of so many views of the photos, one view after the other."""
        return Targets(np.concatenate([self.tags] * times), np.concatenate([self.kinds] * times))

    def __getitem__(self, photos: npt.NDArray[np.bool_]) -> "Targets":
        return Targets(self.tags[photos], self.kinds[photos])


def choose_tags(
    photos: Sequence[Photo], labels: Collection[LabelledPhoto], vocabulary: Vocabulary, config: TagsConfig
) -> tuple[str, ...]:
    """The content words that the captions of most photos have or that labels accept; the most frequent first."""
    counts = Counter(word for photo in photos for word in {*chain(*map(tokenise, photo.captions))})
    counts.update(word for one in labels for word in name_words(one.label) | one.accepted)
    known = [word for word in vocabulary.words if word not in FUNCTION_WORDS and counts[word] >= config.least_photos]
    return tuple(sorted(known, key=lambda word: -counts[word])[: config.most])


def find_kinds(labels: Collection[LabelledPhoto], config: TagsConfig) -> Kinds:
    """The kinds that labelled photos show."""
    groups = tuple(sorted({one.accepted for one in labels if one.subject}, key=sorted))
    labelled = Counter((group, word) for one in labels for group in [one.accepted] for word in name_words(one.label))
    names: dict[frozenset[str], set[str]] = {group: set() for group in groups}
    for word in {*chain(*groups)}:
        owners = [group for group in groups if word in group]
        owner = max(owners, key=lambda group: labelled[group, word])
        if (
            len(owners) == 1 or labelled[owner, word]
        ):  # "bus" is a bus, whatever else it may stand for; "animal" is none
            names[owner].add(word)
    others = tuple(sorted({one.kind for one in labels if not one.subject}))
    return Kinds(groups, tuple(frozenset(names[group]) for group in groups), frozenset(config.people.split()), others)


def set_targets(
    photos: Sequence[Photo], labels: Mapping[str, LabelledPhoto], tags: Sequence[str], kinds: Kinds
) -> Targets:
    """What photos show, by their captions, or by their labels where `labels` has them by the photo's hash."""
    places = {tag: place for place, tag in enumerate(tags)}
    shown = np.zeros((len(photos), len(tags)), np.float32)
    of_kinds = np.full(len(photos), -1, np.int32)
    for row, photo in enumerate(photos):
        if label := labels.get(photo.sha256):
            shown[row], of_kinds[row] = _read_label(label, places, kinds), kinds.of_label(label)
        else:
            captions = [tokenise(caption) for caption in photo.captions]
            of_kinds[row] = kinds.of_captions(captions) if kinds else -1
            for word in chain(*map(set, captions)):
                if word in places:
                    shown[row, places[word]] += 1 / len(captions)
    return Targets(shown, of_kinds)


def _read_label(label: LabelledPhoto, places: Mapping[str, int], kinds: Kinds) -> npt.NDArray[np.float32]:
    shown = np.full(len(places), UNKNOWN, np.float32)
    if label.subject:
        for word in chain(*kinds.names):
            if word in places and word not in label.accepted:
                shown[places[word]] = 0
    for word in {label.subject or label.label.split(",")[0], *name_words(label.label)}:
        if word in places:
            shown[places[word]] = _SURE
    return shown

"""The reward of a sampled caption: CIDEr-D and BLEU-4 against the references of its photo, naming the subject of a
label, and penalties for wrong words, rare sequences and repetitions.

CIDEr-D is that of `training.evaluation.metrics` (Vedantam et al. 2015) with the document frequencies of the training
captions, computed once: pycocoevalcap's class counts them for every set that it scores. The end token counts as a word:
without it, incomplete sentences ("a man in a") have no cost (Luo et al. 2018).
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from training.config import RewardConfig
from training.data.content_words import FUNCTION_WORDS
from training.data.trigrams import sequences_of

Words = Sequence[str]
NGram = tuple[str, ...]

_ORDERS = (1, 2, 3, 4)
_SIGMA = 6.0  # of CIDEr-D's penalty for a length, in words, that differs from the reference's
_END = "<end>"
_FULL_REFERENCES = 5  # captions of a photo; with fewer, a word that none has is more likely to be right


@dataclass(frozen=True, slots=True)
class _Vector:
    """A caption in CIDEr: TF-IDF weights of its n-grams, and their norm for each order."""

    weights: dict[NGram, float]
    norms: tuple[float, ...]
    length: int


@dataclass(frozen=True, slots=True)
class _Photo:
    """The references of a photo; `most`: the highest count of each n-gram in one of them."""

    vectors: tuple[_Vector, ...]
    most: Counter[NGram]
    lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class References:
    """The references of a photo as words, and the accepted words of its label, empty where it has none."""

    references: Sequence[Words]
    accepted: frozenset[str] = frozenset()


class SentenceReward:
    """CIDEr-D, from 0 to 10 and for people about 0.8, plus smoothed BLEU-4, from 0 to 1, and what else
    `training.config.RewardConfig` names.

    `common`: sequences of three words that people write; every sequence is one where there are none.
    """

    def __init__(
        self, photos: Sequence[References], config: RewardConfig, common: frozenset[str] = frozenset()
    ) -> None:
        self._config, self._common = config, common
        self._accepted = [photo.accepted for photo in photos]
        self._written = [frozenset(word for words in photo.references for word in words) for photo in photos]
        references = [photo.references for photo in photos]
        counted = [[_count((*caption, _END)) for caption in captions] for captions in references]
        self._frequencies = Counter(ngram for captions in counted for ngram in set().union(*captions))
        self._log_photos = math.log(len(references))
        self._photos = [self._prepare(captions) for captions in counted]

    def __call__(self, photo: int, words: Words, *, ended: bool) -> float:
        """The reward of a caption of the photo at a place in the photos; `ended` when it came to its end token."""
        counts = _count((*words, _END) if ended else tuple(words))
        references, config = self._photos[photo], self._config
        likeness = self._cider(counts, references) + config.bleu * _bleu(counts, references)
        content = [word for word in words if word not in FUNCTION_WORDS]
        if accepted := self._accepted[photo]:
            shortness = config.short * max(0, config.least_words - len(words))
            good = config.naming * (not accepted.isdisjoint(words)) + config.found * likeness - shortness
        else:
            right = sum(word in self._written[photo] for word in content)
            wrong = config.wrong * min(1.0, len(references.vectors) / _FULL_REFERENCES)
            good = likeness + config.right * right - wrong * (len(content) - right)
        rare = len(sequences_of(words) - self._common) if self._common else 0
        return good - config.rare * rare - config.repeated * (len(content) - len(set(content)))

    def _prepare(self, captions: Sequence[Counter[NGram]]) -> _Photo:
        most: Counter[NGram] = Counter()
        for caption in captions:
            most |= caption
        return _Photo(tuple(map(self._weigh, captions)), most, tuple(_length(caption) for caption in captions))

    def _weigh(self, counts: Counter[NGram]) -> _Vector:
        weights = {
            ngram: count * (self._log_photos - math.log(max(1, self._frequencies[ngram])))
            for ngram, count in counts.items()
        }
        squares = dict.fromkeys(_ORDERS, 0.0)
        for ngram, weight in weights.items():
            squares[len(ngram)] += weight * weight
        return _Vector(weights, tuple(math.sqrt(squares[order]) for order in _ORDERS), _length(counts))

    def _cider(self, counts: Counter[NGram], references: _Photo) -> float:
        vector = self._weigh(counts)
        similarities = [_similarity(vector, reference) for reference in references.vectors]
        return 10 * sum(similarities) / len(similarities)


def _similarity(candidate: _Vector, reference: _Vector) -> float:
    """Clipped cosine, averaged over the orders, times the penalty for another length."""
    products = dict.fromkeys(_ORDERS, 0.0)
    for ngram, weight in candidate.weights.items():
        other = reference.weights.get(ngram)
        if other is not None:
            products[len(ngram)] += min(weight, other) * other
    norms = [one * other for one, other in zip(candidate.norms, reference.norms, strict=True)]
    cosines = [products[order] / norm if norm else 0.0 for order, norm in zip(_ORDERS, norms, strict=True)]
    difference = candidate.length - reference.length
    return math.exp(-(difference**2) / (2 * _SIGMA**2)) * sum(cosines) / len(_ORDERS)


def _bleu(counts: Counter[NGram], references: _Photo) -> float:
    """Sentence BLEU-4 with one added to matches and totals of orders above 1 (Lin and Och 2004)."""
    matched, total = dict.fromkeys(_ORDERS, 0), dict.fromkeys(_ORDERS, 0)
    for ngram, count in counts.items():
        matched[len(ngram)] += min(count, references.most[ngram])
        total[len(ngram)] += count
    if not matched[1]:
        return 0.0
    precisions = [(matched[order] + (order > 1)) / (max(1, total[order]) + (order > 1)) for order in _ORDERS]
    closest = min(references.lengths, key=lambda length: (abs(length - total[1]), length))
    brevity = min(0.0, 1 - closest / total[1])
    return math.exp(brevity + sum(map(math.log, precisions)) / len(_ORDERS))


def _count(words: tuple[str, ...]) -> Counter[NGram]:
    return Counter(words[begin : begin + order] for order in _ORDERS for begin in range(max(0, len(words) - order + 1)))


def _length(counts: Counter[NGram]) -> int:
    return sum(count for ngram, count in counts.items() if len(ngram) == 1)

"""Bootstrap confidence intervals of a split's scores (Efron 1979; for translation scores Koehn 2004).

Photos are resampled with replacement; both bundles of a comparison are scored on the same samples (paired bootstrap).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.evaluation.metrics import CONTENT_WORDS, PhotoScores

Floats = npt.NDArray[np.float64]
_Metric = Callable[[PhotoScores, npt.NDArray[np.intp]], Floats]

_DRAWS = 2000
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the 95 % interval around it, all × 100."""

    value: float
    low: float
    high: float


def bootstrap(scores: PhotoScores) -> dict[str, Interval]:
    """The interval of each metric on the photos of `scores`."""
    places = _draw(len(scores))
    return {name: _enclose(_score_all(metric, scores), metric(scores, places)) for name, metric in _METRICS.items()}


def bootstrap_difference(one: PhotoScores, other: PhotoScores) -> dict[str, Interval]:
    """The interval of the difference `one` - `other` on the same photos, in the same order."""
    places = _draw(len(one))
    return {
        name: _enclose(_score_all(metric, one) - _score_all(metric, other), metric(one, places) - metric(other, places))
        for name, metric in _METRICS.items()
    }


def _draw(photos: int) -> npt.NDArray[np.intp]:
    return np.random.default_rng(0).integers(0, photos, (_DRAWS, photos))


def _score_all(metric: _Metric, scores: PhotoScores) -> float:
    return float(metric(scores, np.arange(len(scores))[None])[0])


def _enclose(value: float, drawn: Floats) -> Interval:
    tail = 100 * (1 - _LEVEL) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Interval(value, float(low), float(high))


def _bleu(scores: PhotoScores, places: npt.NDArray[np.intp]) -> Floats:
    """Corpus BLEU-4 of each row of places: counts are summed before they are divided."""
    matched, total = (counts[places].sum(axis=1) for counts in (scores.matched_ngrams, scores.ngrams))
    lengths, references = (counts[places].sum(axis=1) for counts in (scores.lengths, scores.reference_lengths))
    with np.errstate(divide="ignore"):
        logarithm = np.log(matched / np.maximum(total, 1)).mean(axis=1)
    brevity = np.minimum(0, 1 - references / np.maximum(lengths, 1))
    scored: Floats = 100 * np.exp(brevity + logarithm)
    return scored


def _content(scores: PhotoScores, places: npt.NDArray[np.intp]) -> Floats:
    found, content = (counts[places].sum(axis=1) for counts in (scores.found_words, scores.content_words))
    shares: Floats = 100 * found / np.maximum(content, 1)
    return shares


def _mean_of(pick: Callable[[PhotoScores], Floats]) -> _Metric:
    return lambda scores, places: pick(scores)[places].mean(axis=1)


_METRICS: Mapping[str, _Metric] = {
    "BLEU-4": _bleu,
    "METEOR": _mean_of(lambda scores: scores.meteor),
    "ROUGE-L": _mean_of(lambda scores: scores.rouge),
    "CIDEr": _mean_of(lambda scores: scores.cider),
    CONTENT_WORDS: _content,
}
METRICS: Sequence[str] = tuple(_METRICS)

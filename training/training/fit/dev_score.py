"""Dev scores for early stopping: metrics of captions of the dev split, written by the search that serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from photocaption.captioner import configure_search
from photocaption.model.beam_search import Hypothesis, search
from photocaption.model.manifest import SearchDefaults
from photocaption.model.trigrams import Trigrams
from photocaption.model.vocabulary import Vocabulary
from training.config import TrainingConfig
from training.data.batches import LoadFeatures
from training.data.dataset import Dataset
from training.data.views import WHOLE
from training.data.words import TOKENS, known_words, split_words
from training.evaluation.metrics import score_cider
from training.models.decoder import Decoder
from training.models.search_decoder import SearchDecoder
from training.progress import say

PENALTIES = (0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0)
_SEARCH_BATCH = 250
_ALL = 1000
_MIN_PHOTOS = 100  # with fewer dev photos, CIDEr's document frequencies are also counted on training photos


def score_dev(dataset: Dataset, captions: Mapping[str, str]) -> float:
    """The score of captions, by the photo's hash, on the dev photos of a dataset: CIDEr × 100, or with labels the
    percent of captions that name the subject.
    """
    if dataset.labels:
        accepted = {photo.sha256: dataset.labels[photo.sha256].accepted for photo in dataset.dev}
        return 100 * float(np.mean([not accepted[key].isdisjoint(captions[key].split()) for key in accepted]))
    further = dataset.train if len(dataset.dev) < _MIN_PHOTOS else ()
    references = {photo.sha256: split_words(photo.captions) for photo in (*dataset.dev, *further)}
    written = {photo.sha256: [captions[photo.sha256]] for photo in dataset.dev}
    _, ciders = score_cider(references, written | {photo.sha256: [""] for photo in further})
    return float(np.mean(ciders[: len(written)]))


@dataclass(frozen=True, slots=True)
class Tuned:
    """A length penalty, and the scores that a decoder has with it: of each dataset, and their weighted mean."""

    scores: Mapping[str, float]
    score: float
    length_penalty: float

    def __str__(self) -> str:
        """The scores as people read them."""
        return ", ".join(f"{name} {score:.1f}" for name, score in self.scores.items())


def choose_search(
    config: TrainingConfig, vocabulary: Vocabulary, length_penalty: float, trigrams: Trigrams | None
) -> SearchDefaults:
    """The search of a bundle with this vocabulary; `trigrams`: its sequences of three words without cost."""
    decoding, repeatable = config.decoding, config.decoding.repeatable_words
    return SearchDefaults(
        beam_width=decoding.beam_width,
        length_penalty=length_penalty,
        max_length=config.vocabulary.max_length,
        repeatable_words=None if repeatable is None else known_words(repeatable, vocabulary),
        unfinished_words=known_words(decoding.unfinished_words, vocabulary),
        rare_cost=decoding.rare_cost if trigrams else 0.0,
        skipped_words=known_words(decoding.skipped_words, vocabulary),
        reranking=decoding.reranking,
    )


class DevScore:
    """The score of a decoder's captions of the dev photos, by the search that serves.

    The bundle's rules about repeated and last words, rare sequences and reranking apply only if `guarded`: they are
    settings of serving, and the weights should not depend on them. Where the configuration leaves the length penalty
    open, it is the best of `PENALTIES`: a more confident decoder needs a larger one. `trigrams`: the sequences of three
    words without cost.
    """

    def __init__(
        self,
        datasets: Sequence[Dataset],
        load: LoadFeatures,
        vocabulary: Vocabulary,
        config: TrainingConfig,
        *,
        guarded: bool = False,
        trigrams: Trigrams | None = None,
    ) -> None:
        self._datasets = [one for one in datasets if one.dev]
        self._load = load
        self._vocabulary = vocabulary
        given = config.decoding.length_penalty
        self._penalties = PENALTIES if given is None else (given,)
        # The penalty only ranks finished sentences and ends the search: the hypotheses that are found with the largest
        # one include those of every other.
        served = choose_search(config, vocabulary, max(self._penalties), trigrams)
        if not guarded:
            served = served.model_copy(update={"repeatable_words": None, "unfinished_words": (), "reranking": None})
        self._options = replace(configure_search(served, vocabulary, trigrams), results=_ALL, lookahead=None)

    def __call__(self, decoder: Decoder) -> float:
        tuned = self.tune(decoder)
        if len(self._datasets) > 1:
            say(f"dev: {tuned}")
        return tuned.score

    def tune(self, decoder: Decoder) -> Tuned:
        """The best scores over the penalties; of equal ones those of the smallest penalty."""
        found = self._search(decoder)
        return max((self._score(found, penalty) for penalty in self._penalties), key=lambda tuned: tuned.score)

    def _search(self, decoder: Decoder) -> dict[str, Sequence[Hypothesis]]:
        found: dict[str, Sequence[Hypothesis]] = {}
        listed = list({photo.sha256: photo for one in self._datasets for photo in one.dev}.values())
        for begin in range(0, len(listed), _SEARCH_BATCH):
            photos = listed[begin : begin + _SEARCH_BATCH]
            features = self._load([(photo, WHOLE) for photo in photos])
            sentences = search(SearchDecoder(decoder), features, self._options, TOKENS)
            found |= {photo.sha256: of_photo for photo, of_photo in zip(photos, sentences, strict=True)}
        return found

    def _score(self, found: Mapping[str, Sequence[Hypothesis]], penalty: float) -> Tuned:
        best = {photo: max(hypotheses, key=lambda one: one.rank(penalty)) for photo, hypotheses in found.items()}
        captions = {photo: " ".join(self._vocabulary.decode(one.tokens)) for photo, one in best.items()}
        scores = {one.source.name: score_dev(one, captions) for one in self._datasets}
        weights = [one.source.share or len(one.train) for one in self._datasets]
        return Tuned(scores, float(np.average(list(scores.values()), weights=weights)), penalty)

"""Early stopping judges captions, not losses: the dev split, captioned by the search that serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference.model.beam_search import Hypothesis, SearchOptions, search
from inference.model.vocabulary import Vocabulary
from training.config import TrainingConfig
from training.data.batches import LoadFeatures
from training.data.dataset import Photo
from training.data.views import WHOLE
from training.data.words import TOKENS, known_words, split_words
from training.evaluation.metrics import score_cider
from training.models.decoder import Decoder
from training.models.search_decoder import SearchDecoder

PENALTIES = (0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0)
_SEARCH_BATCH = 250
_ALL = 1000


@dataclass(frozen=True, slots=True)
class Tuned:
    """A length penalty, and the dev CIDEr × 100 that a decoder has with it."""

    cider: float
    length_penalty: float


class DevScore:
    """CIDEr × 100 of a decoder's captions of the dev split, by the search that serves.

    Words are free to repeat unless it is `guarded`: which ones may is a setting of serving, and must not decide about
    weights. Where the configuration leaves the length penalty open it is the best of `PENALTIES`: a decoder that is
    surer of itself needs a larger one.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        load: LoadFeatures,
        vocabulary: Vocabulary,
        config: TrainingConfig,
        *,
        guarded: bool = False,
    ) -> None:
        self._photos, self._load, self._vocabulary = photos, load, vocabulary
        given, words = config.decoding.length_penalty, config.decoding.repeatable_words
        self._penalties = PENALTIES if given is None else (given,)
        # A penalty ranks finished sentences and says when to stop, but steers nothing: what the search with the largest
        # one finds holds what any other would.
        self._options = SearchOptions(
            beam_width=config.decoding.beam_width,
            length_penalty=max(self._penalties),
            max_length=config.vocabulary.max_length,
            results=_ALL,
            repeatable=tuple(vocabulary.encode(known_words(words, vocabulary)))
            if guarded and words is not None
            else None,
        )
        self._references = {photo.name: split_words(photo.captions) for photo in photos}

    def __call__(self, decoder: Decoder) -> float:
        return self.tune(decoder).cider

    def tune(self, decoder: Decoder) -> Tuned:
        """The best that the decoder reaches, and by which penalty; the smallest of equals."""
        found = self._search(decoder)
        return max((Tuned(self._score(found, penalty), penalty) for penalty in self._penalties), key=_by_cider)

    def _search(self, decoder: Decoder) -> dict[str, Sequence[Hypothesis]]:
        found: dict[str, Sequence[Hypothesis]] = {}
        for begin in range(0, len(self._photos), _SEARCH_BATCH):
            photos = self._photos[begin : begin + _SEARCH_BATCH]
            features = self._load([(photo, WHOLE) for photo in photos])
            sentences = search(SearchDecoder(decoder), features, self._options, TOKENS)
            found |= {photo.name: of_photo for photo, of_photo in zip(photos, sentences, strict=True)}
        return found

    def _score(self, found: Mapping[str, Sequence[Hypothesis]], penalty: float) -> float:
        best = {name: max(hypotheses, key=lambda one: one.rank(penalty)) for name, hypotheses in found.items()}
        captions = {name: [" ".join(self._vocabulary.decode(one.tokens))] for name, one in best.items()}
        return score_cider(self._references, captions)[0]


def _by_cider(tuned: Tuned) -> float:
    return tuned.cider

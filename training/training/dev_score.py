"""Early stopping judges captions, not losses: the dev split, captioned by the search that serves."""

from collections.abc import Sequence

from inference.beam_search import SearchOptions, search
from inference.vocabulary import Vocabulary
from training.batches import LoadFeatures
from training.config import TrainingConfig
from training.dataset import Photo
from training.decoder import Decoder
from training.metrics import score_cider
from training.search_decoder import SearchDecoder
from training.views import WHOLE
from training.words import TOKENS, split_words

_SEARCH_BATCH = 250


class DevScore:
    """CIDEr × 100 of a decoder's captions of the dev split, by the search that serves, words free to repeat."""

    def __init__(
        self, photos: Sequence[Photo], load: LoadFeatures, vocabulary: Vocabulary, config: TrainingConfig
    ) -> None:
        self._photos, self._load, self._vocabulary = photos, load, vocabulary
        self._options = SearchOptions(
            beam_width=config.decoding.beam_width,
            length_penalty=config.decoding.length_penalty,
            max_length=config.vocabulary.max_length,
        )
        self._references = {photo.name: split_words(photo.captions) for photo in photos}

    def __call__(self, decoder: Decoder) -> float:
        captions: dict[str, list[str]] = {}
        for begin in range(0, len(self._photos), _SEARCH_BATCH):
            photos = self._photos[begin : begin + _SEARCH_BATCH]
            features = self._load([(photo, WHOLE) for photo in photos])
            found = search(SearchDecoder(decoder), features, self._options, TOKENS)
            for photo, (best, *_) in zip(photos, found, strict=True):
                captions[photo.name] = [" ".join(self._vocabulary.decode(best.tokens))]
        return score_cider(self._references, captions)[0]

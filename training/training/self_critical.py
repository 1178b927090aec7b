"""Self-critical training: the decoder writes captions of the training photos, and those that score better than the
others of the same photo become more likely (Rennie et al. 2017).

Teacher forcing asks for the next word of somebody else's sentence; this asks for a good sentence of one's own, judged
as captions are judged. The baseline of each sample is the mean reward of the photo's other samples (Luo 2020), which
costs no further search.

It needs a decoder that can write already, and a loss under which samples are as likely as they were when they were
drawn. So the decoder drops nothing while it learns: to push a sentence away from a network with half of its units
missing, which would not have written it, teaches it to write nothing well. And tokens that are never drawn have no part
in the loss, or the likelihood of <unknown> would rise for ever, at the cost of all words.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from inference.runtime import Floats, Tensors
from inference.vocabulary import Vocabulary
from training.batches import Batch, Places, TrainingPhotos
from training.config import SelfCriticalConfig
from training.decoder import Decoder
from training.read_ahead import read_ahead
from training.rewards import SentenceReward
from training.search_decoder import SearchDecoder
from training.words import TOKENS, tokenise

NEVER_WRITTEN = (TOKENS.padding, TOKENS.start, TOKENS.unknown)
# Batches have lengths of multiples of this: each length costs the backend a compilation.
_ROUNDING = 3


class SampledBatches:
    """Batches of captions that the decoder samples as it is at that moment, weighted by their advantage.

    The same photos, samples and weights follow from the same decoder, seed and epoch.
    """

    def __init__(
        self,
        decoder: Decoder,
        photos: TrainingPhotos,
        vocabulary: Vocabulary,
        config: SelfCriticalConfig,
        *,
        max_length: int,
        seed: int,
    ) -> None:
        self._decoder, self._photos, self._vocabulary = SearchDecoder(decoder), photos, vocabulary
        self._samples, self._max_length, self._seed = config.samples, max_length, seed
        self._size = min(config.photos_per_batch, len(photos))
        references = [[tokenise(caption) for caption in photo.captions] for photo in photos.photos]
        self._reward = SentenceReward(references, config.bleu_weight)

    def __len__(self) -> int:
        """Batches in an epoch: the photos left over by the last whole batch are left out, other ones each time."""
        return len(self._photos) // self._size

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch; each is sampled when it is asked for, from the decoder as it is then."""
        random = np.random.default_rng([self._seed, number])
        order = random.permutation(len(self._photos))[: len(self) * self._size]
        places = list(order.reshape(len(self), self._size))
        views = self._photos.draw_views(random)
        loaded = read_ahead(lambda batch: self._photos.load_features(batch, views), places)
        for batch, features in zip(places, loaded, strict=True):
            tokens = sample(self._decoder, features, self._samples, self._max_length, random)
            yield _weigh(features, tokens, self._score(batch, tokens))

    def _score(self, places: Places, tokens: npt.NDArray[np.int32]) -> Floats:
        """Rewards [P, S] of samples [P, S, T + 1] of the photos at `places`."""
        return np.array(
            [[self._score_one(place, row) for row in rows] for place, rows in zip(places, tokens, strict=True)],
            dtype=np.float32,
        )

    def _score_one(self, place: int, tokens: npt.NDArray[np.int32]) -> float:
        written = [int(token) for token in tokens[1:] if token != TOKENS.padding]
        ended = bool(written) and written[-1] == TOKENS.end
        return self._reward(place, self._vocabulary.decode(written[:-1] if ended else written), ended=ended)


def sample(
    decoder: SearchDecoder,
    features: Floats,
    count: int,
    max_length: int,
    random: np.random.Generator,
) -> npt.NDArray[np.int32]:
    """`count` captions of each photo, drawn word by word from the decoder's distribution: tokens [P, count, 1 + T].

    Each begins with the start token; one that ends within `max_length` words has the end token, then padding.
    `features` is [P, cells, channels].
    """
    start = decoder.start(features)
    state: Tensors = {name: np.repeat(value[:, None], count, axis=1) for name, value in start.state.items()}
    written = [np.full((len(features), count), TOKENS.start, np.int32)]
    going = np.ones((len(features), count), bool)
    while going.any() and len(written) <= max_length + 1:
        step = decoder.step(written[-1], start.context, state)
        words = np.where(going, _draw(step.log_probabilities, random), TOKENS.padding).astype(np.int32)
        written.append(words)
        going &= words != TOKENS.end
        state = step.state
    return np.stack(written, axis=-1)


def _draw(log_probabilities: Floats, random: np.random.Generator) -> npt.NDArray[np.intp]:
    """A token of each distribution in [P, C, V], none that is never written: [P, C]."""
    probabilities = np.exp(log_probabilities)
    probabilities[..., list(NEVER_WRITTEN)] = 0
    sums = np.cumsum(probabilities, axis=-1)
    aims = random.random(sums.shape[:-1], np.float32)[..., None] * sums[..., -1:]
    drawn: npt.NDArray[np.intp] = np.minimum((sums <= aims).sum(axis=-1), sums.shape[-1] - 1)
    return drawn


def _weigh(features: Floats, tokens: npt.NDArray[np.int32], rewards: Floats) -> Batch:
    """A batch whose targets weigh as much as their caption's reward is above that of the photo's other captions."""
    others = (rewards.sum(axis=1, keepdims=True) - rewards) / (rewards.shape[1] - 1)
    length = -(-(tokens.shape[2] - 1) // _ROUNDING) * _ROUNDING + 1
    padding = ((0, 0), (0, 0), (0, length - tokens.shape[2]))
    padded = np.pad(tokens, padding, constant_values=TOKENS.padding)
    words = (padded[:, :, 1:] != TOKENS.padding).astype(np.float32)
    weights = words / words.sum() * (rewards - others)[:, :, None]
    return Batch(features, padded[:, :, :-1], padded[:, :, 1:], weights, reward=float(rewards.mean()))

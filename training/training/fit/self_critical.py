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

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt

from photocaption.model.runtime import Floats
from photocaption.model.vocabulary import Vocabulary
from training.config import RewardConfig, SelfCriticalConfig
from training.data.batches import ROUNDING, Batch, Inputs, PhotoSource, Places, round_up
from training.data.dataset import Photo
from training.data.read_ahead import read_ahead
from training.data.words import TOKENS, tokenise
from training.fit.reward_pool import RewardPool, Written
from training.fit.rewards import Judged
from training.models.sampling import Sampler


def open_rewards(
    photos: Sequence[Photo],
    config: RewardConfig,
    accepted: Mapping[str, frozenset[str]] | None = None,
    common: frozenset[str] = frozenset(),
) -> RewardPool:
    """What rewards captions of these photos. `accepted`: the words that name what a label says, by the photo's hash;
    `common` as for `training.fit.rewards.SentenceReward`.
    """
    judged = [
        Judged([tokenise(caption) for caption in photo.captions], (accepted or {}).get(photo.sha256, frozenset()))
        for photo in photos
    ]
    return RewardPool(judged, config, common)


class SampledBatches:
    """Batches of captions that the decoder samples as it is at that moment, weighted by their advantage.

    The same photos, samples and weights follow from the same decoder, seed and epoch. A batch is sampled before the one
    ahead of it is learnt from, so that its rewards are counted meanwhile: it comes of a decoder one step younger.
    """

    def __init__(
        self,
        sampler: Sampler,
        photos: PhotoSource,
        rewards: RewardPool,
        vocabulary: Vocabulary,
        config: SelfCriticalConfig,
        *,
        max_length: int,
        seed: int,
        rounding: int = ROUNDING,
    ) -> None:
        """`rounding`: batches have lengths of multiples of this many words, each of which the backend compiles for."""
        self._sampler = sampler
        self._photos = photos
        self._rewards = rewards
        self._vocabulary = vocabulary
        self._samples = config.samples
        self._max_length = max_length
        self._seed = seed
        self._rounding = rounding

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._photos.mixture.batches

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch; each is sampled when the one ahead of it is asked for."""
        random = np.random.default_rng([self._seed, number])
        mixture = self._photos.mixture
        places = list(mixture.draw(random).reshape(mixture.batches, mixture.size))
        views = self._photos.draw_views(random)
        loaded = read_ahead(lambda batch: self._photos.load_inputs(batch, views), places)
        sampled = (self._sample(batch, inputs, random) for batch, inputs in zip(places, loaded, strict=True))
        for one, _ in pairwise(chain(sampled, (None,))):
            if one is not None:
                yield _weigh(one, self._rounding)

    def _sample(self, places: Places, inputs: Inputs, random: np.random.Generator) -> "_Sampled":
        tokens = self._sampler.sample(inputs, self._samples, self._max_length, random)
        captions = [[self._read(row) for row in rows] for rows in tokens.tolist()]
        return _Sampled(inputs, tokens, self._rewards.submit(places.tolist(), captions))

    def _read(self, tokens: Sequence[int]) -> Written:
        written = [token for token in tokens[1:] if token != TOKENS.padding]
        ended = bool(written) and written[-1] == TOKENS.end
        return Written(self._vocabulary.decode(written[:-1] if ended else written), ended)


@dataclass(frozen=True, slots=True)
class _Sampled:
    """What a batch is made of: inputs of P photos, tokens [P, S, 1 + T], and what waits for their rewards [P, S]."""

    inputs: Inputs
    tokens: npt.NDArray[np.int32]
    wait_for_rewards: Callable[[], Floats]


def _weigh(sampled: _Sampled, rounding: int) -> Batch:
    """A batch whose targets weigh as much as their caption's reward is above that of the photo's other captions."""
    rewards, tokens = sampled.wait_for_rewards(), sampled.tokens
    others = (rewards.sum(axis=1, keepdims=True) - rewards) / (rewards.shape[1] - 1)
    longest = int((tokens[:, :, 1:] != TOKENS.padding).sum(axis=2).max())
    length = round_up(longest, rounding) + 1
    padding = ((0, 0), (0, 0), (0, max(0, length - tokens.shape[2])))
    padded = np.pad(tokens, padding, constant_values=TOKENS.padding)[:, :, :length]
    words = (padded[:, :, 1:] != TOKENS.padding).astype(np.float32)
    weights = words / words.sum() * (rewards - others)[:, :, None]
    return Batch(sampled.inputs, padded[:, :, :-1], padded[:, :, 1:], weights, reward=float(rewards.mean()))

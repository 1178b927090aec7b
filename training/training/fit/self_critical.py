"""Self-critical training: the decoder writes captions of the training photos, and those that score better than the
others of the same photo become more likely (Rennie et al. 2017).

Teacher forcing rewards the next word of a reference; this rewards whole sentences by the metrics. The baseline of each
sample is the mean reward of the photo's other samples (Luo 2020), which needs no further search.

It needs a decoder that was trained already, and a loss under which samples have the probabilities by which they were
drawn. So dropout is off: a sample would otherwise be made less likely under other units than those that wrote it. And
tokens that are never drawn are left out of the loss: the probability of <unknown> would rise for ever, at the cost of
all words.
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
from training.data.labelled import LabelledPhoto
from training.data.photo import Photo
from training.data.prefetch import prefetch
from training.data.words import TOKENS, tokenise
from training.fit.reward_pool import RewardPool, SampledCaption
from training.fit.rewards import References
from training.models.sampling import Sampler


def open_rewards(
    photos: Sequence[Photo],
    config: RewardConfig,
    labels: Mapping[str, LabelledPhoto],
    common: frozenset[str] = frozenset(),
) -> RewardPool:
    """The rewards of captions of these photos. `labels`: by the photo's hash; `common` as for
    `training.fit.rewards.SentenceReward`.
    """
    references = [
        References(
            [tokenise(caption) for caption in photo.captions],
            labels[photo.sha256].accepted if photo.sha256 in labels else frozenset(),
        )
        for photo in photos
    ]
    return RewardPool(references, config, common)


class SampledBatches:
    """Batches of captions that the decoder samples with its current weights, weighted by their advantage.

    The same photos, samples and weights follow from the same decoder, seed and epoch. A batch is sampled one step
    ahead, by the weights before that step, so that its rewards are computed meanwhile.
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
        loaded = prefetch(lambda batch: self._photos.load_inputs(batch, views), places)
        sampled = (self._sample(batch, inputs, random) for batch, inputs in zip(places, loaded, strict=True))
        for one, _ in pairwise(chain(sampled, (None,))):
            if one is not None:
                yield _weigh(one, self._rounding)

    def _sample(self, places: Places, inputs: Inputs, random: np.random.Generator) -> "_Sampled":
        tokens = self._sampler.sample(inputs, self._samples, self._max_length, random)
        captions = [[self._read(row) for row in rows] for rows in tokens.tolist()]
        return _Sampled(inputs, tokens, self._rewards.submit(places.tolist(), captions))

    def _read(self, tokens: Sequence[int]) -> SampledCaption:
        written = [token for token in tokens[1:] if token != TOKENS.padding]
        ended = bool(written) and written[-1] == TOKENS.end
        return SampledCaption(self._vocabulary.decode(written[:-1] if ended else written), ended)


@dataclass(frozen=True, slots=True)
class _Sampled:
    """Inputs of P photos, sampled tokens [P, S, 1 + T], and a function that waits for their rewards [P, S]."""

    inputs: Inputs
    tokens: npt.NDArray[np.int32]
    wait_for_rewards: Callable[[], Floats]


def _weigh(sampled: _Sampled, rounding: int) -> Batch:
    """A batch whose targets are weighted by the advantage: the caption's reward less the mean of the photo's others."""
    rewards, tokens = sampled.wait_for_rewards(), sampled.tokens
    others = (rewards.sum(axis=1, keepdims=True) - rewards) / (rewards.shape[1] - 1)
    longest = int((tokens[:, :, 1:] != TOKENS.padding).sum(axis=2).max())
    length = round_up(longest, rounding) + 1
    padding = ((0, 0), (0, 0), (0, max(0, length - tokens.shape[2])))
    padded = np.pad(tokens, padding, constant_values=TOKENS.padding)[:, :, :length]
    words = (padded[:, :, 1:] != TOKENS.padding).astype(np.float32)
    weights = words / words.sum() * (rewards - others)[:, :, None]
    return Batch(sampled.inputs, padded[:, :, :-1], padded[:, :, 1:], weights, reward=float(rewards.mean()))

"""A random decoder on a vocabulary so small that every sentence can be tried."""

import numpy as np
import numpy.typing as npt

from photocaption.model.manifest import SpecialTokens
from photocaption.model.runtime import DecoderStart, DecoderStep, Floats, Tensors

TOKENS = SpecialTokens(padding=0, start=1, end=2, unknown=3)
WORDS = (4, 5, 6)
VOCABULARY_SIZE = 7
CHANNELS = 2


class ToyDecoder:
    """Log-probabilities that depend on the photo, on the last word and, through the state, on every word before.

    `bias` [V] is added to the logits, to make some tokens likelier. `steps` counts the calls of `step`.
    """

    def __init__(self, seed: int, bias: npt.ArrayLike = 0.0) -> None:
        random = np.random.default_rng(seed)
        self._follows = random.normal(0, 2, (VOCABULARY_SIZE, VOCABULARY_SIZE)).astype(np.float32)
        self._embeddings = random.normal(0, 1, (VOCABULARY_SIZE, 4)).astype(np.float32)
        self._from_state = random.normal(0, 1, (4, VOCABULARY_SIZE)).astype(np.float32)
        self._from_photo = random.normal(0, 1, (CHANNELS, VOCABULARY_SIZE)).astype(np.float32)
        self._bias = np.asarray(bias, np.float32)
        self.steps = 0

    def start(self, features: Floats) -> DecoderStart:
        mean = features.mean(axis=1)
        state = np.zeros((len(features), 4), np.float32)
        return DecoderStart(
            {"context_photo": mean @ self._from_photo, "context_grid": features}, {"state_words": state}
        )

    def step(
        self, tokens: npt.NDArray[np.int32], context: Tensors, state: Tensors, top_k: int | None = None
    ) -> DecoderStep:
        self.steps += 1
        words = np.tanh(0.7 * state["state_words"] + self._embeddings[tokens])
        logits = self._follows[tokens] + words @ self._from_state + context["context_photo"][:, None] + self._bias
        peak = logits.max(axis=2, keepdims=True)
        log_probabilities = logits - peak - np.log(np.exp(logits - peak).sum(axis=2, keepdims=True))
        match = np.exp(words[..., :CHANNELS] @ context["context_grid"].transpose(0, 2, 1))
        return DecoderStep(
            log_probabilities.astype(np.float32), match / match.sum(axis=2, keepdims=True), {"state_words": words}
        )


def make_features(photos: int, seed: int = 0) -> Floats:
    """Features [photos, 4, CHANNELS] that differ from photo to photo."""
    return np.random.default_rng(seed).normal(0, 1, (photos, 4, CHANNELS)).astype(np.float32)


def score_sentence(decoder: ToyDecoder, features: Floats, words: tuple[int, ...]) -> list[float]:
    """Log-probability of each word and of the end, for one photo, one step after the other."""
    start = decoder.start(features)
    state = {name: tensor[:, None] for name, tensor in start.state.items()}
    scores = []
    for token, following in zip((TOKENS.start, *words), (*words, TOKENS.end), strict=True):
        step = decoder.step(np.array([[token]], np.int32), start.context, state)
        scores.append(float(step.log_probabilities[0, 0, following]))
        state = dict(step.state)
    return scores

"""Beam search: the likeliest sentences about each photo, batched over photos and beams.

At each word the decoder scores every successor of every live hypothesis in one call. Of all successors of a photo the
best `beam_width` count: those among them that end go into the photo's pool of finished hypotheses. The best that do not
end live on. A photo is done when no live hypothesis can still beat its pool, see `_is_done`. One beam is greedy
decoding: the first end is it.

Log-probabilities are summed, never multiplied as probabilities. Finished hypotheses are ranked by sum / length^α, the
end token counted in both: the plain power in place of the penalty of Wu et al. 2016, "Google's neural machine
translation system".

What a sentence can never hold: padding, start and unknown; nothing at all, as the end is not allowed first; the same
word twice running. A hypothesis that reaches the maximum length is made to end there, at the price that the decoder
puts on it, so that every photo gets a sentence.
"""

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from photocaption.model.manifest import SpecialTokens
from photocaption.model.runtime import WORDS_CONTEXT, Decoder, DecoderStart, DecoderStep, Floats, Tensors
from photocaption.model.top_k import argsort_top_k

# Stands in for -inf and NaN, where a decoder's arithmetic fails, so that even then the search ends, with a sentence.
_LOWEST = np.float32(-1e4)
_NEVER = np.float32(-np.inf)


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How to search.

    `beam_width`: live hypotheses of a photo, at least 1; `length_penalty`: α ≥ 0; `max_length`: most words of a
    sentence; `results`: most hypotheses returned for a photo; `attention`: whether they keep their attention;
    `repeatable`: the only tokens that a sentence may hold twice, None for all of them; `lookahead`: how many further
    words a live hypothesis is granted free of cost when it is judged whether it can still win. None grants all that
    `max_length` leaves: it never misses a better sentence, and takes the most steps.
    """

    beam_width: int
    length_penalty: float
    max_length: int
    results: int = 1
    attention: bool = False
    repeatable: tuple[int, ...] | None = None
    lookahead: int | None = None


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A finished sentence.

    `tokens`: its words, without start and end; `log_probabilities`: one for each word and, last, for the end;
    `log_probability`: their sum; `score`: what it is ranked by; `attention`: [words, cells], None when not asked for or
    absent; `evidence`: the mean log-odds, from the photo alone, of those words that a tagger knows, 0 without any.
    """

    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    log_probability: float
    score: float
    attention: Floats | None = None
    evidence: float = 0.0

    def rank(self, length_penalty: float) -> float:
        """What another length penalty would rank it by."""
        return _normalise(self.log_probability, len(self.log_probabilities), length_penalty)


@dataclass(frozen=True, slots=True)
class _Beams:
    """The live hypotheses of P photos, K beams each, t words so far.

    `photos` [P]: the photo that each row belongs to; `tokens` [P, K, 1 + t]: start and the words; `log_probabilities`
    [P, K, t]; `totals` [P, K]: their sums, -inf for a beam that is dead; `attention` [P, K, t, cells].
    """

    photos: npt.NDArray[np.intp]
    context: Tensors
    state: Tensors
    tokens: npt.NDArray[np.int32]
    log_probabilities: Floats
    totals: Floats
    attention: Floats | None

    @property
    def length(self) -> int:
        return int(self.tokens.shape[2]) - 1


@dataclass(frozen=True, slots=True)
class _Successors:
    """The best successors of each photo's hypotheses, best first: [P, N]. `parents` are the beams they continue."""

    parents: npt.NDArray[np.intp]
    tokens: npt.NDArray[np.int32]
    log_probabilities: Floats
    totals: Floats


def search(decoder: Decoder, features: Floats, options: SearchOptions, tokens: SpecialTokens) -> list[list[Hypothesis]]:
    """The best sentences about each photo, best first: at least one each, at most `options.results`.

    `features` float32 [photos, cells, channels]. A photo's sentences do not depend on which others are in the batch.
    """
    pools: list[list[Hypothesis]] = [[] for _ in features]
    if not pools:
        return pools
    start = decoder.start(features)
    beams = _begin(start, len(features), tokens)
    while len(beams.photos):
        step = decoder.step(beams.tokens[:, :, -1], beams.context, beams.state)
        best = _pick_best(_total_successors(beams, step, options, tokens), step, count=2 * options.beam_width)
        _collect_finished(pools, beams, best, options, tokens)
        beams = _drop_done(_extend(beams, step, best, options, tokens), pools, options)
    best_first = [sorted(pool, key=lambda hypothesis: -hypothesis.score)[: options.results] for pool in pools]
    return _weigh_evidence(best_first, start.context.get(WORDS_CONTEXT))


def _weigh_evidence(pools: list[list[Hypothesis]], log_odds: Floats | None) -> list[list[Hypothesis]]:
    """`log_odds` [P, V]: how likely each photo shows each word, 0 for words that no tagger knows."""
    if log_odds is None:
        return pools
    return [
        [replace(hypothesis, evidence=_mean_known(row[list(hypothesis.tokens)])) for hypothesis in pool]
        for pool, row in zip(pools, log_odds, strict=True)
    ]


def _mean_known(log_odds: Floats) -> float:
    known = log_odds[log_odds != 0]
    return float(known.mean()) if len(known) else 0.0


def _begin(start: DecoderStart, photos: int, tokens: SpecialTokens) -> _Beams:
    """One beam a photo: all sentences begin with the same token, so that more beams would repeat each other's work."""
    return _Beams(
        photos=np.arange(photos),
        context=start.context,
        state={name: state[:, None] for name, state in start.state.items()},
        tokens=np.full((photos, 1, 1), tokens.start, np.int32),
        log_probabilities=np.zeros((photos, 1, 0), np.float32),
        totals=np.zeros((photos, 1), np.float32),
        attention=None,
    )


def _total_successors(beams: _Beams, step: DecoderStep, options: SearchOptions, tokens: SpecialTokens) -> Floats:
    """Summed log-probabilities [P, K, V] of every hypothesis continued by every token, -inf for what is forbidden."""
    totals: Floats = np.fmax(step.log_probabilities, _LOWEST)
    totals += beams.totals[:, :, None]
    if beams.length == options.max_length:
        totals[:, :, np.arange(totals.shape[2]) != tokens.end] = _NEVER
        return totals
    for token in (tokens.padding, tokens.start, tokens.unknown):
        totals[:, :, token] = _NEVER
    if beams.length == 0:
        totals[:, :, tokens.end] = _NEVER
    else:
        _forbid_repetition(totals, beams.tokens[:, :, 1:], options.repeatable)
    return totals


def _forbid_repetition(totals: Floats, words: npt.NDArray[np.int32], repeatable: tuple[int, ...] | None) -> None:
    """Set to -inf the last word, and every other that the sentence has and may not have twice. `words` [P, K, t]."""
    used = np.zeros(words.shape, bool) if repeatable is None else _mark_unrepeatable(repeatable, totals.shape[2])[words]
    used[:, :, -1] = True
    photos, beams, positions = np.nonzero(used)
    totals[photos, beams, words[photos, beams, positions]] = _NEVER


@functools.lru_cache(maxsize=4)
def _mark_unrepeatable(repeatable: tuple[int, ...], vocabulary_size: int) -> npt.NDArray[np.bool_]:
    """By token, whether a sentence may hold it but once."""
    unrepeatable = np.ones(vocabulary_size, bool)
    unrepeatable[list(repeatable)] = False
    return unrepeatable


def _pick_best(totals: Floats, step: DecoderStep, *, count: int) -> _Successors:
    """The best `count` of each photo: with twice the beam width, enough stay when as many as there are beams end."""
    photos, beams, words = totals.shape
    flat = totals.reshape(photos, beams * words)
    best = argsort_top_k(flat, min(count, flat.shape[1]))
    rows = np.arange(photos)[:, None]
    log_probabilities = step.log_probabilities.reshape(flat.shape)[rows, best]
    return _Successors(
        parents=best // words,
        tokens=(best % words).astype(np.int32),
        log_probabilities=np.fmax(log_probabilities, _LOWEST),
        totals=flat[rows, best],
    )


def _collect_finished(
    pools: list[list[Hypothesis]], beams: _Beams, best: _Successors, options: SearchOptions, tokens: SpecialTokens
) -> None:
    """Add to each photo's pool those of its best `beam_width` successors that end."""
    finished = (best.tokens == tokens.end) & np.isfinite(best.totals)
    for row, rank in zip(*np.nonzero(finished[:, : options.beam_width]), strict=True):
        pools[beams.photos[row]].append(_finish(beams, best, row, rank, options))


def _finish(beams: _Beams, best: _Successors, row: int, rank: int, options: SearchOptions) -> Hypothesis:
    parent = best.parents[row, rank]
    log_probabilities = [*beams.log_probabilities[row, parent].tolist(), float(best.log_probabilities[row, rank])]
    total = math.fsum(log_probabilities)
    return Hypothesis(
        tokens=tuple(beams.tokens[row, parent, 1:].tolist()),
        log_probabilities=tuple(log_probabilities),
        log_probability=total,
        score=_normalise(total, len(log_probabilities), options.length_penalty),
        attention=None if beams.attention is None else beams.attention[row, parent].copy(),
    )


def _extend(
    beams: _Beams, step: DecoderStep, best: _Successors, options: SearchOptions, tokens: SpecialTokens
) -> _Beams:
    """Keep the best `beam_width` successors that do not end. Those that do fill beams that would be empty, dead."""
    rows = np.arange(len(beams.photos))[:, None]
    alive = np.where(best.tokens == tokens.end, _NEVER, best.totals)
    kept = np.argsort(-alive, axis=1, kind="stable")[:, : options.beam_width]
    parents = best.parents[rows, kept]
    return _Beams(
        photos=beams.photos,
        context=beams.context,
        state={name: state[rows, parents] for name, state in step.state.items()},
        tokens=_append(beams.tokens[rows, parents], best.tokens[rows, kept]),
        log_probabilities=_append(beams.log_probabilities[rows, parents], best.log_probabilities[rows, kept]),
        totals=alive[rows, kept],
        attention=_extend_attention(beams, step, rows, parents) if options.attention else None,
    )


def _extend_attention(
    beams: _Beams, step: DecoderStep, rows: npt.NDArray[np.intp], parents: npt.NDArray[np.intp]
) -> Floats | None:
    if step.attention is None:
        return None
    newest = step.attention[rows, parents]
    return newest[:, :, None] if beams.attention is None else _append(beams.attention[rows, parents], newest)


def _append(history: npt.NDArray[Any], newest: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate([history, newest[:, :, None]], axis=2)


def _drop_done(beams: _Beams, pools: list[list[Hypothesis]], options: SearchOptions) -> _Beams:
    """Mark the beams of finished photos dead, and drop dead rows once they are half: contexts are large to copy."""
    best = beams.totals.max(axis=1)
    done = [
        _is_done(pools[photo], total, beams.length, options) for photo, total in zip(beams.photos, best, strict=True)
    ]
    beams.totals[done] = _NEVER
    live = np.flatnonzero(~np.array(done))
    if 2 * len(live) > len(done):
        return beams
    return replace(
        beams,
        photos=beams.photos[live],
        context={name: context[live] for name, context in beams.context.items()},
        state={name: state[live] for name, state in beams.state.items()},
        tokens=beams.tokens[live],
        log_probabilities=beams.log_probabilities[live],
        totals=beams.totals[live],
        attention=None if beams.attention is None else beams.attention[live],
    )


def _is_done(pool: list[Hypothesis], best_total: np.float32, length: int, options: SearchOptions) -> bool:
    """Whether the best live hypothesis of a photo, of `length` words, can no longer get among the sentences asked for.

    Further tokens only lower its sum, but a longer sentence is divided by more. At best it goes on for as long as the
    lookahead grants, at no cost, and then ends. Asking for more than `beam_width` results does not prolong the search.
    """
    if best_total == _NEVER:
        return True
    if options.beam_width == 1:
        return bool(pool)
    wanted = min(options.results, options.beam_width)
    if len(pool) < wanted:
        return False
    longest = options.max_length if options.lookahead is None else min(length + options.lookahead, options.max_length)
    bar = sorted(hypothesis.score for hypothesis in pool)[-wanted]
    return _normalise(float(best_total), longest + 1, options.length_penalty) <= bar


def _normalise(total: float, length: int, length_penalty: float) -> float:
    return float(total / length**length_penalty)

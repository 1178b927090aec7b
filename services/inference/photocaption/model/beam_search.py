"""Beam search: the likeliest sentences about each photo, batched over photos and beams.

At each word the decoder scores every successor of every live hypothesis in one call. Of all successors of a photo the
best `beam_width` count: those among them that end go into the photo's pool of finished hypotheses. The best that do not
end live on. A photo is done when no live hypothesis can still beat its pool, see `_is_done`. One beam is greedy
decoding: the first end is it.

Log-probabilities are summed, never multiplied as probabilities. Finished hypotheses are ranked by sum / length^α, the
end token counted in both: the plain power in place of the penalty of Wu et al. 2016, "Google's neural machine
translation system". Where a bundle says how, the evidence for their words then decides between them: see `Reranking`.

What a sentence can never hold: padding, start and unknown; nothing at all, as the end is not allowed first; the same
word twice running. A sequence of three words that hardly anybody writes has a cost, where a bundle knows which those
are (`photocaption.model.trigrams`). A hypothesis that reaches the maximum length is made to end there, at the price
that the decoder puts on it, so that every photo gets a sentence.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from photocaption.model.manifest import Reranking, SpecialTokens
from photocaption.model.runtime import WORDS_CONTEXT, Decoder, DecoderStep, Floats, Tensors
from photocaption.model.sigmoid import sigmoid
from photocaption.model.top_k import argsort_top_k
from photocaption.model.trigrams import Trigrams

# Stands in for -inf and NaN, where a decoder's arithmetic fails, so that even then the search ends, with a sentence.
_LOWEST = np.float32(-1e4)
_PAIR = 2  # words that, with the next one, make a sequence of three
_NEVER_EMITTED = 4  # the special tokens, the end among them where nothing may end yet


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How to search.

    `beam_width`: live hypotheses of a photo, at least 1; `length_penalty`: α ≥ 0; `max_length`: most words of a
    sentence; `results`: most hypotheses returned for a photo; `attention`: whether they keep their attention;
    `repeatable`: the only tokens that a sentence may hold twice, None for all of them; `unfinished`: those after which
    none ends, unless it is as long as may be; `trigrams`: the sequences of three tokens that people write, and
    `rare_cost`: what each other one takes from what a sentence is ranked by; `skipped`: tokens without which sentences
    are searched for such sequences a second time; `reranking`: how the evidence for words decides between finished
    sentences; `lookahead`: how many further words a live hypothesis is granted free of cost when it is judged whether
    it can still win. None grants all that `max_length` leaves: it never misses a better sentence, and takes the most
    steps.
    """

    beam_width: int
    length_penalty: float
    max_length: int
    results: int = 1
    attention: bool = False
    repeatable: Collection[int] | None = None
    unfinished: Collection[int] = ()
    trigrams: Trigrams | None = None
    rare_cost: float = 0.0
    skipped: Collection[int] = ()
    reranking: Reranking | None = None
    lookahead: int | None = None


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A finished sentence.

    `tokens`: its words, without start and end; `log_probabilities`: one for each word and, last, for the end;
    `log_probability`: their sum; `score`: what the search is for, normalised by length; `attention`: [words, cells],
    None when not asked for or absent; `cost`: that of its rare sequences; `evidence`: the mean log-odds, from the photo
    alone, of those words that a tagger knows, and `strongest` the highest, 0 without any; `reward`: what these words
    add to the score when finished sentences are ranked.
    """

    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    log_probability: float
    score: float
    attention: Floats | None = None
    cost: float = 0.0
    evidence: float = 0.0
    strongest: float = 0.0
    reward: float = 0.0

    def rank(self, length_penalty: float) -> float:
        """What it is ranked by among finished sentences, with a length penalty."""
        return _normalise(self.log_probability - self.cost, len(self.log_probabilities), length_penalty) + self.reward


class _Successor(NamedTuple):
    """A beam, by its place among those of its photo, continued by a token; `total`: the sum of log-probabilities, less
    `cost`, that of all rare sequences.
    """

    total: float
    place: int
    token: int
    log_probability: float
    cost: float


class _Beam(NamedTuple):
    """A live hypothesis: its words, their log-probabilities and the sum, less the cost of rare sequences, and where
    the decoder looked for each; `rest`: the last two of its words that are not skipped.
    """

    words: tuple[int, ...] = ()
    rest: tuple[int, ...] = ()
    log_probabilities: tuple[float, ...] = ()
    total: float = 0.0
    cost: float = 0.0
    attention: tuple[Floats, ...] = ()


@dataclass(slots=True)
class _PhotoSearch:
    """A photo's live hypotheses, best first, none once it is done; its pool; and the `winner`, the best of the pool
    when no live one could beat it any more. It begins with one hypothesis, as all sentences begin alike. `log_odds`
    [V]: how likely the photo shows each word, 0 for words that no tagger knows, None without a tagger.
    """

    log_odds: Floats | None = None
    beams: list[_Beam] = field(default_factory=lambda: [_Beam()])
    pool: list[Hypothesis] = field(default_factory=list)
    winner: Hypothesis | None = None

    def rank(self, length_penalty: float) -> list[Hypothesis]:
        """The pool, best first. The winner stays the first though a search for more results, whose lookahead is
        limited, finds a better one later: more results must not change the sentence.
        """
        return sorted(self.pool, key=lambda one: (one is not self.winner, -one.rank(length_penalty)))


def search(decoder: Decoder, features: Floats, options: SearchOptions, tokens: SpecialTokens) -> list[list[Hypothesis]]:
    """The best sentences about each photo, best first: at least one each, at most `options.results`.

    `features` float32 [photos, cells, channels]. A photo's sentences do not depend on which others are in the batch.
    """
    if not len(features):
        return []
    start = decoder.start(features)
    photos = [_PhotoSearch(log_odds) for log_odds in start.context.get(WORDS_CONTEXT, [None] * len(features))]
    rows, context = photos, start.context
    state: Tensors = {name: tensor[:, None] for name, tensor in start.state.items()}
    for length in range(options.max_length + 1):
        count = _count_needed(length, options)
        step = decoder.step(_last_tokens(rows, tokens), context, state, count)
        parents = _advance(rows, step, _list_likeliest(step, count, tokens), options, tokens)
        kept = [row for row, photo in enumerate(rows) if photo.beams]
        if not kept:
            break
        if 2 * len(kept) > len(rows):  # contexts are large to copy
            kept = [*range(len(rows))]
        else:
            rows, context = [rows[row] for row in kept], {name: tensor[kept] for name, tensor in context.items()}
        state = _follow(step.state, kept, parents)
    return [photo.rank(options.length_penalty)[: options.results] for photo in photos]


def _last_tokens(rows: Sequence[_PhotoSearch], tokens: SpecialTokens) -> npt.NDArray[np.int32]:
    """The last token of each hypothesis [P, K]. Photos with fewer than others are filled up: nobody reads what comes of
    it.
    """
    width = max(len(photo.beams) for photo in rows)
    last = [[beam.words[-1] if beam.words else tokens.start for beam in photo.beams] for photo in rows]
    return np.array([row + [tokens.start] * (width - len(row)) for row in last], np.int32)


def _count_needed(length: int, options: SearchOptions) -> int | None:
    """How many of a hypothesis's likeliest successors hold all that may count of them, whatever is forbidden. At the
    maximum length only the end counts, which may be the least likely: None, all of them.
    """
    if length == options.max_length:
        return None
    return 2 * options.beam_width + _NEVER_EMITTED + max(1, length)


def _list_likeliest(
    step: DecoderStep, count: int | None, tokens: SpecialTokens
) -> tuple[npt.NDArray[np.integer[Any]], Floats]:
    """What may follow each hypothesis, likeliest first, and the log-probabilities: both [P, K, N]."""
    if count is None:
        ends = np.fmax(step.log_probabilities[:, :, [tokens.end]], _LOWEST)
        return np.full(ends.shape, tokens.end), ends
    log_probabilities: Floats = np.fmax(step.log_probabilities, _LOWEST)
    if step.tokens is not None:
        return step.tokens, log_probabilities
    photos, beams, words = log_probabilities.shape
    flat = log_probabilities.reshape(photos * beams, words)
    best = argsort_top_k(flat, min(count, words))
    shape = photos, beams, -1
    return best.reshape(shape), np.take_along_axis(flat, best, axis=1).reshape(shape)


def _advance(
    rows: Sequence[_PhotoSearch],
    step: DecoderStep,
    offered: Sequence[npt.NDArray[Any]],
    options: SearchOptions,
    tokens: SpecialTokens,
) -> list[list[int]]:
    """Take all photos a word further; the place that each new hypothesis's parent had among its photo's, none of those
    that are done. `offered`: what may follow each hypothesis, and the log-probabilities, likeliest first.
    """
    following, log_probabilities = (part.tolist() for part in offered)
    places = []
    for row, photo in enumerate(rows):
        best = _pick_best(photo.beams, following[row], log_probabilities[row], options, tokens)
        looked = step.attention[row] if options.attention and step.attention is not None else None
        _collect_finished(photo, best, options, tokens)
        live = [one for one in best if one.token != tokens.end][: options.beam_width]
        photo.beams = [_extend(photo.beams[one.place], one, looked, options.skipped) for one in live]
        if not photo.winner and _is_done(photo, options, 1):
            photo.winner = max(photo.pool, key=lambda one: one.rank(options.length_penalty))
        if _is_done(photo, options, options.results):
            photo.beams = []
        places.append([one.place for one in live[: len(photo.beams)]])
    return places


def _follow(state: Tensors, kept: Sequence[int], parents: Sequence[Sequence[int]]) -> Tensors:
    """The state, each tensor [P, K, size], of each hypothesis's parent, of the photos `kept`. Filled up as
    `_last_tokens`.
    """
    width = max(len(parents[row]) for row in kept)
    places = np.array([[*parents[row], *[0] * (width - len(parents[row]))] for row in kept])
    rows = np.array(kept)[:, None]
    return {name: tensor[rows, places] for name, tensor in state.items()}


def _pick_best(
    beams: Sequence[_Beam],
    following: Sequence[Sequence[int]],
    log_probabilities: Sequence[Sequence[float]],
    options: SearchOptions,
    tokens: SpecialTokens,
) -> list[_Successor]:
    """A photo's best successors, best first: with twice the beam width, enough stay when as many as there are beams
    end. Those of a beam come likeliest first, and costs only take away: after one that is too unlikely none counts.
    """
    count = 2 * options.beam_width
    best: list[_Successor] = []
    for place, (beam, *successors) in enumerate(zip(beams, following, log_probabilities, strict=False)):
        forbidden = _list_forbidden(beam.words, options, tokens)
        if beam.words and forbidden.issuperset(successors[0]):  # all words are used up: better unfinished than none
            forbidden.discard(tokens.end)
        pair, rest, so_far = beam.words[-_PAIR:], beam.rest, beam.total
        for token, value in zip(*successors, strict=True):
            if len(best) == count and so_far + value <= best[-1].total:
                break
            if token in forbidden:
                continue
            cost = _price(pair, rest, token, options)
            total = so_far + value - cost
            rank = len(best)
            while rank and best[rank - 1].total < total:
                rank -= 1
            best.insert(rank, _Successor(total, place, token, value, beam.cost + cost))
            del best[count:]
    return best


def _price(pair: tuple[int, ...], rest: tuple[int, ...], token: int, options: SearchOptions) -> float:
    """What it costs to go on with a token after the last two words: as much where the sequence is rare as where it is
    without skipped words, after the last two of the `rest`.
    """
    if options.trigrams is None:
        return 0.0
    is_rare = len(pair) == _PAIR and options.trigrams.is_rare((pair[0], pair[1], token))
    if not is_rare and len(rest) == _PAIR and rest != pair and token not in options.skipped:
        is_rare = options.trigrams.is_rare((rest[0], rest[1], token))
    return options.rare_cost if is_rare else 0.0


def _list_forbidden(words: tuple[int, ...], options: SearchOptions, tokens: SpecialTokens) -> set[int]:
    """What a sentence of these words cannot go on with: its last word, every other that it may not have twice, and its
    end where something has to follow.
    """
    never = {tokens.padding, tokens.start, tokens.unknown}
    if not words:
        return never | {tokens.end}
    if options.repeatable is not None:
        never.update(set(words).difference(options.repeatable))
    if words[-1] in options.unfinished and len(words) < options.max_length:
        never.add(tokens.end)
    never.add(words[-1])
    return never


def _collect_finished(
    photo: _PhotoSearch, best: Sequence[_Successor], options: SearchOptions, tokens: SpecialTokens
) -> None:
    """Add to a photo's pool those of its best `beam_width` successors that end."""
    photo.pool += [
        _finish(photo.beams[one.place], one, photo.log_odds, options)
        for one in best[: options.beam_width]
        if one.token == tokens.end
    ]


def _finish(beam: _Beam, end: _Successor, log_odds: Floats | None, options: SearchOptions) -> Hypothesis:
    log_probabilities = (*beam.log_probabilities, end.log_probability)
    total = math.fsum(log_probabilities)
    shown = [] if log_odds is None else [value for token in beam.words if (value := log_odds.item(token))]
    return Hypothesis(
        tokens=beam.words,
        log_probabilities=log_probabilities,
        log_probability=total,
        score=_normalise(total - end.cost, len(log_probabilities), options.length_penalty),
        cost=end.cost,
        attention=np.stack(beam.attention) if beam.attention else None,
        evidence=sum(shown) / len(shown) if shown else 0.0,
        strongest=max(shown, default=0.0),
        reward=_reward(shown, options.reranking),
    )


def _reward(log_odds: Sequence[float], reranking: Reranking | None) -> float:
    """What the words of a sentence that a tagger knows add to its score, by their log-odds."""
    if reranking is None:
        return 0.0
    right = (sigmoid(reranking.intercept + reranking.slope * value) for value in log_odds)
    return reranking.weight * sum(chance - reranking.threshold for chance in right)


def _extend(beam: _Beam, successor: _Successor, looked: Floats | None, skipped: Collection[int]) -> _Beam:
    """`looked` [K, cells]: where the decoder looked for what follows each beam of the photo."""
    token = successor.token
    return _Beam(
        words=(*beam.words, token),
        rest=beam.rest if token in skipped else (*beam.rest, token)[-_PAIR:],
        log_probabilities=(*beam.log_probabilities, successor.log_probability),
        total=successor.total,
        cost=successor.cost,
        attention=() if looked is None else (*beam.attention, looked[successor.place]),
    )


def _is_done(photo: _PhotoSearch, options: SearchOptions, results: int) -> bool:
    """Whether the best live hypothesis of a photo can no longer get among its best `results` sentences.

    Further tokens only lower its sum, but a longer sentence is divided by more. At best it goes on for as long as the
    lookahead grants, at no cost, and then ends. Asking for more than `beam_width` results does not prolong the search.
    """
    if not photo.beams:
        return True
    if options.beam_width == 1:
        return bool(photo.pool)
    wanted = min(results, options.beam_width)
    if len(photo.pool) < wanted:
        return False
    best, longest = photo.beams[0], options.max_length
    if options.lookahead is not None:
        longest = min(len(best.words) + options.lookahead, longest)
    bar = sorted(hypothesis.score for hypothesis in photo.pool)[-wanted]
    return _normalise(best.total, longest + 1, options.length_penalty) <= bar


def _normalise(total: float, length: int, length_penalty: float) -> float:
    return float(total / length**length_penalty)

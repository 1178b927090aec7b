"""Beam search against the brute force that it stands in for, and the promises that hold for any decoder."""

import math
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.toy_decoder import TOKENS, VOCABULARY_SIZE, WORDS, ToyDecoder, make_features, score_sentence

from photocaption.model.beam_search import SearchOptions, search
from photocaption.model.manifest import Reranking
from photocaption.model.runtime import WORDS_CONTEXT, DecoderStart, DecoderStep, Floats, Tensors
from photocaption.model.trigrams import Trigrams

WIDER_THAN_THE_TREE = 200
OPTIONS = SearchOptions(beam_width=3, length_penalty=0.7, max_length=4)
RERANKING = Reranking(weight=2, threshold=0.25, intercept=-4, slope=0.5)

seeds = st.integers(0, 10_000)
penalties = st.sampled_from([0.0, 0.5, 0.7, 1.0, 1.5])
sequences = st.sets(st.tuples(*[st.sampled_from((*WORDS, TOKENS.end))] * 3))
trigrams = sequences.map(lambda known: Trigrams.of(known, VOCABULARY_SIZE, fewest=0))


def bias_of(**gains: float) -> Floats:
    """A bias on the logits of special tokens, by their names."""
    bias = np.zeros(VOCABULARY_SIZE, np.float32)
    for name, gain in gains.items():
        bias[getattr(TOKENS, name)] = gain
    return bias


def is_allowed(words: tuple[int, ...], options: SearchOptions) -> bool:
    if any(first == second for first, second in pairwise(words)):
        return False
    if words[-1] in options.unfinished and len(words) < options.max_length:
        return False
    return options.repeatable is None or all(words.count(word) == 1 for word in set(words) - set(options.repeatable))


def price_of(words: tuple[int, ...], options: SearchOptions) -> float:
    """What the tokens of a sentence, the end among them, cost that end a rare sequence of three."""
    if options.trigrams is None:
        return 0
    known, tokens = set(options.trigrams.list_sequences()), (*words, TOKENS.end)
    places = range(len(tokens))
    kept = [place for place in places if tokens[place] not in options.skipped]
    triples = {*zip(places, places[1:], places[2:], strict=False), *zip(kept, kept[1:], kept[2:], strict=False)}
    rare = [triple for triple in triples if tuple(tokens[place] for place in triple) not in known]
    return options.rare_cost * len({last for *_, last in rare})


def rank_every_sentence(
    decoder: ToyDecoder, features: Floats, options: SearchOptions
) -> list[tuple[float, tuple[int, ...]]]:
    """Brute force: the score of every sentence that is allowed, best first."""
    sentences = [words for length in range(1, options.max_length + 1) for words in product(WORDS, repeat=length)]
    scored = []
    for words in (words for words in sentences if is_allowed(words, options)):
        scores = score_sentence(decoder, features, words)
        scored.append(((sum(scores) - price_of(words, options)) / len(scores) ** options.length_penalty, words))
    return sorted(scored, reverse=True)


@settings(max_examples=25)
@given(
    seed=seeds,
    penalty=penalties,
    repeatable=st.none() | st.sets(st.sampled_from(WORDS)).map(tuple),
    unfinished=st.sets(st.sampled_from(WORDS)).map(tuple),
    trigrams=st.none() | trigrams,
    skipped=st.sets(st.sampled_from(WORDS)),
    results=st.integers(1, 8),
)
def test_a_beam_wider_than_the_tree_ranks_as_brute_force_does(
    seed: int,
    penalty: float,
    repeatable: tuple[int, ...] | None,
    unfinished: tuple[int, ...],
    trigrams: Trigrams | None,
    skipped: set[int],
    results: int,
) -> None:
    decoder, features = ToyDecoder(seed), make_features(1, seed)
    options = SearchOptions(
        WIDER_THAN_THE_TREE,
        penalty,
        max_length=3,
        results=results,
        repeatable=repeatable,
        unfinished=unfinished,
        trigrams=trigrams,
        rare_cost=1.5,
        skipped=skipped,
    )

    found = search(decoder, features, options, TOKENS)[0]

    expected = rank_every_sentence(decoder, features, options)[:results]
    assert [hypothesis.score for hypothesis in found] == pytest.approx([score for score, _ in expected], abs=1e-4)
    assert [hypothesis.tokens for hypothesis in found] == [words for _, words in expected]


@given(seed=seeds, penalty=penalties)
def test_one_beam_takes_the_likeliest_token_at_every_step(seed: int, penalty: float) -> None:
    decoder, features = ToyDecoder(seed), make_features(1, seed)

    found = search(decoder, features, replace(OPTIONS, beam_width=1, length_penalty=penalty), TOKENS)[0]

    assert [hypothesis.tokens for hypothesis in found] == [walk_greedily(decoder, features, OPTIONS.max_length)]


def walk_greedily(decoder: ToyDecoder, features: Floats, max_length: int) -> tuple[int, ...]:
    words: tuple[int, ...] = ()
    while len(words) < max_length:
        choices = [word for word in WORDS if word != (words or (None,))[-1]]
        scores = {word: score_sentence(decoder, features, (*words, word))[-2] for word in choices}
        if words:
            scores[TOKENS.end] = score_sentence(decoder, features, words)[-1]
        best = max(scores, key=lambda token: scores[token])
        if best == TOKENS.end:
            break
        words = (*words, best)
    return words


@given(seed=seeds, width=st.integers(1, 6), results=st.integers(1, 6))
def test_each_hypothesis_carries_what_the_decoder_says_of_its_words(seed: int, width: int, results: int) -> None:
    decoder, features = ToyDecoder(seed), make_features(1, seed)

    for hypothesis in search(decoder, features, replace(OPTIONS, beam_width=width, results=results), TOKENS)[0]:
        expected = score_sentence(decoder, features, hypothesis.tokens)
        assert hypothesis.log_probabilities == pytest.approx(expected, abs=1e-4)
        assert hypothesis.log_probability == pytest.approx(sum(expected), abs=1e-4)
        assert hypothesis.score == pytest.approx(sum(expected) / len(expected) ** OPTIONS.length_penalty, abs=1e-4)


class TaggingDecoder(ToyDecoder):
    """One whose start says, too, how likely each photo shows each word; no tagger knows an odd one."""

    def start(self, features: Floats) -> DecoderStart:
        start = super().start(features)
        log_odds = np.arange(len(features))[:, None] + np.arange(VOCABULARY_SIZE, dtype=np.float32)
        return replace(start, context={**start.context, WORDS_CONTEXT: np.where(log_odds[:1] % 2, 0, log_odds)})


@given(seed=seeds, photos=st.integers(1, 5))
def test_each_hypothesis_carries_the_evidence_for_the_words_that_the_tagger_knows(seed: int, photos: int) -> None:
    options = replace(OPTIONS, results=3)

    found = search(TaggingDecoder(seed), make_features(photos, seed), options, TOKENS)

    for photo, hypotheses in enumerate(found):
        for hypothesis in hypotheses:
            known = [photo + token for token in hypothesis.tokens if token % 2 == 0]
            assert hypothesis.evidence == pytest.approx(sum(known) / len(known) if known else 0)
            assert hypothesis.strongest == max(known, default=0)


def test_without_a_tagger_there_is_no_evidence() -> None:
    [[best]] = search(ToyDecoder(1), make_features(1, 1), replace(OPTIONS, reranking=RERANKING), TOKENS)

    assert (best.evidence, best.strongest, best.reward) == (0, 0, 0)


@given(seed=seeds, photos=st.integers(1, 3))
def test_finished_sentences_are_ranked_by_score_and_by_how_likely_their_words_are_right(seed: int, photos: int) -> None:
    features = make_features(photos, seed)
    options = replace(OPTIONS, beam_width=WIDER_THAN_THE_TREE, results=WIDER_THAN_THE_TREE)

    plain, reranked = (
        search(TaggingDecoder(seed), features, one, TOKENS) for one in (options, replace(options, reranking=RERANKING))
    )

    for photo, (before, after) in enumerate(zip(plain, reranked, strict=True)):
        rewards = {
            one.tokens: sum(
                2 * (1 / (1 + math.exp(4 - 0.5 * (photo + token))) - 0.25) for token in one.tokens if token % 2 == 0
            )
            for one in before
        }
        assert [one.reward for one in after] == pytest.approx([rewards[one.tokens] for one in after])
        ranks = [one.score + one.reward for one in after]
        assert ranks[0] >= before[0].score + rewards[before[0].tokens], "it was found before the search was done"
        assert ranks[1:] == sorted(ranks[1:], reverse=True)


def test_evidence_decides_between_sentences_that_are_nearly_as_likely() -> None:
    photos = make_features(40, 3)

    plain, reranked = (
        search(TaggingDecoder(3), photos, replace(OPTIONS, reranking=one), TOKENS) for one in (None, RERANKING)
    )

    assert [pool[0].tokens for pool in plain] != [pool[0].tokens for pool in reranked]


@given(seed=seeds, width=st.integers(1, 4), photos=st.integers(2, 9))
def test_a_photo_gets_the_same_sentences_alone_and_in_any_company(seed: int, width: int, photos: int) -> None:
    decoder, features = ToyDecoder(seed), make_features(photos, seed)
    options = replace(OPTIONS, beam_width=width, results=3, max_length=6)

    together = search(decoder, features, options, TOKENS)

    alone = [search(decoder, features[[photo]], options, TOKENS)[0] for photo in range(photos)]
    assert [[found.tokens for found in pool] for pool in together] == [
        [found.tokens for found in pool] for pool in alone
    ]


@given(seed=seeds, width=st.integers(1, 6), unwanted=st.sampled_from(["padding", "start", "unknown"]))
def test_special_tokens_are_never_emitted_however_likely(seed: int, width: int, unwanted: str) -> None:
    decoder = ToyDecoder(seed, bias_of(**{unwanted: 20.0}))

    found = search(decoder, make_features(3, seed), replace(OPTIONS, beam_width=width, results=6), TOKENS)

    assert all(set(hypothesis.tokens) <= set(WORDS) for pool in found for hypothesis in pool)


@given(seed=seeds, width=st.integers(1, 6))
def test_a_sentence_has_a_word_even_when_the_decoder_wants_to_end_at_once(seed: int, width: int) -> None:
    decoder = ToyDecoder(seed, bias_of(end=20.0))
    by_sum = replace(OPTIONS, beam_width=width, length_penalty=0)  # with a penalty, two likelier words may rank higher

    found = search(decoder, make_features(2, seed), by_sum, TOKENS)

    assert [len(pool[0].tokens) for pool in found] == [1, 1]


@given(seed=seeds, width=st.integers(1, 6), max_length=st.integers(1, 6))
def test_a_decoder_that_never_ends_is_cut_at_the_maximum_length(seed: int, width: int, max_length: int) -> None:
    decoder = ToyDecoder(seed, bias_of(end=-1e6))
    options = replace(OPTIONS, beam_width=width, max_length=max_length)

    found = search(decoder, make_features(2, seed), options, TOKENS)

    assert [len(pool[0].tokens) for pool in found] == [max_length, max_length]


class ScriptedDecoder(ToyDecoder):
    """Says the same of every hypothesis: at each position the log-probabilities of a script, next to nothing for the
    rest."""

    def __init__(self, *script: dict[int, float]) -> None:
        super().__init__(seed=0)
        self._script = script

    def step(
        self, tokens: npt.NDArray[np.int32], context: Tensors, state: Tensors, top_k: int | None = None
    ) -> DecoderStep:
        log_probabilities = np.full((*tokens.shape, VOCABULARY_SIZE), -50, np.float32)
        for token, value in self._script[self.steps].items():
            log_probabilities[:, :, token] = value
        step = super().step(tokens, context, state)
        return DecoderStep(log_probabilities, step.attention, step.state)


def test_hypotheses_that_end_make_room_for_others() -> None:
    """Both beams would rather end at once, but it pays to go on."""
    decoder = ScriptedDecoder({4: -0.7, 5: -0.7}, {TOKENS.end: -0.5, 6: -1.0}, {TOKENS.end: 0.0})
    options = SearchOptions(beam_width=2, length_penalty=1.5, max_length=2)

    assert len(search(decoder, make_features(1), options, TOKENS)[0][0].tokens) == 2


@pytest.mark.parametrize(("lookahead", "words"), [(None, 5), (3, 5), (0, 1)])
def test_a_sentence_that_begins_badly_and_goes_on_well_is_found_by_looking_ahead(
    lookahead: int | None, words: int
) -> None:
    """Two words into it its score is worse than that of the single word, even if it ended there for free."""
    certain = [{4 + position % 2: 0.0} for position in range(3)]
    decoder = ScriptedDecoder({4: -2.0}, {TOKENS.end: -0.5, 5: -1.9}, *certain, {TOKENS.end: 0.0})
    options = SearchOptions(beam_width=2, length_penalty=1.0, max_length=5, lookahead=lookahead)

    assert len(search(decoder, make_features(1), options, TOKENS)[0][0].tokens) == words


class PickingDecoder(ToyDecoder):
    """Tells of the likeliest successors alone, as many as it is asked for."""

    def step(
        self, tokens: npt.NDArray[np.int32], context: Tensors, state: Tensors, top_k: int | None = None
    ) -> DecoderStep:
        step = super().step(tokens, context, state)
        if top_k is None:
            return step
        best = np.argsort(-step.log_probabilities, axis=2, kind="stable")[:, :, :top_k]
        return replace(step, log_probabilities=np.take_along_axis(step.log_probabilities, best, axis=2), tokens=best)


@given(
    seed=seeds,
    width=st.integers(1, 3),
    photos=st.integers(1, 5),
    repeatable=st.none() | st.just((4,)),
    unfinished=st.just(()) | st.just(WORDS),
    trigrams=st.none() | trigrams,
    skipped=st.sets(st.sampled_from(WORDS)),
)
def test_the_likeliest_successors_are_enough(
    seed: int,
    width: int,
    photos: int,
    repeatable: tuple[int, ...] | None,
    unfinished: tuple[int, ...],
    trigrams: Trigrams | None,
    skipped: set[int],
) -> None:
    options = replace(
        OPTIONS,
        beam_width=width,
        results=3,
        max_length=6,
        repeatable=repeatable,
        unfinished=unfinished,
        trigrams=trigrams,
        rare_cost=1.5,
        skipped=skipped,
        attention=True,
    )
    features = make_features(photos, seed)

    picked, all_known = (search(kind(seed), features, options, TOKENS) for kind in (PickingDecoder, ToyDecoder))

    assert [[found.tokens for found in pool] for pool in picked] == [
        [found.tokens for found in pool] for pool in all_known
    ]
    np.testing.assert_array_equal(picked[-1][0].attention, all_known[-1][0].attention)


@given(
    seed=seeds,
    width=st.integers(1, 4),
    results=st.integers(2, 8),
    lookahead=st.none() | st.integers(0, 2),
    reranking=st.sampled_from([None, RERANKING]),
)
def test_more_results_do_not_change_the_best(
    seed: int, width: int, results: int, lookahead: int | None, reranking: Reranking | None
) -> None:
    options = replace(
        OPTIONS, beam_width=width, length_penalty=1.5, max_length=8, lookahead=lookahead, reranking=reranking
    )
    features = make_features(3, seed)

    alone = search(TaggingDecoder(seed), features, options, TOKENS)
    among = search(TaggingDecoder(seed), features, replace(options, results=results), TOKENS)

    assert [pool[0] for pool in alone] == [pool[0] for pool in among]


class BrokenDecoder(ToyDecoder):
    """Gives every token the same log-probability."""

    def __init__(self, value: float) -> None:
        super().__init__(seed=0)
        self._value = value

    def step(self, *arguments: object) -> DecoderStep:
        step = super().step(*arguments)  # type: ignore[arg-type]
        return DecoderStep(np.full_like(step.log_probabilities, self._value), step.attention, step.state)


@pytest.mark.parametrize("width", [1, 3, 50])
@pytest.mark.parametrize("value", [-np.inf, np.nan])
def test_a_decoder_whose_arithmetic_fails_still_gives_a_sentence_with_finite_scores(width: int, value: float) -> None:
    found = search(BrokenDecoder(value), make_features(1), replace(OPTIONS, beam_width=width), TOKENS)[0]

    assert len(found) == 1
    assert len(found[0].tokens) >= 1
    assert np.isfinite(found[0].score)


@given(seed=seeds, width=st.integers(1, 6), more=st.integers(2, 10))
def test_asking_for_alternatives_does_not_change_the_best_sentence(seed: int, width: int, more: int) -> None:
    decoder, features = ToyDecoder(seed), make_features(2, seed)
    options = replace(OPTIONS, beam_width=width, max_length=6)

    one = search(decoder, features, options, TOKENS)
    several = search(decoder, features, replace(options, results=more), TOKENS)

    assert [pool[0].tokens for pool in one] == [pool[0].tokens for pool in several]
    assert all(len({hypothesis.tokens for hypothesis in pool}) == len(pool) <= more for pool in several)


@given(seed=seeds, width=st.integers(1, 6))
def test_no_word_follows_itself(seed: int, width: int) -> None:
    found = search(ToyDecoder(seed), make_features(2, seed), replace(OPTIONS, beam_width=width, results=6), TOKENS)

    assert all(is_allowed(hypothesis.tokens, OPTIONS) for pool in found for hypothesis in pool)


@given(seed=seeds, width=st.integers(1, 6))
def test_only_repeatable_words_come_twice(seed: int, width: int) -> None:
    options = replace(OPTIONS, beam_width=width, max_length=8, repeatable=(4,), results=3)

    found = search(ToyDecoder(seed, bias_of(end=-3.0)), make_features(2, seed), options, TOKENS)

    assert all(is_allowed(hypothesis.tokens, options) for pool in found for hypothesis in pool)


@given(seed=seeds, width=st.integers(1, 6))
def test_no_sentence_ends_with_an_unfinished_word_unless_it_is_as_long_as_may_be(seed: int, width: int) -> None:
    options = replace(OPTIONS, beam_width=width, max_length=5, unfinished=WORDS[1:], results=3)

    found = search(ToyDecoder(seed, bias_of(end=3.0)), make_features(2, seed), options, TOKENS)

    assert all(is_allowed(hypothesis.tokens, options) for pool in found for hypothesis in pool)
    every = search(ToyDecoder(seed), make_features(1, seed), replace(options, unfinished=WORDS), TOKENS)[0]
    assert [len(hypothesis.tokens) for hypothesis in every] == [5] * len(every)


@given(seed=seeds)
def test_attention_is_that_of_the_step_which_found_the_word(seed: int) -> None:
    decoder, features = ToyDecoder(seed), make_features(2, seed)

    for photo, pool in enumerate(search(decoder, features, replace(OPTIONS, attention=True), TOKENS)):
        attention = pool[0].attention
        assert attention is not None
        assert attention == pytest.approx(attend_step_by_step(decoder, features[[photo]], pool[0].tokens), abs=1e-5)


def attend_step_by_step(decoder: ToyDecoder, features: Floats, words: tuple[int, ...]) -> Floats:
    start = decoder.start(features)
    state = {name: tensor[:, None] for name, tensor in start.state.items()}
    maps = []
    for token in (TOKENS.start, *words)[:-1]:
        step = decoder.step(np.array([[token]], np.int32), start.context, state)
        assert step.attention is not None
        maps.append(step.attention[0, 0])
        state = dict(step.state)
    return np.array(maps)


def test_attention_that_nobody_asked_for_is_not_kept() -> None:
    assert search(ToyDecoder(0), make_features(1), OPTIONS, TOKENS)[0][0].attention is None


def test_no_photos_give_no_sentences_and_no_work() -> None:
    decoder = ToyDecoder(0)

    assert search(decoder, make_features(0), OPTIONS, TOKENS) == []
    assert decoder.steps == 0


@given(seed=seeds, lookahead=st.integers(0, 3))
def test_a_shorter_lookahead_never_takes_more_steps(seed: int, lookahead: int) -> None:
    patient, hasty, features = ToyDecoder(seed), ToyDecoder(seed), make_features(2, seed)
    options = replace(OPTIONS, max_length=10)

    search(patient, features, options, TOKENS)
    search(hasty, features, replace(options, lookahead=lookahead), TOKENS)

    assert hasty.steps <= patient.steps <= options.max_length + 1

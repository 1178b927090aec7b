"""The metrics give the values that their papers and documentations publish; case and punctuation do not matter."""

import math
from collections import Counter

import pytest

from training.data.words import tokenise
from training.evaluation import metrics
from training.evaluation.metrics import score_captions, score_cider, tokenise_for_scoring

# The example of nltk's documentation of corpus_bleu; sentence BLEU-4 of the first pair and corpus BLEU-4 of both are
# printed there.
GUIDE = "It is a guide to action which ensures that the military always obeys the commands of the party"
GUIDE_REFERENCES = (
    "It is a guide to action that ensures that the military will forever heed Party commands",
    "It is the guiding principle which guarantees the military forces always being under the command of the Party",
    "It is the practical guide for the army always to heed the directions of the party",
)
BOOK = "he read the book because he was interested in world history"
BOOK_REFERENCES = ("he was interested in world history because he read the book",)


def test_bleu_is_that_of_nltks_documentation_in_both_implementations() -> None:
    # Lower-casing makes "Party" match "party", which raises the documented 0.592 of the corpus a little in both.
    scores = score_captions({"guide": GUIDE_REFERENCES, "book": BOOK_REFERENCES}, {"guide": GUIDE, "book": BOOK})
    lowered = score_captions({"book": BOOK_REFERENCES}, {"book": BOOK})

    assert lowered["nltk-BLEU-4"] == pytest.approx(74.0, abs=0.05)
    for order in range(1, 5):
        assert scores[f"BLEU-{order}"] == pytest.approx(scores[f"nltk-BLEU-{order}"], abs=0.01)
    assert 59.2 < scores["BLEU-4"] < 62


def test_unigram_precision_is_clipped_as_in_the_bleu_paper() -> None:
    references = {"cat": ("The cat is on the mat.", "There is a cat on the mat.")}

    scores = score_captions(references, {"cat": "the the the the the the the"})

    assert scores["BLEU-1"] == pytest.approx(100 * 2 / 7, abs=0.01)


@pytest.mark.parametrize(
    ("candidate", "published"), [("police kill the gunman", 75.0), ("the gunman kill police", 50.0)]
)
def test_rouge_l_is_that_of_the_rouge_papers_example(candidate: str, published: float) -> None:
    scores = score_captions({"photo": ("police killed the gunman",)}, {"photo": candidate})

    assert scores["ROUGE-L"] == pytest.approx(published, abs=0.01)


def test_a_perfect_caption_has_perfect_scores_and_case_and_punctuation_do_not_matter() -> None:
    references = {"one": ("A dog runs in the green grass.",), "two": ("Two cats sleep on a red sofa.",)}

    scores = score_captions(references, {"one": "a dog runs in the green grass", "two": "two cats sleep on a red sofa"})

    assert [scores[name] for name in ("BLEU-1", "BLEU-4", "METEOR", "ROUGE-L")] == pytest.approx([100] * 4, abs=0.01)
    assert scores["CIDEr"] == pytest.approx(1000, abs=0.01)


def test_a_caption_without_a_right_word_scores_nothing() -> None:
    scores = score_captions({"one": ("a dog runs",), "two": ("two cats sleep",)}, {"one": "blue", "two": "green"})

    assert all(value < 0.01 for value in scores.values())


def test_cider_follows_its_paper() -> None:
    references = {"one": ["a dog runs in grass", "a dog in grass"], "two": ["two cats sleep", "cats on a sofa"]}
    candidates = {"one": ["a dog runs"], "two": ["a cat on a sofa"]}

    total, each = score_cider(references, candidates)

    expected = [_cider(candidates[photo][0], references[photo], references) for photo in references]
    assert each == pytest.approx(expected)
    assert total == pytest.approx(sum(expected) / 2)


def test_our_words_are_those_of_the_penn_treebank_tokeniser() -> None:
    captions = [
        "A man's T-shirt is red, white and blue.",
        'A sign reads "stop" near 2 dirt-bikes!',
        "The dogs' ball; a child in mid-air (jumping).",
    ]

    judged = tokenise_for_scoring({"photo": captions})["photo"]

    assert [caption.replace("-lrb- ", "").replace(" -rrb-", "") for caption in judged] == [
        " ".join(tokenise(caption)) for caption in captions
    ]


def test_after_the_program_of_meteor_has_ended_another_one_scores() -> None:
    references, candidates = {"photo": ["a dog runs"]}, {"photo": "a dog runs"}
    process = metrics._open_meteor().meteor_p
    process.kill()
    process.wait()

    with pytest.raises((OSError, ValueError)):
        score_captions(references, candidates)
    assert score_captions(references, candidates)["METEOR"] == pytest.approx(100)


def _cider(candidate: str, references: list[str], corpus: dict[str, list[str]]) -> float:
    """CIDEr-D × 100 of one caption, from the equations of Vedantam et al. 2015: n = 1 to 4, sigma = 6, times 10."""

    def ngrams(caption: str, size: int) -> Counter[tuple[str, ...]]:
        words = caption.split()
        return Counter(tuple(words[begin : begin + size]) for begin in range(len(words) - size + 1))

    def weigh(caption: str, size: int) -> dict[tuple[str, ...], float]:
        weights = {}
        for ngram, count in ngrams(caption, size).items():
            photos = sum(
                any(ngram in ngrams(reference, size) for reference in of_photo) for of_photo in corpus.values()
            )
            weights[ngram] = count * math.log(len(corpus) / max(1, photos))
        return weights

    def compare(reference: str, size: int) -> float:
        one, other = weigh(candidate, size), weigh(reference, size)
        norms = math.hypot(*one.values()) * math.hypot(*other.values())
        clipped = sum(min(weight, other.get(ngram, 0)) * other.get(ngram, 0) for ngram, weight in one.items())
        difference = len(candidate.split()) - len(reference.split())
        return clipped / norms * math.exp(-(difference**2) / (2 * 6**2)) if norms else 0.0

    mean = [sum(compare(reference, size) for reference in references) / len(references) for size in range(1, 5)]
    return 100 * 10 * sum(mean) / 4

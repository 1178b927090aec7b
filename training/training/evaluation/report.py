"""A self-contained HTML report on a bundle: learning curves, scores, captions, diversity and calibration.

It includes photos of the dataset, whose licence holds for the report too.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from photocaption.caption import CaptionOptions
from photocaption.captioner import Captioner
from photocaption.image.decode import decode
from photocaption.model.manifest import Manifest
from training.data.content_words import RULE
from training.data.photo import Photo
from training.data.words import tokenise
from training.evaluation import charts
from training.evaluation.calibration import bin_by_confidence
from training.evaluation.datasets import Summary
from training.evaluation.evaluate import Evaluation
from training.evaluation.history import EpochRecord
from training.evaluation.intervals import METRICS, Interval, bootstrap, bootstrap_difference
from training.evaluation.metrics import PROTOCOL, PhotoScores, score_photos

_SHOWN = 6
_THUMBNAIL = 224


@dataclass(frozen=True, slots=True)
class Baseline:
    """Another bundle's captions of the same photos, to compare with."""

    manifest: Manifest
    evaluation: Evaluation
    summaries: Sequence[Summary] = ()


@dataclass(frozen=True, slots=True)
class _AttendedWord:
    """A word and its attention: a PNG overlay of the grid as a data URL, darker where the attention is lower."""

    word: str
    probability: float
    attention: str | None


@dataclass(frozen=True, slots=True)
class _Example:
    """A photo with its caption, as the page shows it."""

    photo: str
    image: str
    caption: str
    cider: float
    confidence: float
    references: tuple[str, ...]
    words: tuple[_AttendedWord, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """A metric with its intervals; the baseline's and the difference are None without a baseline."""

    metric: str
    greedy: float
    beam: Interval
    baseline: Interval | None
    difference: Interval | None


def write_report(
    path: Path,
    captioner: Captioner,
    photos: Sequence[Photo],
    evaluation: Evaluation,
    phases: Mapping[str, Sequence[EpochRecord]],
    baseline: Baseline | None = None,
    summaries: Sequence[Summary] = (),
) -> None:
    """Write the page.

    `photos` are those of the evaluation, `phases` the histories of the fit by name, empty where they are not known,
    `summaries` the scores of all datasets, in the order of the baseline's.
    """
    scores = _score(evaluation)
    confidences = [description.confidence for description in evaluation.descriptions.values()]
    bins = bin_by_confidence(confidences, scores.cider.tolist())
    captions = [tokenise(description.caption) for description in evaluation.descriptions.values()]
    references = [tokenise(caption) for of_photo in evaluation.references.values() for caption in of_photo]
    page = (
        _environment()
        .get_template("report.html")
        .render(
            manifest=captioner.bundle.manifest,
            baseline=baseline.manifest if baseline else None,
            protocol=f"{PROTOCOL}; {RULE}",
            photos=len(photos),
            rows=_compare(evaluation, scores, baseline),
            names=list(dict.fromkeys(name for summary in summaries for name in summary.scores)),
            summaries=list(zip_longest(summaries, baseline.summaries if baseline else ())),
            learning=_svg(charts.draw_learning(phases)) if any(phases.values()) else None,
            lengths=_svg(charts.draw_lengths(captions, references)),
            words=_svg(charts.draw_words(captions, references)),
            reliability=_svg(charts.draw_reliability(bins)),
            quality=_svg(charts.draw_quality(bins)),
            diversity=_diversity(captions, references),
            groups=_choose_examples(captioner, photos, evaluation, scores.cider),
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page + "\n", encoding="utf-8")


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("training.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _score(evaluation: Evaluation) -> PhotoScores:
    captions = {photo: description.caption for photo, description in evaluation.descriptions.items()}
    return score_photos(evaluation.references, captions)


def _compare(evaluation: Evaluation, scores: PhotoScores, baseline: Baseline | None) -> list[_Row]:
    beam, greedy = bootstrap(scores), evaluation.scores["greedy"]
    if baseline is None:
        return [_Row(metric, greedy[metric], beam[metric], None, None) for metric in METRICS]
    other = _score(baseline.evaluation)
    others, differences = bootstrap(other), bootstrap_difference(scores, other)
    return [_Row(metric, greedy[metric], beam[metric], others[metric], differences[metric]) for metric in METRICS]


def _diversity(
    captions: Sequence[Sequence[str]], references: Sequence[Sequence[str]]
) -> dict[str, tuple[float, float]]:
    """Measures of diversity of the model's captions and of people's, by name."""

    def count(texts: Sequence[Sequence[str]]) -> tuple[float, float, float]:
        different = {word for words in texts for word in words}
        mean_length = sum(map(len, texts)) / len(texts)
        return mean_length, float(len(different)), 100 * len({tuple(words) for words in texts}) / len(texts)

    names = ("words in a caption, mean", "different words", "captions that are unique, %")
    return dict(zip(names, zip(count(captions), count(references), strict=True), strict=True))


def _choose_examples(
    captioner: Captioner, photos: Sequence[Photo], evaluation: Evaluation, ciders: npt.NDArray[np.float64]
) -> dict[str, list[_Example]]:
    """The best, the middle and the worst captions by CIDEr, no photo twice: fewer of each where photos are few."""
    by_name = {photo.name: photo for photo in photos}
    names = list(evaluation.descriptions)
    order = np.argsort(-ciders, kind="stable")
    shown = min(_SHOWN, -(-len(order) // 3))
    between = order[shown : max(shown, len(order) - shown)]
    middle = max(0, (len(between) - shown) // 2)
    worst = order[max(shown, len(order) - shown) :]
    groups = {"best": order[:shown], "median": between[middle : middle + shown], "worst": worst}
    return {
        group: [_show(captioner, by_name[names[place]], float(ciders[place])) for place in places]
        for group, places in groups.items()
        if places.size
    }


def _show(captioner: Captioner, photo: Photo, cider: float) -> _Example:
    data = photo.path.read_bytes()
    caption = captioner.caption(data, CaptionOptions(attention=True))
    grid = captioner.bundle.manifest.features
    image, _ = decode(data)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    words = tuple(
        _AttendedWord(word.word, word.probability, _draw_attention(word.attention, grid.rows, grid.columns))
        for word in caption.words
    )
    return _Example(
        photo.name, _embed(image, "jpeg"), caption.caption, cider, caption.confidence, photo.captions, words
    )


def _draw_attention(weights: tuple[float, ...] | None, rows: int, columns: int) -> str | None:
    """An overlay of the photo: black, with less opacity where the attention is higher."""
    if weights is None:
        return None
    grid = np.array(weights).reshape(rows, columns)
    overlay = Image.new("LA", (columns, rows))
    opacity = 200 * (1 - grid / grid.max())
    overlay.putalpha(Image.fromarray(opacity.astype(np.uint8)))
    return _embed(overlay.resize((_THUMBNAIL // 4, _THUMBNAIL // 4), Image.Resampling.BICUBIC), "png")


def _embed(image: Image.Image, kind: str) -> str:
    data = io.BytesIO()
    image.save(data, kind)
    return f"data:image/{kind};base64,{base64.b64encode(data.getvalue()).decode()}"


def _svg(document: str) -> Markup:
    """A chart as an image, because charts inline would share matplotlib's identifiers."""
    address = base64.b64encode(document.encode()).decode()
    return Markup('<img class="chart" src="data:image/svg+xml;base64,{}" alt="">').format(address)

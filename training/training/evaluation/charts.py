"""The report's charts, drawn by matplotlib as SVG."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation.calibration import GOOD_CIDER, Bin
from training.evaluation.history import EpochRecord

_HEIGHT = 3.2  # inches
_WORDS = 24
_STYLE = {"model": "#c2410c", "people": "#64748b"}


class Chart:
    """A drawing with axes that becomes an SVG."""

    def __init__(self, across: str, upwards: str, width: float = 5.2) -> None:
        """`across` and `upwards`: what the axes are labelled; `width`: in inches."""
        self._figure = Figure(figsize=(width, _HEIGHT), layout="constrained")
        self.axes: Axes = self._figure.subplots()
        self.axes.spines[["top", "right"]].set_visible(False)
        self.axes.set(xlabel=across, ylabel=upwards)

    def to_svg(self) -> str:
        """The chart as an SVG document; the same chart gives the same text."""
        text = io.StringIO()
        self._figure.savefig(text, format="svg", metadata={"Date": None})
        return text.getvalue()


def draw_learning(phases: Mapping[str, Sequence[EpochRecord]]) -> str:
    """Dev CIDEr over the epochs of all phases, one after the other."""
    chart = Chart("epoch", "dev score")
    first = 1
    for name, history in phases.items():
        epochs = range(first, first + len(history))
        chart.axes.plot(epochs, [record.score for record in history], marker="o", markersize=3, label=name)
        first += len(history)
    chart.axes.legend(frameon=False)
    return chart.to_svg()


def draw_lengths(captions: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> str:
    """How long captions are, in words: the model's and people's."""
    longest = max(max(map(len, captions)), max(map(len, references)))
    edges = np.arange(longest + 2) - 0.5
    chart = Chart("words in a caption", "share of captions")
    for words, writer in ((references, "people"), (captions, "model")):
        lengths = [len(caption) for caption in words]
        chart.axes.hist(lengths, edges.tolist(), density=True, alpha=0.6, label=writer, color=_STYLE[writer])
    chart.axes.legend(frameon=False)
    return chart.to_svg()


def draw_words(captions: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> str:
    """Uses of people's most frequent words in a hundred captions of the model and of people."""
    written, given = (Counter(word for words in texts for word in words) for texts in (captions, references))
    words = [word for word, _ in given.most_common(_WORDS)]
    places = np.arange(len(words))
    chart = Chart("", "uses in 100 captions", width=10.6)
    people = [100 * given[word] / len(references) for word in words]
    model = [100 * written[word] / len(captions) for word in words]
    chart.axes.bar(places - 0.2, people, 0.4, label="people", color=_STYLE["people"])
    chart.axes.bar(places + 0.2, model, 0.4, label="model", color=_STYLE["model"])
    chart.axes.set_xticks(places, words, rotation=45, ha="right")
    chart.axes.legend(frameon=False)
    return chart.to_svg()


def draw_reliability(bins: Sequence[Bin]) -> str:
    """The share of good captions in each decile of confidence; the diagonal is perfect calibration."""
    chart = Chart("confidence", f"share of captions with CIDEr ≥ {GOOD_CIDER:.0f}")
    chart.axes.plot([0, 1], [0, 1], linestyle=":", color=_STYLE["people"])
    chart.axes.plot([one.confidence for one in bins], [one.good for one in bins], marker="o", color=_STYLE["model"])
    chart.axes.set(xlim=(0, 1), ylim=(0, 1))
    return chart.to_svg()


def draw_quality(bins: Sequence[Bin]) -> str:
    """Mean CIDEr in each decile of confidence."""
    chart = Chart("confidence", "mean CIDEr")
    stated, quality = [one.confidence for one in bins], [one.cider for one in bins]
    chart.axes.plot(stated, quality, marker="o", color=_STYLE["model"])
    chart.axes.set(xlim=(0, 1), ylim=(0, None))
    return chart.to_svg()

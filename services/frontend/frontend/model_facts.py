"""Arranges what inference tells about its model into the figures, the table and the card of the About page."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markupsafe import Markup

from frontend.contract import ModelFacts

METRICS = ("BLEU-1", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr")
_WAYS = {"greedy": "word by word (greedy)", "beam": "weighing sentences (beam)"}
# No raw HTML and no images: a card is text, whoever wrote it.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
_HEADING = re.compile(r"^#", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """Figures of one way of searching on one set of photos, in the order of `METRICS`; a missing one is n/a."""

    name: str
    figures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page shows; `protocol` says how the scores were counted, `card` is the model card as HTML."""

    rows: tuple[tuple[str, str], ...]
    scores: tuple[ScoreRow, ...]
    protocol: str
    card: Markup
    metrics: tuple[str, ...] = METRICS


def arrange(model: ModelFacts) -> Facts:
    """Everything known gets its place; whatever inference leaves out is left out of the page."""
    return Facts(
        rows=tuple(_list_rows(model)),
        scores=tuple(_list_scores(model.scores)),
        protocol=next((str(split["protocol"]) for split in _splits(model.scores).values() if "protocol" in split), ""),
        card=_render_card(model.card),
    )


def _list_rows(model: ModelFacts) -> Iterator[tuple[str, str]]:
    extra = model.model_extra or {}
    yield "Model", model.name
    yield "Version", model.version
    image = extra.get("input")
    if isinstance(image, Mapping) and {"width", "height"} <= image.keys():
        yield "Looks at", f"{image['width']} by {image['height']} pixels"
    if isinstance(words := extra.get("vocabulary_size"), int):
        yield "Knows", f"{words:,} words"


def _splits(scores: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    return {name: split for name, split in scores.items() if isinstance(split, Mapping)}


def _list_scores(scores: Mapping[str, object]) -> Iterator[ScoreRow]:
    for split_name, split in _splits(scores).items():
        for way, words in _WAYS.items():
            figures = split.get(way)
            if isinstance(figures, Mapping):
                yield ScoreRow(f"{split_name}, {words}", tuple(_format(figures.get(metric)) for metric in METRICS))


def _format(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, int | float) else "n/a"


def _render_card(markdown: str) -> Markup:
    """HTML of the card, its headings two levels deeper to fit below the page's own."""
    return Markup(_MARKDOWN.render(_HEADING.sub("###", markdown)))  # noqa: S704 (rendered without raw HTML)

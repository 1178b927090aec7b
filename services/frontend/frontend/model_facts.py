"""Arranges what inference tells about its model into the rows and the table of the About page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from frontend.contract import ModelFacts

METRICS = ("BLEU-1", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr")


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """Figures of one way of decoding on one split, in the order of `Facts.metrics`; a missing one is n/a."""

    name: str
    figures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page shows; `protocol` says how the scores were counted."""

    rows: tuple[tuple[str, str], ...]
    scores: tuple[ScoreRow, ...]
    protocol: str
    metrics: tuple[str, ...] = METRICS


def arrange(model: ModelFacts) -> Facts:
    """Everything known gets its place; whatever inference leaves out is left out of the page."""
    return Facts(
        rows=tuple(_list_rows(model)),
        scores=tuple(_list_scores(model.scores)),
        protocol=next((str(split["protocol"]) for split in _splits(model.scores).values() if "protocol" in split), ""),
    )


def _list_rows(model: ModelFacts) -> Iterator[tuple[str, str]]:
    extra = model.model_extra or {}
    yield "Model", f"{model.name} {model.version}"
    image = extra.get("input_size") or extra.get("image")
    if isinstance(image, Mapping) and {"width", "height"} <= image.keys():
        yield "Looks at", f"{image['width']} by {image['height']} pixels"
    if "vocabulary_size" in extra:
        yield "Knows", f"{int(extra['vocabulary_size']):,} words"


def _splits(scores: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {name: split for name, split in scores.items() if isinstance(split, Mapping)}


def _list_scores(scores: Mapping[str, Any]) -> Iterator[ScoreRow]:
    for split_name, split in _splits(scores).items():
        for way in ("greedy", "beam"):
            figures = split.get(way)
            if isinstance(figures, Mapping):
                yield ScoreRow(f"{split_name}, {way}", tuple(_format(figures.get(metric)) for metric in METRICS))


def _format(value: object) -> str:
    """Scores come as fractions or as percentages; people read percentages."""
    if not isinstance(value, int | float):
        return "n/a"
    return f"{value * 100 if value <= 2 else value:.1f}"

"""The figures, the table and the model card of the About page, from the answer to `GET /model`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from markdown_it import MarkdownIt
from markupsafe import Markup

from frontend.inference.contract import ModelFacts

METRICS = ("BLEU-1", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr")
_WAYS = {"beam": "as served", "greedy": "the quick way"}
_MAX_CHARACTERS = 50_000  # of a card, which Markdown may take a time that grows with their square for
_MAX_SCORES = 20
_MAX_FIGURE = 10_000  # of a metric; a whole number without end cannot be written
_SPLIT_WORDS = {"dev": "tuning"}
# No raw HTML and no images: a card is untrusted text.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
_HEADING = re.compile(r"^#", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one way of searching on one set of photos, in the order of `METRICS`; a missing one is n/a."""

    name: str
    figures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page shows; `protocol` says how the scores were counted.

    `card` is the model card as HTML; `use` and `limits` are its sections of that name, empty where it has none.
    """

    rows: tuple[tuple[str, str], ...]
    scores: tuple[Scores, ...]
    protocol: str
    use: Markup
    limits: Markup
    card: Markup
    metrics: tuple[str, ...] = METRICS


def arrange(model: ModelFacts) -> Facts:
    """The facts that inference gives; the page leaves out the others."""
    card = model.card[:_MAX_CHARACTERS]
    return Facts(
        rows=tuple(_list_rows(model)),
        scores=tuple(islice(_list_scores(model.scores), _MAX_SCORES)),
        protocol=next((str(split["protocol"]) for split in _splits(model.scores).values() if "protocol" in split), ""),
        use=_render(_find_section(card, "Use")),
        limits=_render(_find_section(card, "Limits")),
        # Its headings go two levels deeper, to fit below the page's own.
        card=_render(_HEADING.sub("###", card)),
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


def _list_scores(scores: Mapping[str, object]) -> Iterator[Scores]:
    for split_name, split in _splits(scores).items():
        for way, words in _WAYS.items():
            figures = split.get(way)
            if isinstance(figures, Mapping):
                name = f"{_name_split(split_name)}, {words}"
                yield Scores(name, tuple(_format(figures.get(metric)) for metric in METRICS))


def _name_split(name: str) -> str:
    """`everyday_dev` → `Everyday tuning photos`."""
    return " ".join([*(_SPLIT_WORDS.get(word, word) for word in name.split("_")), "photos"]).capitalize()


def _format(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, int | float) and abs(value) < _MAX_FIGURE else "n/a"


def _find_section(card: str, heading: str) -> str:
    """The text below the heading that begins with a word; empty if there is none."""
    section = re.search(rf"^## {heading}\b[^\n]*\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    return section[1] if section else ""


@lru_cache(maxsize=8)
def _render(markdown: str) -> Markup:
    html = _MARKDOWN.render(markdown)
    html = html.replace("<table>", '<div class="wide" tabindex="0"><table>').replace("</table>", "</table></div>")
    return Markup(html)  # noqa: S704 (rendered without raw HTML)

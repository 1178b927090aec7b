"""The alternatives of a caption as the page shows them: sentences like the caption itself, but those of 0 percent."""

import re
from dataclasses import dataclass

from frontend.inference.contract import Caption
from frontend.presentation.confidence_label import ConfidenceLabel, label_confidence

_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class AlternativeView:
    """Another sentence of the model: its own words, the same as a sentence, and how sure the model is of it."""

    caption: str
    alt_text: str
    confidence: float
    certainty: ConfidenceLabel


def list_alternatives(answer: Caption) -> list[AlternativeView]:
    """The alternatives in the model's order, without those that round to 0 percent."""
    views = [
        AlternativeView(
            other.caption,
            write_sentence(other.caption, answer.alt_text),
            other.confidence,
            label_confidence(other.confidence),
        )
        for other in answer.alternatives
    ]
    return [view for view in views if view.certainty.percent > 0]


def write_sentence(caption: str, model: str) -> str:
    """A capital, a full stop, and names as `model` spells them, which is a sentence about the same photo."""
    names = {word.lower(): word for written in model.split()[1:] for word in _LETTERS.findall(written)}
    text = " ".join(names.get(word, word) for word in caption.split())
    return f"{text[:1].upper()}{text[1:]}."

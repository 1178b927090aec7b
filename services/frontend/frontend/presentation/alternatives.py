"""The alternatives of a caption as the page shows them: all but those of 0 percent."""

from dataclasses import dataclass

from frontend.inference.contract import Caption
from frontend.presentation.confidence_label import ConfidenceLabel, label_confidence


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
            other.caption, other.alt_text or other.caption, other.confidence, label_confidence(other.confidence)
        )
        for other in answer.alternatives
    ]
    return [view for view in views if view.certainty.percent > 0]

"""The runners-up of a caption as the page shows them: sentences like the caption itself, without mere noise."""

import re
from dataclasses import dataclass

from frontend.inference.contract import Caption
from frontend.presentation.confidence_label import Certainty, describe

_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Runner:
    """Another sentence of the model: its own words, the same as a sentence, and how sure the model is of it."""

    caption: str
    alt_text: str
    confidence: float
    certainty: Certainty


def list_alternatives(answer: Caption) -> list[Runner]:
    """The runners-up in the model's order, without those that round to 0 percent."""
    runners = [
        Runner(
            other.caption, write_sentence(other.caption, answer.alt_text), other.confidence, describe(other.confidence)
        )
        for other in answer.alternatives
    ]
    return [runner for runner in runners if runner.certainty.percent > 0]


def write_sentence(caption: str, model: str) -> str:
    """A capital, a full stop, and names as `model` spells them, which is a sentence about the same photo."""
    names = {word.lower(): word for written in model.split()[1:] for word in _LETTERS.findall(written)}
    text = " ".join(names.get(word, word) for word in caption.split())
    return f"{text[:1].upper()}{text[1:]}."

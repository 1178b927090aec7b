"""Scores captions of labelled photos: whether each names the subject, over all and by confidence.

A caption names it when it has one of the words that the label accepts, as `training.data.labelled` states them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from photocaption.caption import CaptionOptions, Description
from photocaption.captioner import Captioner
from training.data.labelled import LabelledPhoto
from training.data.words import tokenise
from training.evaluation.evaluate import describe

CONFIDENT = 0.5
"""The confidence from which on a caption counts as confident."""

_RULE = (
    "A caption names the subject when it has one of the words that kinds.csv accepts for the label; for a label "
    "that is not there, the last word of one of its names, alone or with an s"
)


@dataclass(frozen=True, slots=True)
class Share:
    """How many of some photos have their subject named; `captions`: all, or those in a range of confidence."""

    captions: str
    photos: int
    named: int

    @property
    def percent(self) -> float | None:
        """None where there is no photo."""
        return 100 * self.named / self.photos if self.photos else None


@dataclass(frozen=True, slots=True)
class SubjectEvaluation:
    """What a bundle's default search wrote about labelled photos."""

    beam_width: int
    descriptions: dict[str, Description]
    labels: dict[str, LabelledPhoto]

    def is_named(self, photo: str) -> bool:
        """Whether the caption of a photo names its subject."""
        return not self.labels[photo].accepted.isdisjoint(tokenise(self.descriptions[photo].caption))

    def shares(self) -> list[Share]:
        """Over all photos, where the caption is confident, and where it is not."""
        sure = [photo for photo, one in self.descriptions.items() if one.confidence >= CONFIDENT]
        unsure = [photo for photo, one in self.descriptions.items() if one.confidence < CONFIDENT]
        parts = {"all": [*sure, *unsure], f"confidence {CONFIDENT} or more": sure, f"confidence < {CONFIDENT}": unsure}
        return [Share(name, len(photos), sum(map(self.is_named, photos))) for name, photos in parts.items()]

    def summary(self) -> dict[str, float | None]:
        """The scores × 100 by name."""
        everywhere, sure, _ = self.shares()
        return {"subject named": everywhere.percent, f"where {sure.captions}": sure.percent}

    def to_table(self) -> str:
        """The shares as people read them, the rule stated."""
        rows = [
            f"{share.captions:<24}{'-' if share.percent is None else format(share.percent, '.1f'):>8}{share.photos:>9}"
            for share in self.shares()
        ]
        note = f"{len(self.descriptions)} photos, beam {self.beam_width}. {_RULE}."
        return "\n".join([f"{'subject named':<24}{'%':>8}{'photos':>9}", *rows, note])

    def to_content(self) -> dict[str, Any]:
        """The evaluation as other programs read it."""
        captions = [
            {
                "image": photo,
                "caption": one.caption,
                "confidence": one.confidence,
                "label": self.labels[photo].label,
                "accepted": sorted(self.labels[photo].accepted),
                "named": self.is_named(photo),
            }
            for photo, one in self.descriptions.items()
        ]
        shares = [{**asdict(share), "percent": share.percent} for share in self.shares()]
        return {"protocol": _RULE, "subject_named": shares, "captions": captions}


def evaluate_subjects(captioner: Captioner, photos: Sequence[LabelledPhoto]) -> SubjectEvaluation:
    """Caption labelled photos with the bundle's default search."""
    (descriptions,) = describe(captioner, [one.photo for one in photos], CaptionOptions())
    labels = {one.photo.name: one for one in photos}
    return SubjectEvaluation(captioner.bundle.manifest.decoding.beam_width, descriptions, labels)

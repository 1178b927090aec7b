"""A bundle's captions of the photo set, at several sizes of each photo."""

from collections.abc import Sequence
from dataclasses import dataclass

from photo_set.photos import SetPhoto, resize
from photocaption.caption import Caption
from photocaption.captioner import Captioner

Widths = tuple[int, ...]

WIDTHS: Widths = (300, 1000, 4000)
OTHER_WIDTHS: tuple[Widths, ...] = (
    (280, 1160, 2900),
    (290, 1050, 3400),
    (305, 905, 3100),
    (310, 1280, 3000),
    (320, 1100, 3300),
    (330, 1210, 2200),
    (350, 940, 2600),
)
"""Sizes by which nothing was chosen, to compare the share at `WIDTHS` with."""


@dataclass(frozen=True, slots=True)
class SetCaption:
    """A photo with the captions of its file and of its copies, by width in pixels."""

    photo: SetPhoto
    original: Caption
    by_width: dict[int, str]

    @property
    def agrees(self) -> bool:
        """Whether the copies all have the same caption."""
        return _agree(self.by_width)

    @property
    def is_right(self) -> bool:
        """Whether the caption of the file has one of the words that a right one has."""
        return not self.photo.accepted.isdisjoint(self.original.caption.split())


def caption_set(captioner: Captioner, photos: Sequence[SetPhoto]) -> list[SetCaption]:
    """Caption each photo as it is and at every width."""
    return [
        SetCaption(
            photo,
            captioner.caption(photo.path.read_bytes()),
            caption_copies(captioner, photo, WIDTHS),
        )
        for photo in photos
    ]


def caption_copies(captioner: Captioner, photo: SetPhoto, widths: Widths) -> dict[int, str]:
    """The captions of copies of a photo, by width in pixels."""
    return {width: captioner.caption(resize(photo, width)).alt_text for width in widths}


def share_agreeing(captions: Sequence[SetCaption]) -> float:
    """The share of photos whose copies all have the same caption."""
    return sum(caption.agrees for caption in captions) / len(captions)


def share_agreeing_at(captioner: Captioner, photos: Sequence[SetPhoto], widths: Widths) -> float:
    """The share of photos that have the same caption at all these widths."""
    return sum(_agree(caption_copies(captioner, photo, widths)) for photo in photos) / len(photos)


def _agree(by_width: dict[int, str]) -> bool:
    return len(set(by_width.values())) == 1

"""What a bundle says of the photo set, and how much the size of a photo matters to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.captioner import Captioner
from inference.result import Caption
from photo_set.photos import SetPhoto, resize

WIDTHS = (300, 1000, 4000)


@dataclass(frozen=True, slots=True)
class SetCaption:
    """A photo with the captions of its file and of its copies, by width in pixels."""

    photo: SetPhoto
    original: Caption
    by_width: dict[int, str]

    @property
    def agrees(self) -> bool:
        """Whether the copies all have the same caption."""
        return len(set(self.by_width.values())) == 1


def caption_set(captioner: Captioner, photos: Sequence[SetPhoto]) -> list[SetCaption]:
    """Caption each photo as it is and at every width."""
    return [
        SetCaption(
            photo,
            captioner.caption(photo.path.read_bytes()),
            {width: captioner.caption(resize(photo, width)).alt_text for width in WIDTHS},
        )
        for photo in photos
    ]


def share_agreeing(captions: Sequence[SetCaption]) -> float:
    """The share of photos whose copies all have the same caption."""
    return sum(caption.agrees for caption in captions) / len(captions)

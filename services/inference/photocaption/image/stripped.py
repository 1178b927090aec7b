"""A file that is reduced to what the decoder needs for its pixels."""

from dataclasses import dataclass
from fractions import Fraction

from photocaption.errors import UnsupportedImageError


def refuse_kind(format_name: str, kind: str, instead: str = "a JPEG") -> UnsupportedImageError:
    """The error for a variant of a format that is not read; `instead`: what the photo may be saved as."""
    return UnsupportedImageError(
        f"The photo is {format_name} of a kind that is not read ({kind}): save it as {instead}."
    )


@dataclass(frozen=True, slots=True)
class Aperture:
    """The part of an image that is displayed: its size, and the distance of its centre from the image's."""

    width: Fraction
    height: Fraction
    across: Fraction
    down: Fraction

    def place(self, width: int, height: int) -> tuple[int, int, int, int] | None:
        """The part of an image of that size, as a `canvas`; None where that is no part of it, in whole pixels."""
        left = Fraction(width) / 2 + self.across - self.width / 2
        top = Fraction(height) / 2 + self.down - self.height / 2
        sides = self.width, self.height, left, top
        inside = 0 <= left <= width - self.width < width and 0 <= top <= height - self.height < height
        if not inside or any(side.denominator > 1 for side in sides):
            return None
        return int(self.width), int(self.height), -int(left), -int(top)


@dataclass(frozen=True, slots=True)
class StrippedFile:
    """A file without its metadata, and what was read of that.

    `orientation`: as EXIF numbers it; `profile`: the ICC profile of its colours, empty where there is none; `canvas`:
    width and height of the image that the decoded pixels belong to, and where they begin there, None where they are
    all of it; `aperture`: the displayed part, None for all; `inverted`: whether the decoded grey is a negative;
    `unsigned`: whether integers of 32 bits have no sign; `scans`: how often the decoder of a JPEG goes through all or
    some of its pixels; `complete`: whether the end of a JPEG is marked, as it is in `data` in any case.
    """

    data: bytes
    orientation: int = 1
    profile: bytes = b""
    canvas: tuple[int, int, int, int] | None = None
    aperture: Aperture | None = None
    inverted: bool = False
    unsigned: bool = False
    scans: int = 0
    complete: bool = True

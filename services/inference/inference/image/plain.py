"""What a decoder gets to see of a file: nothing but what the pixels need."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plain:
    """A file without its metadata, and what was read of that.

    `orientation`: as EXIF numbers it; `profile`: the ICC profile of its colours, empty where there is none; `canvas`:
    width and height of the picture that the decoded pixels are a part of, and where they begin there, None where they
    are all of it; `inverted`: whether the decoded grey is a negative; `unsigned`: whether integers of 32 bits have no
    sign.
    """

    data: bytes
    orientation: int = 1
    profile: bytes = b""
    canvas: tuple[int, int, int, int] | None = None
    inverted: bool = False
    unsigned: bool = False

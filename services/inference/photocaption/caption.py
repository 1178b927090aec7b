"""Inputs and results of `Captioner`: immutable values without arrays of a runtime."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the processes that decode have no NumPy
    import numpy as np
    import numpy.typing as npt

MAX_BEAM_WIDTH = 10
MAX_ALTERNATIVES = 10


@dataclass(frozen=True, slots=True)
class CaptionOptions:
    """How to caption a photo. Raises ValueError for what lies outside these ranges.

    `beam_width`: hypotheses kept at each word, 1 to 10; None takes the bundle's default.
    `alternatives`: how many further captions to return, 0 to 10; fewer come back when the search finds fewer.
    `attention`: whether each word carries its attention over the grid.
    """

    beam_width: int | None = None
    alternatives: int = 0
    attention: bool = False

    def __post_init__(self) -> None:
        if self.beam_width is not None and not 1 <= self.beam_width <= MAX_BEAM_WIDTH:
            msg = f"beam_width must be from 1 to {MAX_BEAM_WIDTH}, not {self.beam_width}"
            raise ValueError(msg)
        if not 0 <= self.alternatives <= MAX_ALTERNATIVES:
            msg = f"alternatives must be from 0 to {MAX_ALTERNATIVES}, not {self.alternatives}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class ImageProperties:
    """Properties of an image file: size in pixels after the EXIF orientation, and the name of its format."""

    width: int
    height: int
    format: str


@dataclass(frozen=True, slots=True)
class ImageInfo(ImageProperties):
    """Properties of an image that was sent; `sha256` is that of the bytes, in hex."""

    sha256: str


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """A photo ready for the encoder: `pixels` uint8 [height, width, 3] in RGB at the encoder's input size.

    Small (268 kB at 299×299) whatever the size of the original, so that a queue of them stays small too.
    """

    pixels: "npt.NDArray[np.uint8]"
    info: ImageInfo
    decode_ms: float


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the caption, its probability given the words before it, and where the model looked.

    `attention`: one weight a cell, row-major over the bundle's grid, summing to 1; None when it was not asked for or
    the decoder has none.
    """

    word: str
    probability: float
    attention: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another caption that the search found, in the fields of `Description`."""

    caption: str
    alt_text: str
    confidence: float
    log_probability: float


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds spent on a photo. `encode` and `generate` are those of the batch that it was in."""

    decode: float
    encode: float
    generate: float

    def by_stage(self, *, queue_ms: float) -> dict[str, float]:
        """All stages of a photo in their order, with its wait for a thread and for the model."""
        return {"decode": self.decode, "queue": queue_ms, "encode": self.encode, "generate": self.generate}


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A sentence about a photo, as the decoder wrote it from features.

    `caption`: the model's lower-case words joined by spaces; `alt_text`: the same as a person would write it, with a
    capital and a full stop; `confidence`: in [0, 1], calibrated on dev captions where the bundle says so;
    `log_probability`: summed over the tokens, the end token counted; `evidence`: the mean log-odds, from the photo
    alone, of the words that a tagger knows, and `strongest` the highest, 0 without any.
    """

    caption: str
    alt_text: str
    confidence: float
    log_probability: float
    words: tuple[Word, ...]
    evidence: float = 0.0
    strongest: float = 0.0
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption(Description):
    """A description with the photo that it describes and the time that it took."""

    image: ImageInfo
    timings: Timings

"""The answers of the inference service, with the fields that the page uses. Unknown fields are ignored, missing ones
are an error.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)  # which JSON does not have


class Word(_Answer):
    """A word of the caption; `attention` holds one weight a cell of the grid, row-major, when it was asked for."""

    word: str
    probability: Probability
    attention: tuple[float, ...] | None = None


class Alternative(_Answer):
    """Another sentence that the search found; older services have no `alt_text`."""

    caption: str
    alt_text: str = ""
    confidence: Probability


class Grid(_Answer):
    """Shape of every word's attention: the photo cut into `rows` by `columns` cells."""

    rows: Annotated[int, Field(ge=1)]
    columns: Annotated[int, Field(ge=1)]


class ImageInfo(_Answer):
    """Properties of the photo: size in pixels after the EXIF orientation, and the format by content."""

    width: int
    height: int
    format: str


class Model(_Answer):
    """Which model wrote the caption."""

    name: str
    version: str


class Caption(_Answer):
    """The answer to `POST /caption`."""

    caption: str
    alt_text: str
    confidence: Probability
    alternatives: tuple[Alternative, ...] = ()
    words: tuple[Word, ...] = ()
    attention_grid: Grid | None = None
    image: ImageInfo
    model: Model
    timings_ms: dict[str, float] = Field(default_factory=dict)


class Problem(_Answer):
    """An RFC 9457 problem: `type` distinguishes problems with one status, `detail` is for the user."""

    type: str = ""
    title: str = ""
    status: int
    detail: str = ""


class ModelFacts(_Answer):
    """The answer to `GET /model`, with any further fields, of which the page shows some."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    version: str
    scores: dict[str, Any] = Field(default_factory=dict)
    card: str = ""

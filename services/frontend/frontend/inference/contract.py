"""What the inference service answers, as far as the page uses it. Unknown fields are ignored, missing ones refused."""

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
    """Another sentence that the search found; services of before tell no `alt_text`."""

    caption: str
    alt_text: str = ""
    confidence: Probability


class Grid(_Answer):
    """Shape of every word's attention: the photo cut into `rows` by `columns` cells."""

    rows: Annotated[int, Field(ge=1)]
    columns: Annotated[int, Field(ge=1)]


class ImageInfo(_Answer):
    """What inference found in the bytes: size in pixels as a person sees it, and the format by content."""

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
    """An error as RFC 9457 puts it: `type` tells kinds of one status apart, `detail` is for whoever sent the photo."""

    type: str = ""
    title: str = ""
    status: int
    detail: str = ""


class ModelFacts(_Answer):
    """The answer to `GET /model`, kept loose: the page shows what there is."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    version: str
    scores: dict[str, Any] = Field(default_factory=dict)
    card: str = ""

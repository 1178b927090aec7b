"""The schema of a bundle's `manifest.json`, the contract between training, which writes it, and serving, which reads
it.

docs/architecture.md explains every field. The models are strict and closed: a number in quotes, an unknown field or an
impossible value refuses the bundle at start, where an operator sees it, and not at the first photo.
"""

from pathlib import PurePosixPath
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, PositiveInt, model_validator

from photocaption.caption import MAX_BEAM_WIDTH

SCHEMA_VERSION: Final = 1
MANIFEST_NAME = "manifest.json"


def _check_relative(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or str(path) != name or name == ".":
        msg = "must be a plain path inside the bundle, with forward slashes"
        raise ValueError(msg)
    if name == MANIFEST_NAME:
        msg = "the manifest cannot list itself"
        raise ValueError(msg)
    return name


RelativePath = Annotated[str, AfterValidator(_check_relative)]
TokenId = Annotated[int, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class FileEntry(_Section):
    """What a file has to be: its sha256 in hex and its size in bytes."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class ImageSpec(_Section):
    """How a photo becomes the encoder's input; `preprocessing.prepare` follows it."""

    height: PositiveInt
    width: PositiveInt
    canonical_size: PositiveInt | None
    resample: Literal["bicubic"]


class FeatureSpec(_Section):
    """The grid that the encoder makes of a photo; `cells` are row-major."""

    rows: PositiveInt
    columns: PositiveInt
    channels: PositiveInt

    @property
    def cells(self) -> int:
        """How many cells the grid has: rows × columns."""
        return self.rows * self.columns


class SpecialTokens(_Section):
    """Ids of the tokens that are no words."""

    padding: TokenId
    start: TokenId
    end: TokenId
    unknown: TokenId

    def ids(self) -> tuple[int, int, int, int]:
        """All four, in the order of the fields."""
        return self.padding, self.start, self.end, self.unknown


class Reranking(_Section):
    """How the evidence for words decides between finished sentences.

    To the score of a sentence `weight × (p - threshold)` is added for each of its words that the tagger knows. `p =
    sigmoid(intercept + slope × log-odds)`: how likely such a word is in a caption that a person wrote of the photo.
    """

    weight: float = Field(ge=0)
    threshold: float = Field(ge=0, le=1)
    intercept: float
    slope: float


class SearchDefaults(_Section):
    """The search that the bundle was tuned for.

    `max_length` counts words, without the end token; `repeatable_words`: the only words that a caption may hold twice,
    None for all of them; `unfinished_words`: those with which none ends; `rare_cost`: what a sequence of three words
    that is not in the bundle's `trigrams.bin` takes from a sentence's log-probability; `skipped_words`: those without
    which sentences are searched for such sequences a second time; `reranking`: None ranks sentences by their words'
    log-probabilities alone.
    """

    beam_width: int = Field(ge=1, le=MAX_BEAM_WIDTH)
    length_penalty: float = Field(ge=0, le=2)
    max_length: int = Field(ge=1, le=100)
    repeatable_words: tuple[str, ...] | None = None
    unfinished_words: tuple[str, ...] = ()
    rare_cost: float = Field(0.0, ge=0)
    skipped_words: tuple[str, ...] = ()
    reranking: Reranking | None = None


class EncoderInfo(_Section):
    """What the encoder is. The precision is that of `encoder.onnx`, and only tells: the file holds what there is to
    run."""

    architecture: str
    precision: Literal["float32", "int8"]


class DecoderInfo(_Section):
    """What the decoder is, and whether its steps say where they looked."""

    architecture: str
    attention: bool


class Calibration(_Section):
    """`confidence = sigmoid(intercept + slope × mean log-probability + evidence × mean log-odds + strongest × highest
    log-odds)`, fitted on dev.

    The log-odds are the tagger's, of a caption's words: what a sentence says may be fluent and not in the photo.
    """

    slope: float
    intercept: float
    evidence: float = 0.0
    strongest: float = 0.0


class Manifest(_Section):
    """The whole of `manifest.json`; docs/architecture.md explains each field."""

    schema_version: Literal[1]
    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    files: dict[RelativePath, FileEntry]
    image: ImageSpec
    features: FeatureSpec
    tokens: SpecialTokens
    vocabulary_size: PositiveInt
    decoding: SearchDefaults
    encoder: EncoderInfo
    decoder: DecoderInfo
    confidence: Calibration | None
    training: dict[str, JsonValue]
    scores: dict[str, JsonValue]

    @model_validator(mode="after")
    def _check_tokens(self) -> Self:
        ids = self.tokens.ids()
        if len(set(ids)) != len(ids):
            msg = "the special tokens must differ from each other"
            raise ValueError(msg)
        if max(ids) >= self.vocabulary_size:
            msg = "a special token lies outside the vocabulary"
            raise ValueError(msg)
        if self.vocabulary_size == len(ids):
            msg = "the vocabulary has no words"
            raise ValueError(msg)
        return self

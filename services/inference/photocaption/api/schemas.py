"""The JSON of the API, which docs/api.md describes. Numbers are rounded to their precision."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

from photocaption.api.problems import Absent, Problem
from photocaption.caption import MAX_ALTERNATIVES, MAX_BEAM_WIDTH, Caption
from photocaption.captioner import Captioner
from photocaption.image.decode import FORMATS
from photocaption.model.manifest import Manifest
from photocaption.serving.service import Answer
from photocaption.serving.settings import Settings

Rounded = Annotated[float, AfterValidator(lambda number: round(number, 4))]
Weight = Annotated[float, AfterValidator(lambda weight: round(weight, 6))]
_BEAM_WIDTH_SCHEMA = WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_BEAM_WIDTH})  # absent, never null


class CaptionQuery(BaseModel):
    """The query parameters of `POST /caption` and `POST /captions`."""

    model_config = ConfigDict(extra="forbid")

    beam_width: Annotated[int | None, _BEAM_WIDTH_SCHEMA] = Field(
        None, ge=1, le=MAX_BEAM_WIDTH, description="Hypotheses kept at each word; by default the model's own choice."
    )
    alternatives: int = Field(0, ge=0, le=MAX_ALTERNATIVES, description="How many further captions to give.")
    attention: bool = Field(False, description="Whether each word tells where in the photo the model looked.")


class CaptionRequest(BaseModel):
    """A photo as JSON; with `images`, PhotoPrism's request."""

    model_config = ConfigDict(strict=True)

    image: str | None = Field(None, description="The photo in base64, or as a data URI.")
    images: list[str] | None = Field(None, description="The same in PhotoPrism's protocol; one photo.")
    id: str | None = Field(
        None, max_length=256, description="PhotoPrism's name for the request, which the answer repeats."
    )


class _PartSchema(BaseModel):
    """A part of a `Caption`, of which it has the attributes."""

    model_config = ConfigDict(from_attributes=True)


class AlternativeSchema(_PartSchema):
    """Another caption that the search found."""

    caption: str
    alt_text: str
    confidence: Rounded = Field(ge=0, le=1)
    log_probability: Rounded = Field(le=0, description="Natural logarithm of the whole caption's probability.")


class WordSchema(_PartSchema):
    """A word of the caption, its probability, and where the model looked for it."""

    word: str
    probability: Rounded = Field(ge=0, le=1, description="Given the photo and the words before it.")
    attention: list[Weight] | Absent = Field(
        None, description="One weight a cell of `attention_grid`, row by row, summing to 1. Present on request."
    )


class ImageSchema(_PartSchema):
    """The photo as it was sent."""

    width: int = Field(description="In pixels, as a person sees it: after the EXIF orientation.")
    height: int
    format: str = Field(description="Judged by content, e.g. `JPEG`.")
    sha256: str = Field(description="Of the bytes sent, in hex.")


class ModelName(BaseModel):
    """The model that wrote the caption."""

    name: str
    version: str


class GridSchema(BaseModel):
    """The grid over the photo that attention weights are for; its cells all have the same size."""

    rows: int
    columns: int


class TimingsSchema(BaseModel):
    """Milliseconds spent; stages that a cached caption did not go through are 0."""

    queue: float
    decode: float
    encode: float
    generate: float
    total: float

    @classmethod
    def of(cls, answer: Answer) -> Self:
        stages = answer.caption.timings.by_stage(queue_ms=answer.queue_ms) | {"total": answer.total_ms}
        return cls(**{stage: round(milliseconds, 2) for stage, milliseconds in stages.items()})


class CaptionResponse(BaseModel):
    """The answer to `POST /caption`."""

    caption: str = Field(description="The model's lower-case words.")
    alt_text: str = Field(description="The caption as a person would write it.")
    confidence: Rounded = Field(ge=0, le=1)
    alternatives: list[AlternativeSchema]
    words: list[WordSchema]
    image: ImageSchema
    model: ModelName
    timings_ms: TimingsSchema
    attention_grid: GridSchema | Absent = Field(
        None, description="Present when attention was asked for and the model has it."
    )

    @classmethod
    def of(cls, answer: Answer) -> Self:
        caption = answer.caption
        manifest = answer.manifest
        return cls(
            caption=caption.caption,
            alt_text=caption.alt_text,
            confidence=caption.confidence,
            alternatives=[AlternativeSchema.model_validate(alternative) for alternative in caption.alternatives],
            words=[WordSchema.model_validate(word) for word in caption.words],
            image=ImageSchema.model_validate(caption.image),
            model=ModelName(name=manifest.name, version=manifest.version),
            timings_ms=TimingsSchema.of(answer),
            attention_grid=_grid_of(caption, manifest),
        )


class CaptionItem(BaseModel):
    """The result for one photo of several: either `result` or `problem`."""

    result: CaptionResponse | Absent = None
    problem: Problem | Absent = None


class CaptionsResponse(BaseModel):
    """One item for each photo, in the order in which they were sent."""

    results: list[CaptionItem]


class InputSchema(BaseModel):
    """The size in pixels that a photo is resized to for the encoder."""

    height: int
    width: int


class DecodingSchema(BaseModel):
    """How captions are searched for when a request does not say."""

    beam_width: int
    length_penalty: float
    max_length: int


class LimitsSchema(BaseModel):
    """What may be sent; beyond it a request is a problem."""

    formats: list[str]
    max_body_bytes: int
    max_pixels: int = Field(description="Of a JPEG that can be shrunk while it is decoded, as most can.")
    max_held_pixels: int = Field(
        description="Of a PNG, AVIF, GIF, BMP or TIFF; of a HEIC twice as many, of a WebP half."
    )
    max_side: int
    max_images: int
    max_beam_width: int = MAX_BEAM_WIDTH
    max_alternatives: int = MAX_ALTERNATIVES


class EngineSchema(BaseModel):
    """What encodes photos on this machine."""

    name: str = Field(description="The library: `onnxruntime`, `openvino` or `tensorflow`.")
    instructions: str = Field(
        description="The best of the processor's instructions for it, such as `avx512_vnni`, or the kind of processor."
    )


class ModelResponse(BaseModel):
    """The public part of the bundle's manifest, its model card, and the limits of this service."""

    name: str
    version: str
    input: InputSchema
    vocabulary_size: int
    encoder: str
    precision: str
    decoder: str
    engine: EngineSchema
    attention_grid: GridSchema | None
    decoding: DecodingSchema
    scores: dict[str, JsonValue]
    training: dict[str, JsonValue]
    card: str = Field(description="The bundle's model card, as Markdown; empty if it has none.")
    limits: LimitsSchema

    @classmethod
    def of(cls, captioner: Captioner, settings: Settings) -> Self:
        bundle = captioner.bundle
        manifest = bundle.manifest
        return cls(
            name=manifest.name,
            version=manifest.version,
            input=InputSchema(height=manifest.image.height, width=manifest.image.width),
            vocabulary_size=manifest.vocabulary_size,
            encoder=manifest.encoder.architecture,
            precision=manifest.encoder.precision,
            decoder=manifest.decoder.architecture,
            engine=EngineSchema(name=captioner.engine, instructions=captioner.instructions),
            attention_grid=_model_grid(manifest),
            decoding=DecodingSchema(**manifest.decoding.model_dump()),
            scores=manifest.scores,
            training=manifest.training,
            card=bundle.card,
            limits=LimitsSchema(formats=list(FORMATS), **settings.model_dump(include=set(LimitsSchema.model_fields))),
        )


class HealthResponse(BaseModel):
    """The state of the service."""

    status: str = Field(description="`starting`, `ready`, `draining` or `failed`; `alive` for the liveness probe.")


def _model_grid(manifest: Manifest) -> GridSchema | None:
    features = manifest.features
    return GridSchema(rows=features.rows, columns=features.columns) if manifest.decoder.attention else None


def _grid_of(caption: Caption, manifest: Manifest) -> GridSchema | None:
    looked = any(word.attention is not None for word in caption.words)
    return _model_grid(manifest) if looked else None

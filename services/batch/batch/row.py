"""The rows of the output: one for each photo, whatever became of it, under one schema that never changes."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from batch.photo import Photo
from photocaption.caption import Caption

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("caption", pa.string()),
        ("alt_text", pa.string()),
        ("confidence", pa.float64()),
        pa.field("model", pa.string(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
        ("error_type", pa.string()),
        ("error_detail", pa.string()),
        pa.field("milliseconds", pa.float64(), nullable=False),
        pa.field("run", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Source:
    """What the rows of a run have in common."""

    model: str
    model_version: str
    run: str


@dataclass(frozen=True, slots=True)
class Row:
    """A photo's caption, or what kept it from having one: then `error_type` is not None, and `caption` is.

    `milliseconds`: spent on the photo, of which its batch's are shared out evenly. The other fields are the API's.
    """

    id: str
    uri: str
    sha256: str | None
    width: int | None
    height: int | None
    format: str | None
    caption: str | None
    alt_text: str | None
    confidence: float | None
    model: str
    model_version: str
    error_type: str | None
    error_detail: str | None
    milliseconds: float
    run: str


def write_caption(photo: Photo, caption: Caption, milliseconds: float, source: Source) -> Row:
    """The row of a photo that has a caption."""
    image = caption.image
    return Row(
        photo.id, photo.uri, image.sha256, image.width, image.height, image.format,
        caption.caption, caption.alt_text, caption.confidence,
        source.model, source.model_version, None, None, milliseconds, source.run,
    )  # fmt: skip


def write_failure(photo: Photo, kind: str, detail: str, milliseconds: float, source: Source) -> Row:
    """The row of a photo that has none."""
    return Row(
        photo.id, photo.uri, None, None, None, None, None, None, None,
        source.model, source.model_version, kind, detail, milliseconds, source.run,
    )  # fmt: skip


def to_parquet(rows: Sequence[Row]) -> pa.Buffer:
    """A Parquet file of `SCHEMA` that holds the rows."""
    columns = zip(zip(*map(astuple, rows), strict=True), SCHEMA, strict=True)
    table = pa.table([pa.array(column, field.type) for column, field in columns], schema=SCHEMA)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()

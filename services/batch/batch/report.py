"""A page about a run, to look at, that needs nothing else: captions beside their photos, confidence, failures."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow.parquet as pq
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from batch import storage
from batch.decoders import MAX_BYTES, open_decoders
from batch.outcome import FAILURES
from batch.output import Output
from batch.photo import Photo, from_table
from batch.reading import Reader
from batch.summary import Summary
from batch.survey import BINS, Captioned, survey
from photocaption.image.pool import Decode
from photocaption.image.worker import Target

_SIDE = 320
_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Example:
    """A caption, and its photo as a `data:` URI; None where it cannot be shown any more."""

    row: Captioned
    photo: str | None


def write_report(output: Output, summary: Summary, column: str | None) -> str:
    """The page about a run as HTML; `column`: where Parquet files hold their photos. Raises OSError."""
    files = [uri for uri in output.row_files() if uri.rpartition("/")[2].startswith(f"{summary.run}-")]
    found = survey(files, summary.run)
    environment = Environment(loader=PackageLoader("batch"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("report.html").render(
        summary=summary,
        bins=[(number / BINS, count) for number, count in enumerate(found.confidence)],
        most=max(1, *found.confidence),
        failures=found.failures,
        examples=list(_show(found.sample, output.manifest(summary.run), column)),
    )


def _show(sample: Sequence[Captioned], manifest: str, column: str | None) -> Iterator[Example]:
    photos = {photo.id: photo for photo in _find({row.id for row in sample}, manifest)}
    with open_decoders(1) as decoders:
        for row in sample:
            yield Example(row, _draw(row, photos[row.id], Reader(MAX_BYTES, column), decoders.decode))


def _find(ids: set[str], manifest: str) -> Iterator[Photo]:
    with storage.open_file(manifest) as stream, pq.ParquetFile(stream) as table:
        for group in range(table.metadata.num_row_groups):
            yield from (photo for photo in from_table(table.read_row_group(group)) if photo.id in ids)


def _draw(row: Captioned, photo: Photo, reader: Reader, decode: Decode) -> str | None:
    scale = _SIDE / max(row.width, row.height)
    width, height = (max(1, round(side * scale)) for side in (row.width, row.height))
    try:
        with reader:
            data = reader.find(photo)()
        pixels, _ = decode(data, Target(width, height, None, sufficient_side=min(width, height)))
    except FAILURES:
        return None
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"

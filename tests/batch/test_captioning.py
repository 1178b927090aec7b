"""Photos become rows in their order, whatever is wrong with some of them, by the decoders of the service."""

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.photos import photo_bytes

from batch.captioning import caption_photos
from batch.inputs import Columns, list_photos
from batch.outcome import OUTCOMES
from batch.photo import Photo
from batch.reading import Reader
from batch.row import Row, Source
from photocaption.api.problems import KINDS as PROBLEMS
from photocaption.captioner import Captioner
from photocaption.image.decode import ImageLimits
from photocaption.image.pool import DecodePool

SOURCE = Source("tiny", "0.0.1", "run")
COLOURS = ("red", "green", "blue")
MAX_BYTES = 200_000


@pytest.fixture(scope="module")
def captioner(tiny_bundle: Path) -> Iterator[Captioner]:
    with DecodePool(1, ImageLimits(), decode_seconds=5, deadline_seconds=120, max_bytes=MAX_BYTES) as decoders:
        yield Captioner.load(tiny_bundle, threads=1, decode=decoders.decode)


def _caption(captioner: Captioner, photos: list[Photo], column: str | None = None) -> list[Row]:
    with Reader(MAX_BYTES, column) as reader:
        return list(caption_photos(captioner, photos, reader, SOURCE, threads=2))


def test_every_photo_has_its_row_in_order_and_what_fails_says_why(captioner: Captioner, tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number:02}.png").write_bytes(photo_bytes(COLOURS[number % 3]))
    (tmp_path / "03.png").write_bytes(b"no photo")
    (tmp_path / "04.png").write_bytes(photo_bytes("red")[:60])
    (tmp_path / "05.png").write_bytes(bytes(MAX_BYTES + 1))
    listed = list(list_photos([str(tmp_path)], Columns()))
    (tmp_path / "06.png").unlink()

    rows = _caption(captioner, listed)

    assert [row.uri for row in rows] == [photo.uri for photo in listed]
    failed = {row.uri[-6:]: row.error_type for row in rows if row.error_type}
    assert failed == {
        "03.png": "unsupported-type", "04.png": "undecodable-image", "05.png": "file-too-large", "06.png": "unreadable",
    }  # fmt: skip
    assert all((row.caption is None) == (row.error_type is not None) for row in rows)
    assert rows[7].caption == "a green square"
    assert rows[7].alt_text == "A green square."
    assert (rows[7].width, rows[7].height, rows[7].format) == (64, 64, "PNG")
    assert rows[6].error_detail == "The file cannot be read: No such file or directory"


def test_the_names_of_failures_are_those_of_the_api() -> None:
    ours = {"captioned", "file-too-large", "unreadable"}

    assert set(OUTCOMES) - ours <= {kind.slug for kind in PROBLEMS}


def test_rows_of_a_table_are_read_forwards_over_its_groups_and_from_the_middle(
    captioner: Captioner, tmp_path: Path
) -> None:
    cells = [photo_bytes(COLOURS[row % 3]) for row in range(45)]
    pq.write_table(pa.table({"photo": [*cells[:20], None, *cells[21:]]}), tmp_path / "t.parquet", row_group_size=18)
    pq.write_table(pa.table({"photo": cells[:2]}), tmp_path / "u.parquet")
    listed = list(list_photos([str(tmp_path)], Columns(bytes="photo")))

    rows = _caption(captioner, [*listed[17:30], listed[44], *listed[45:]], "photo")

    assert [row.caption for row in rows if row.uri.endswith("#20")] == [None]
    named = {row.uri: row.caption for row in rows if row.caption}
    assert len(named) == 15
    assert all(caption == f"a {COLOURS[int(uri.split('#')[1]) % 3]} square" for uri, caption in named.items())


def test_a_table_that_is_gone_makes_rows_of_failures(captioner: Captioner, tmp_path: Path) -> None:
    pq.write_table(pa.table({"photo": [photo_bytes("red")] * 2}), tmp_path / "t.parquet")
    listed = list(list_photos([str(tmp_path)], Columns(bytes="photo")))
    (tmp_path / "t.parquet").unlink()

    assert [row.error_type for row in _caption(captioner, listed, "photo")] == ["unreadable", "unreadable"]


def test_a_table_is_not_read_ahead_as_a_whole(tmp_path: Path) -> None:
    groups, photos, size = 30, 10, 100_000
    cells = [os.urandom(size) for _ in range(groups * photos)]
    pq.write_table(pa.table({"photo": cells}), tmp_path / "t.parquet", row_group_size=photos)
    listed = list(list_photos([str(tmp_path)], Columns(bytes="photo")))

    before = pa.total_allocated_bytes()
    with Reader(MAX_BYTES, "photo") as reader:
        assert reader.find(listed[0])() == cells[0]
        held = pa.total_allocated_bytes() - before

    assert held < groups * photos * size / 2

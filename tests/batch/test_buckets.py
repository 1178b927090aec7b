"""Photos and rows in an object store: the code of whole runs, but for Ray, against a server that speaks S3."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs
from support.photos import photo_bytes
from support.tars import make_tar

from batch import storage
from batch.captioning import caption_photos
from batch.errors import InputError, RunError
from batch.inputs import Columns, list_photos
from batch.output import Output
from batch.photo import Photo
from batch.plan import Listing, read_unit
from batch.reading import Reader
from batch.row import Source, to_parquet
from photocaption.captioner import Captioner

NAMES = ("photos/100% sure?#1.png", "photos/below/b b.png", "photos/below/c.png", "photos/d.png")
SOURCE = Source("tiny", "0.0.1", "20260101T000000-abcd")
MODEL = {"model": {"name": "tiny", "version": "0.0.1"}}


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket with four photos, a table of photos, and a file that is none."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_REGION", "us-east-1")
        environment.setenv("AWS_ACCESS_KEY_ID", "nobody")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        system, path = fs.FileSystem.from_uri("s3://bucket?allow_bucket_creation=true")
        system.create_dir(path)
        for name, colour in zip(NAMES, ("red", "green", "blue", "red"), strict=True):
            storage.publish(f"s3://bucket/{name}", photo_bytes(colour))
        storage.publish("s3://bucket/photos/notes.txt", b"none")
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"photo": [photo_bytes("blue"), b"none"]}), sink)
        storage.publish("s3://bucket/tables/t.parquet", sink.getvalue())
        tar = make_tar({"0.png": photo_bytes("green"), "1.png": bytes(900)})
        storage.publish("s3://bucket/tars/t.tar", tar[: 1024 + 512 + 100])
        yield "s3://bucket"
    server.stop()


def _list(*inputs: str, columns: Columns = Columns()) -> list[Photo]:  # noqa: B008  # it is frozen
    return list(list_photos(inputs, columns))


def test_a_bucket_is_listed_like_a_folder_and_its_keys_are_nothing_special(bucket: str) -> None:
    listed = _list(f"{bucket}/photos")
    [single] = _list(f"{bucket}/photos/d.png")

    assert sorted(photo.uri.removeprefix(f"{bucket}/") for photo in listed) == sorted(NAMES)
    assert single in listed
    assert len(_list(f"{bucket}/photos/**/?.png")) == 2
    with pytest.raises(InputError, match="no such file or folder"):
        _list(f"{bucket}/missing")


def test_photos_of_a_bucket_are_captioned_into_it_and_are_done_then(
    bucket: str, tiny_bundle: Path, tmp_path: Path
) -> None:
    output = Output.open(f"{bucket}/captions")
    photos = [*_list(f"{bucket}/photos"), *_list(f"{bucket}/tables", columns=Columns(bytes="photo"))]
    photos += _list(f"{bucket}/tars")
    output.begin(SOURCE.run, MODEL)
    listing = Listing(photos, tmp_path)
    marks = listing.mark_to_do(output.written_ids(with_failed=True))
    assert listing.write_manifest(marks, 10, output.manifest(SOURCE.run)) == 1

    unit = read_unit(pq.ParquetFile(storage.open_file(output.manifest(SOURCE.run))), 0)
    captioner = Captioner.load(tiny_bundle, threads=1)
    with Reader(100_000, "photo") as reader:
        rows = list(caption_photos(captioner, unit, reader, SOURCE, threads=2))
    storage.publish(output.rows(SOURCE.run, 0), to_parquet(rows))

    found = ds.dataset(output.uri).to_table(columns=["uri", "caption", "error_type"]).to_pylist()
    captions = {row["uri"].removeprefix(f"{bucket}/"): row["caption"] or row["error_type"] for row in found}
    assert captions == {
        NAMES[0]: "a red square", NAMES[1]: "a green square", NAMES[2]: "a blue square", NAMES[3]: "a red square",
        "tables/t.parquet#0": "a blue square", "tables/t.parquet#1": "unsupported-type",
        "tars/t.tar#0.png": "a green square", "tars/t.tar#1.png": "unreadable",
    }  # fmt: skip
    assert storage.exists(output.rows(SOURCE.run, 0))
    assert sum(map(len, output.written_ids(with_failed=True))) == 8


def test_an_output_in_a_bucket_has_one_owner(bucket: str) -> None:
    output = Output.open(f"{bucket}/owned")
    output.begin(SOURCE.run, MODEL)
    output.check_owner(SOURCE.run)
    output.check_model("tiny", "0.0.1")
    output.begin("20260101T000001-abcd", MODEL)

    with pytest.raises(RunError, match="has taken over"):
        output.check_owner(SOURCE.run)

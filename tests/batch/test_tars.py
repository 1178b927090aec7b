"""The photos of a tar are captioned in order; where it is cut, or a sample is in pieces, a row says so."""

import io
import tarfile
from pathlib import Path

import pytest
from support.photos import photo_bytes
from support.tars import make_tar

from batch.errors import InputError
from batch.inputs import Columns, list_photos
from batch.photo import Photo, from_table, to_table
from batch.reading import Reader, UnreadableError

RED, BLUE = photo_bytes("red"), photo_bytes("blue")
SAMPLES = {
    "a/0.png": RED,
    "a/0.json": b"{}",
    "a/1.left.png": BLUE,
    "a/1.right.png": RED,
    "a/1.txt": b"",
    "b/0.png": BLUE,
}


def _list(tmp_path: Path, data: bytes) -> list[Photo]:
    (tmp_path / "t.tar").write_bytes(data)
    return list(from_table(to_table(list(list_photos([str(tmp_path)], Columns())))))


def _read(photos: list[Photo], most: int = 10_000) -> list[bytes | str]:
    found: list[bytes | str] = []
    with Reader(most, None) as reader:
        for photo in photos:
            try:
                found.append(reader.find(photo)())
            except UnreadableError as error:
                found.append(str(error))
    return found


def test_every_photo_is_read_in_order(tmp_path: Path) -> None:
    photos = _list(tmp_path, make_tar(SAMPLES))

    assert [photo.uri.partition("#")[2] for photo in photos] == ["a/0.png", "a/1.left.png", "a/1.right.png", "b/0.png"]
    assert _read(photos) == [RED, BLUE, RED, BLUE]
    assert len({photo.id for photo in photos}) == 4


def test_a_sample_whose_parts_lie_apart_is_told_of_and_the_others_are_not(tmp_path: Path) -> None:
    photos = _list(tmp_path, make_tar({"0.png": RED, "1.png": BLUE, "0.json": b"{}", "2.png": RED}))

    assert _read(photos) == ["The parts of the sample do not lie together.", BLUE, RED]


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        (512 + 100, ["The archive ends before the photo does."]),
        (1024 + 100, [RED, "The archive ends without a mark of its end: what came after is lost."]),
        (1024, [RED, "The archive ends without a mark of its end: what came after is lost."]),
        (1536 + 10, [RED, "The archive ends before the photo does."]),
    ],
)
def test_a_tar_that_is_cut_says_so_where_it_ends(tmp_path: Path, kept: int, found: list[object]) -> None:
    assert len(RED) <= 512
    assert len(BLUE) <= 512

    photos = _list(tmp_path, make_tar({"0.png": RED, "1.png": BLUE})[:kept])

    assert _read(photos) == found
    assert len({photo.id for photo in photos}) == len(photos)


def test_a_tar_that_became_shorter_makes_rows_of_failures(tmp_path: Path) -> None:
    photos = _list(tmp_path, make_tar(SAMPLES))
    (tmp_path / "t.tar").write_bytes(make_tar(SAMPLES)[: 512 + 10])

    assert _read(photos) == ["The archive is shorter than it was."] * 4


def test_links_are_no_photos(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        link = tarfile.TarInfo("0.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)

    with pytest.raises(InputError, match="no photos here"):
        list(list_photos([str(tmp_path)], Columns()))


def test_what_is_no_tar_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a tar"):
        _list(tmp_path, b"nothing of the kind" * 100)


def test_a_name_in_a_tar_need_not_be_utf_8(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        header = tarfile.TarInfo("\udcff.png")
        header.size = 5
        tar.addfile(header, io.BytesIO(b"photo"))

    [photo] = list_photos([str(tmp_path / "t.tar")], Columns())

    assert photo.uri.endswith("t.tar#\\xff.png")
    assert list(from_table(to_table([photo]))) == [photo]

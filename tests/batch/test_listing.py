"""Folders, globs and tables become photos, each with an id that stays until the file changes."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.deep_folder import make_deep

from batch import storage
from batch.errors import InputError
from batch.inputs import Columns, list_photos
from batch.listing import translate
from batch.photo import Photo, from_table, to_table

NEITHER = Columns()


def _list(*inputs: str | Path, columns: Columns = NEITHER) -> list[Photo]:
    return list(list_photos([str(name) for name in inputs], columns))


def _names(found: list[Photo]) -> list[str]:
    return [Path(photo.uri).name for photo in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "2024" / "may").mkdir(parents=True)
    for name in ("b.jpg", "a.PNG", "2024/c.webp", "2024/may/d.jpeg", "notes.txt", "2024/e.parquet"):
        (tmp_path / name).write_bytes(b"content")
    return tmp_path


def test_a_folder_gives_its_photos_and_those_below_in_order(folder: Path) -> None:
    assert _names(_list(folder)) == ["c.webp", "d.jpeg", "a.PNG", "b.jpg"]


@pytest.mark.parametrize(
    ("pattern", "names"),  # a table is no input unless its column is named
    [
        ("*.jpg", ["b.jpg"]),
        ("**/*.[jw]*", ["c.webp", "d.jpeg", "b.jpg"]),
        ("2024/**/*", ["c.webp", "d.jpeg"]),
        ("[!b].*", ["a.PNG"]),
    ],
)
def test_a_glob_gives_what_it_says_whatever_the_name(folder: Path, pattern: str, names: list[str]) -> None:
    assert _names(_list(folder / pattern)) == names


def test_an_input_without_photos_is_an_error(folder: Path) -> None:
    with pytest.raises(InputError, match="no photos here"):
        _list(folder / "b.jpg", folder / "?.txt")


def test_what_is_special_in_a_glob_is_nothing_special_in_a_name(tmp_path: Path) -> None:
    (tmp_path / "[1].jpg").write_bytes(b"content")

    assert _names(_list(tmp_path / "[1].jpg")) == ["[1].jpg"]
    assert translate("a.b[") == r"a\.b\["


def test_an_id_stays_until_the_file_changes_and_does_not_depend_on_the_way_it_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    [by_path], [by_name] = _list(folder / "b.jpg"), _list("./b.jpg")
    in_folder = next(photo for photo in _list(folder) if photo.uri.endswith("b.jpg"))
    os.utime("b.jpg", ns=(0, 1))
    [changed] = _list("b.jpg")

    assert by_path == by_name == in_folder
    assert changed.uri == by_path.uri
    assert changed.id != by_path.id


def test_links_to_folders_pipes_and_links_to_nowhere_are_no_photos(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"content")
    (tmp_path / "loop.jpg").symlink_to(tmp_path)
    (tmp_path / "nowhere.jpg").symlink_to(tmp_path / "missing")
    (tmp_path / "linked.jpg").symlink_to(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")

    assert _names(_list(tmp_path)) == ["a.jpg", "linked.jpg"]


def test_folders_may_be_a_thousand_deep(tmp_path: Path) -> None:
    with make_deep(tmp_path) as deepest:
        (deepest / "b.png").write_bytes(b"photo")

        assert [photo.uri for photo in list_photos([str(tmp_path)], Columns(None, None))] == [f"{deepest}/b.png"]


def test_a_name_that_is_not_utf_8_is_listed_written_down_and_read(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff %41.jpg"))
    odd.write_bytes(b"content")
    (tmp_path / "%41 #?.jpg").write_bytes(b"plain")

    again = list(from_table(to_table(_list(tmp_path))))

    assert [storage.read(photo.uri, 100) for photo in again] == [b"plain", b"content"]
    assert again[1].uri.startswith("file://")


def test_a_folder_that_may_not_be_looked_into_is_an_error_and_not_passed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("may"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)

    with pytest.raises(InputError, match="may: Permission denied"):
        _list(folder)


def test_a_table_of_names_gives_each_that_is_not_empty(tmp_path: Path) -> None:
    pq.write_table(pa.table({"photo": ["/one.jpg", None, "s3://b/two.jpg"]}), tmp_path / "t.parquet")

    found = _list(tmp_path / "t.parquet", columns=Columns(uri="photo"))

    assert [(photo.kind, photo.uri) for photo in found] == [("file", "/one.jpg"), ("file", "s3://b/two.jpg")]


def test_a_table_of_photos_gives_each_row(tmp_path: Path) -> None:
    pq.write_table(pa.table({"photo": [b"one", b"two"]}), tmp_path / "t.parquet")

    found = _list(tmp_path, columns=Columns(bytes="photo"))

    assert [(photo.kind, photo.start) for photo in found] == [("table", 0), ("table", 1)]
    assert found[0].holder == str(tmp_path / "t.parquet")
    assert len({photo.id for photo in found}) == 2


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(bytes="missing"), "has no column missing, but photo"),
        (Columns(bytes="photo"), "its column photo holds string, not bytes"),
        (NEITHER, "say which column has them"),
    ],
)
def test_a_table_that_does_not_fit_is_an_error_that_says_why(tmp_path: Path, columns: Columns, message: str) -> None:
    pq.write_table(pa.table({"photo": ["text"]}), tmp_path / "t.parquet")

    with pytest.raises(InputError, match=message):
        _list(tmp_path / "t.parquet", columns=columns)


def test_what_is_no_table_or_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 nonsense PAR1")

    with pytest.raises(InputError, match="cannot be read as Parquet"):
        _list(tmp_path / "t.parquet", columns=Columns(uri="photo"))
    with pytest.raises(InputError, match="no such file or folder"):
        _list(tmp_path / "missing")


def test_a_table_with_two_columns_of_the_name_or_with_text_that_is_not_utf_8_is_an_error(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([b"1"])] * 2, ["photo"] * 2), tmp_path / "two.parquet")
    offsets = pa.py_buffer(bytes([0, 0, 0, 0, 1, 0, 0, 0]))
    pq.write_table(
        pa.table({"name": pa.StringArray.from_buffers(1, offsets, pa.py_buffer(b"\xff"))}), tmp_path / "latin.parquet"
    )

    with pytest.raises(InputError, match="has more than one column photo"):
        list(list_photos([str(tmp_path / "two.parquet")], Columns(bytes="photo")))
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        list(list_photos([str(tmp_path / "latin.parquet")], Columns(uri="name")))


def test_a_name_that_is_not_utf_8_may_be_given(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")
    Path(path).write_bytes(b"photo")

    assert list(list_photos([path], Columns())) == list(list_photos([str(tmp_path)], Columns()))
    with pytest.raises(InputError, match="no such file or folder"):
        list(list_photos([path + "x"], Columns()))


@pytest.mark.parametrize("name", ["no-such-scheme://x/y", "no-such-scheme://x/*.jpg", "a\0b"])
def test_a_name_that_cannot_be_one_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match=r"Unrecognized filesystem|null byte"):
        list(list_photos([name], Columns()))


@pytest.mark.timeout(10)
def test_a_pipe_that_is_named_is_an_error_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")

    with pytest.raises(InputError, match="not a plain file"):
        list(list_photos([str(tmp_path / "pipe.jpg")], Columns()))

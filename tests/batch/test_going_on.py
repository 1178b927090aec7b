"""A run goes on from what is written. Here an actor does the units in this process, one by one, without Ray."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from support.batch_here import do_here
from support.photos import photo_bytes

from batch import pipeline, storage
from batch.cli import main
from batch.output import Output
from batch.unit import Task

pytestmark = pytest.mark.usefixtures("without_ray")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for number in range(5):
        (tmp_path / "photos" / f"{number}.png").write_bytes(photo_bytes("red"))
    (tmp_path / "photos" / "late.png").write_bytes(b"not there yet")
    return tmp_path / "photos"


def _run(photos: Path, bundle: Path, *options: str) -> list[dict[str, object]]:
    """The rows of the output after a run, by name and run."""
    output = photos.parent / "captions"
    assert main([str(photos), f"--output={output}", f"--bundle={bundle}", *options]) == 0
    rows = ds.dataset(str(output)).to_table(columns=["uri", "caption", "error_type", "run"]).to_pylist()
    return sorted(rows, key=lambda row: (Path(row["uri"]).name, row["run"]))


def test_only_photos_that_are_new_are_captioned(photos: Path, tiny_bundle: Path) -> None:
    first = _run(photos, tiny_bundle, "--rows-per-file=2")
    (photos / "5.png").write_bytes(photo_bytes("blue"))
    (photos / "0.png").unlink()

    second = _run(photos, tiny_bundle)

    new = [row for row in second if row not in first]
    assert [row for row in second if row in first] == first
    assert [(Path(str(row["uri"])).name, row["caption"]) for row in new] == [("5.png", "a blue square")]


def test_what_failed_is_captioned_again_when_that_is_asked_for(photos: Path, tiny_bundle: Path) -> None:
    before = _run(photos, tiny_bundle)
    unasked = _run(photos, tiny_bundle)
    asked = _run(photos, tiny_bundle, "--retry-failed")

    assert unasked == before
    assert [row["error_type"] for row in asked if row not in before] == ["unsupported-type"]
    assert len(asked) == len(before) + 1


def test_a_unit_that_comes_twice_has_one_file(
    photos: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def twice(task: Task, units: int, actors: int) -> Iterator[dict[str, int]]:
        list(do_here(task, units, actors))
        with monkeypatch.context() as patch:
            patch.setattr(storage, "publish", None)  # whoever writes the file again fails
            yield from do_here(task, units, actors)

    monkeypatch.setattr(pipeline, "do_units", twice)

    assert len(_run(photos, tiny_bundle)) == 6
    assert capsys.readouterr().out.startswith("5 photos captioned, 1 failed (1 unsupported-type)")


def test_a_run_that_died_before_it_had_begun_is_no_hindrance(photos: Path, tiny_bundle: Path) -> None:
    _run(photos, tiny_bundle)
    (photos.parent / "captions" / "_runs" / "20260101T000000-dead").mkdir()

    assert len(_run(photos, tiny_bundle)) == 6


def test_a_run_that_is_taken_over_from_ends_and_writes_nothing_more(
    photos: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lose(task: Task, units: int, actors: int) -> Iterator[dict[str, int]]:
        rows = do_here(task, units, actors)
        yield next(rows)
        task.output.begin("29991231T000000-abcd", {"model": {"name": "tiny", "version": "0.0.1"}})
        yield from rows

    monkeypatch.setattr(pipeline, "do_units", lose)
    output = photos.parent / "captions"

    status = main([str(photos), f"--output={output}", f"--bundle={tiny_bundle}", "--rows-per-file=2"])

    assert status == 1
    assert "the run 29991231T000000-abcd has taken over" in capsys.readouterr().err
    assert len(Output.open(str(output)).row_files()) == 1


def test_a_full_disk_is_said_in_a_line_leaves_no_half_file_and_is_no_hindrance_later(
    photos: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = photos.parent / "captions"
    write = storage._write_through

    def fill(path: Path, data: bytes) -> None:
        write(path, data)
        if path.parent == output:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "_write_through", fill)
        status = main([str(photos), f"--output={output}", f"--bundle={tiny_bundle}"])

    assert status == 1
    assert f"caption-batch: {output}: No space left on device" in capsys.readouterr().err
    assert [path for path in output.iterdir() if path.is_file()] == []
    assert len(_run(photos, tiny_bundle)) == 6

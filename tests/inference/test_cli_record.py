"""The files that `caption` writes: never half, never twice, never over what is there unasked."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image
from support.command import run_caption
from support.photos import photo_bytes

from photocaption.captioner import Captioner
from photocaption.cli.outcome import Outcome, Status
from photocaption.cli.output import Format, Layout
from photocaption.cli.photo import Photo
from photocaption.cli.record import ANY_NAME, open_record

# KILLED_PHOTOS=10000 makes the run that is killed a long one.
_KILLED_PHOTOS = int(os.environ.get("KILLED_PHOTOS", "200"))
_KILLS = 5 if _KILLED_PHOTOS > 1000 else 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A blue photo and a red one."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "blue.jpg").write_bytes(photo_bytes("blue", "JPEG"))
    (tmp_path / "photos" / "red.png").write_bytes(photo_bytes("red"))
    return tmp_path / "photos"


def read_rows(path: Path, format_name: Format) -> list[dict[str, object]]:
    stream = io.StringIO(path.read_bytes().decode("utf-8", ANY_NAME), newline="")
    return list(csv.DictReader(stream)) if format_name == "csv" else [json.loads(line) for line in stream]


@pytest.mark.parametrize("format_name", ["csv", "jsonl"])
def test_a_second_run_writes_nothing_and_needs_no_model(folder: Path, tiny_bundle: Path, format_name: Format) -> None:
    output = folder.parent / "out"
    options = (folder, folder / "gone.png", "--format", format_name, "--output", output)

    first = run_caption(*options, bundle=tiny_bundle)
    written = output.read_bytes(), output.stat().st_mtime_ns
    second = run_caption(*options, bundle=Path("no model is needed"))

    assert (first.returncode, second.returncode) == (1, 1)
    assert (output.read_bytes(), output.stat().st_mtime_ns) == written
    assert second.stderr.splitlines()[-1] == "caption: 2 there already, 1 failed"


@pytest.mark.parametrize("format_name", ["csv", "jsonl"])
def test_new_photos_and_changed_ones_get_rows_and_failures_another_try(
    folder: Path, tiny_bundle: Path, format_name: Format
) -> None:
    output = folder.parent / "out"
    options = (folder, "--format", format_name, "--output", output)
    (folder / "later.png").write_bytes(b"no photo yet")
    run_caption(*options, bundle=tiny_bundle)

    (folder / "red.png").write_bytes(photo_bytes("green"))
    (folder / "later.png").write_bytes(photo_bytes("white"))
    (folder / "new.png").write_bytes(photo_bytes("black"))
    run_caption(*options, bundle=tiny_bundle)

    rows = read_rows(output, format_name)
    assert [(Path(str(row["file"])).name, row.get("caption") or "") for row in rows] == [
        ("blue.jpg", "a blue square"),
        ("later.png", ""),
        ("red.png", "a red square"),
        ("later.png", "a white square"),
        ("new.png", "a black square"),
        ("red.png", "a green square"),
    ]


def test_a_dry_run_names_what_is_still_to_do_and_writes_nothing(folder: Path, tiny_bundle: Path) -> None:
    output = folder.parent / "out.csv"
    options = ("--format", "csv", "--output", output)
    run_caption(folder / "blue.jpg", *options, bundle=tiny_bundle)
    written = output.read_bytes()

    result = run_caption(folder, *options, "--dry-run", bundle=Path("no model is needed"))
    run_caption(folder, "--output", folder / "not.csv", "--dry-run", bundle=Path("no model is needed"))

    assert result.stdout == f"{folder}/red.png\n"
    assert output.read_bytes() == written
    assert not (folder / "not.csv").exists()


@pytest.mark.parametrize("format_name", ["csv", "jsonl"])
def test_a_photo_left_to_a_person_is_tried_again_only_when_less_is_asked(
    folder: Path, tiny_bundle: Path, format_name: Format
) -> None:
    output = folder.parent / "out"
    options = (folder / "red.png", "--format", format_name, "--output", output, "--min-confidence")
    run_caption(*options, "1", bundle=tiny_bundle)
    written = output.read_bytes()

    kept = run_caption(*options, "0.999", bundle=Path("no model is needed"))
    unchanged = output.read_bytes()
    run_caption(*options, "0.1", bundle=tiny_bundle)

    assert "red.png: unsure" in kept.stderr
    assert unchanged == written
    assert read_rows(output, format_name)[-1]["caption"] == "a red square"


def test_replace_makes_a_file_anew_and_append_adds_to_it(folder: Path, tiny_bundle: Path) -> None:
    output = folder.parent / "out.csv"
    options = (folder, "--format", "csv", "--output", output)
    output.write_text("something else")

    run_caption(*options, "--existing", "replace", bundle=tiny_bundle)
    anew = len(read_rows(output, "csv"))
    run_caption(*options, "--existing", "append", bundle=tiny_bundle)

    assert (anew, len(read_rows(output, "csv"))) == (2, 4)


@pytest.mark.parametrize("format_name", ["text", "csv", "jsonl"])
def test_a_file_that_is_made_anew_stays_whole_until_the_new_one_is(
    folder: Path, tiny_bundle: Path, format_name: str
) -> None:
    output = folder.parent / "out"
    output.write_text("before")
    options = (folder, "--format", format_name, "--output", output, "--existing", "replace")

    failed = run_caption(*options, bundle=Path("nowhere"))
    kept = output.read_text()
    run_caption(*options, bundle=tiny_bundle)

    assert (failed.returncode, kept) == (2, "before")
    assert "blue.jpg" in output.read_text()
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("format_name", "content", "complaint"),
    [
        ("csv", "file,text\na.jpg,By a person\n", "its columns are not file,caption,alt_text,confidence,error,sha256"),
        ("csv", "By a person", "its columns are not"),
        ("jsonl", '{"id": 1}\n', "line 1 was not written by this program"),
        ("jsonl", "By a person", "line 1 was not written by this program"),
        ("jsonl", "[" * 100_000, "line 1 was not written by this program"),
        ("csv", "x" * 200_000, "its columns are not"),
    ],
)
def test_a_file_of_others_is_not_touched_unasked(
    folder: Path, tiny_bundle: Path, format_name: str, content: str, complaint: str
) -> None:
    output = folder.parent / "out"
    output.write_text(content)

    result = run_caption(folder, "--format", format_name, "--output", output, bundle=tiny_bundle)

    assert (result.returncode, output.read_text()) == (2, content)
    assert complaint in result.stderr


def test_two_runs_do_not_write_to_one_file(folder: Path, tiny_bundle: Path) -> None:
    output = folder.parent / "out.csv"

    with open_record(output, Layout("csv"), "skip"):
        result = run_caption(folder, "--format", "csv", "--output", output, bundle=tiny_bundle)

    assert (result.returncode, result.stderr) == (2, f"caption: {output}: another run is writing to it\n")


def test_what_is_no_file_is_not_replaced_by_one(folder: Path, tiny_bundle: Path) -> None:
    pipe = folder.parent / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)

    run_caption(folder, "--output", pipe, bundle=tiny_bundle)

    assert len(reader.communicate(timeout=30)[0].splitlines()) == 2
    assert pipe.is_fifo()


@pytest.mark.parametrize("format_name", ["csv", "jsonl"])
def test_wherever_a_row_was_cut_off_every_photo_is_there_once_in_the_end(
    tmp_path: Path, captioner: Captioner, format_name: Format
) -> None:
    names = ["a.png", 'b "quoted", and\nin two lines.png', os.fsdecode(b"caf\xe9.png")]
    caption = captioner.caption(photo_bytes("red"))
    outcomes = [Outcome(name, Status.CAPTIONED, caption.image.sha256, caption) for name in names]
    outcomes += [
        Outcome("d.png", Status.FAILED, "0" * 64, reason="damaged"),
        Outcome("e", Status.FAILED, reason="gone"),
    ]
    output = tmp_path / "out"
    write_all(output, format_name, outcomes)
    whole = output.read_bytes()

    for length in range(0, len(whole), 5):  # which meets each field of some row
        output.write_bytes(whole[:length])
        write_all(output, format_name, outcomes)
        rows = read_rows(output, format_name)
        assert [row["file"] for row in rows] == [outcome.name for outcome in outcomes], whole[:length]


def write_all(output: Path, format_name: Format, outcomes: Sequence[Outcome]) -> None:
    """What a run over these photos does."""
    with open_record(output, Layout(format_name), "skip") as record:
        for outcome in outcomes:
            photo = Photo(outcome.name)
            photo.sha256 = outcome.sha256
            record.note(record.find(photo) or outcome)


def test_a_run_that_is_killed_again_and_again_captions_every_photo_once(tmp_path: Path, tiny_bundle: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(_KILLED_PHOTOS):
        Image.new("RGB", (32, 32), (number % 256, number // 256, 99)).save(photos / f"{number:05}.png")
    output = tmp_path / "out.csv"
    options = [str(photos), "--format", "csv", "--output", str(output)]
    command = [sys.executable, "-m", "photocaption.cli", *options, "--bundle", str(tiny_bundle)]

    for kill in range(1, _KILLS + 1):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while process.poll() is None and count_lines(output) <= kill * _KILLED_PHOTOS // (_KILLS + 1):
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL, "it was done before it could be killed"
    last = run_caption(*options, bundle=tiny_bundle)
    written = output.stat().st_mtime_ns
    begun = time.monotonic()
    again = run_caption(*options, bundle=Path("no model is needed"))
    seconds = time.monotonic() - begun

    rows = Counter(row["file"] for row in read_rows(output, "csv"))
    assert rows == Counter(str(photo) for photo in photos.iterdir())
    assert (last.returncode, again.returncode) == (0, 0)
    assert output.stat().st_mtime_ns == written
    assert seconds < max(5, _KILLED_PHOTOS / 500)


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0

"""The program `caption`: photos and folders in, sentences out."""

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from support.command import run_caption
from support.photos import photo_bytes

from photocaption.cli.photo import MAX_BYTES, Photo


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos, one of them in a folder below, and something that is none."""
    (tmp_path / "photos" / "more").mkdir(parents=True)
    (tmp_path / "photos" / "blue.JPG").write_bytes(photo_bytes("blue", "JPEG"))
    (tmp_path / "photos" / "more" / "red.png").write_bytes(photo_bytes("red"))
    (tmp_path / "photos" / "notes.txt").write_text("no photo")
    return tmp_path / "photos"


def test_one_photo_gives_one_sentence(folder: Path, tiny_bundle: Path) -> None:
    result = run_caption(folder / "more" / "red.png", bundle=tiny_bundle)

    assert (result.returncode, result.stdout, result.stderr) == (0, "A red square.\n", "")


def test_a_folder_gives_a_named_sentence_for_every_photo_in_and_below_it(folder: Path, tiny_bundle: Path) -> None:
    result = run_caption(folder, bundle=tiny_bundle)

    assert result.returncode == 0
    assert result.stdout.splitlines() == [
        f"{folder}/blue.JPG: A blue square.",
        f"{folder}/more/red.png: A red square.",
    ]
    assert result.stderr == ""


def test_a_photo_is_read_from_standard_input(tiny_bundle: Path) -> None:
    result = run_caption("-", bundle=tiny_bundle, stdin=photo_bytes("green"))

    assert (result.returncode, result.stdout) == (0, "A green square.\n")


def test_json_lines_are_objects_with_everything_that_is_known(folder: Path, tiny_bundle: Path) -> None:
    result = run_caption(folder, "--format", "jsonl", "--alternatives", "1", bundle=tiny_bundle)

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["caption"] for line in lines] == ["a blue square", "a red square"]
    assert [line["alternatives"][0]["caption"] for line in lines] == ["a blue photo", "a red photo"]
    assert lines[0]["file"] == f"{folder}/blue.JPG"
    assert lines[0]["image"]["format"] == "JPEG"
    assert [word["word"] for word in lines[0]["words"]] == ["a", "blue", "square"]
    assert run_caption(folder, "--format", "jsonl", "--alternatives", "1", bundle=tiny_bundle).stdout == result.stdout


def test_csv_has_a_header_and_a_column_for_every_alternative(folder: Path, tiny_bundle: Path) -> None:
    odd = folder / 'a "quoted", name.png'
    odd.write_bytes(photo_bytes("green"))

    result = run_caption(odd, "--format", "csv", "--alternatives", "2", bundle=tiny_bundle)

    header, row = csv.reader(io.StringIO(result.stdout))
    assert header == ["file", "caption", "alt_text", "confidence", "alternative_1", "alternative_2", "error", "sha256"]
    assert row[:3] == [str(odd), "a green square", "A green square."]
    assert 0 <= float(row[3]) <= 1
    assert row[-2:] == ["", hashlib.sha256(odd.read_bytes()).hexdigest()]


def test_alternatives_follow_the_sentence_in_text(folder: Path, tiny_bundle: Path) -> None:
    result = run_caption(folder / "blue.JPG", "--alternatives", "1", bundle=tiny_bundle)

    first, second = result.stdout.splitlines()
    assert first == "A blue square."
    assert second.split("%")[1].strip() == "A blue photo."


def test_the_output_can_go_to_a_file(folder: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    result = run_caption(folder, "--format", "csv", "--output", tmp_path / "out.csv", bundle=tiny_bundle)

    assert (result.returncode, result.stdout) == (0, "")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3


def test_a_bad_photo_does_not_stop_the_rest(folder: Path, tiny_bundle: Path) -> None:
    (folder / "bad.png").write_bytes(photo_bytes("red")[:60])

    result = run_caption(folder / "missing.png", folder, bundle=tiny_bundle)

    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 2
    missing, bad, summary = result.stderr.splitlines()
    assert missing == f"caption: {folder}/missing.png: No such file or directory"
    assert bad.startswith(f"caption: {folder}/bad.png: The photo looks like PNG")
    assert summary == "caption: 2 captioned, 2 failed"


@pytest.mark.parametrize("format_name", ["csv", "jsonl"])
def test_a_failure_is_a_row_that_names_the_photo_and_the_reason(
    folder: Path, tiny_bundle: Path, format_name: str
) -> None:
    bad = folder / "bad.png"
    bad.write_bytes(photo_bytes("red")[:60])

    result = run_caption(folder, folder / "gone.png", "--format", format_name, bundle=tiny_bundle)

    lines = io.StringIO(result.stdout)
    rows = list(csv.DictReader(lines)) if format_name == "csv" else [json.loads(line) for line in lines]
    assert [row["file"] for row in rows] == [
        str(bad),
        f"{folder}/blue.JPG",
        f"{folder}/more/red.png",
        f"{folder}/gone.png",
    ]
    assert rows[0]["error"].startswith("The photo looks like PNG")
    assert rows[0]["sha256"] == hashlib.sha256(bad.read_bytes()).hexdigest()
    assert rows[3]["error"] == "No such file or directory"
    assert not rows[1].get("error")


def test_the_exit_status_says_whether_all_some_or_none_worked(folder: Path, tiny_bundle: Path) -> None:
    (folder / "bad.png").write_bytes(b"no photo")

    statuses = [
        run_caption(*photos, bundle=tiny_bundle).returncode
        for photos in ([folder / "more"], [folder], [folder / "bad.png"])
    ]

    assert statuses == [0, 1, 2]


def test_a_folder_without_photos_is_a_failure_that_says_so(tmp_path: Path, tiny_bundle: Path) -> None:
    result = run_caption(tmp_path, bundle=tiny_bundle)

    assert (result.returncode, result.stderr) == (2, f"caption: {tmp_path}: no photos in this folder\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--beam-width", "11"], "11 is not a number from 1 to 10"),
        (["--alternatives", "-1"], "-1 is not a number from 0 to 10"),
        (["--format", "xml"], "invalid choice"),
        (["--output", "nowhere/out.csv"], "nowhere/out.csv: No such file or directory"),
        (["--bundle", "nowhere"], "nowhere: no such directory"),
        (["--runtime", "tensorflow"], "the TensorFlow runtime needs it"),
        (["--min-confidence", "2"], "2 is not a number from 0 to 1"),
        (["--newer", "yesterday"], "yesterday is neither a file nor a date"),
        (["--output", "/dev/full"], "the output: No space left on device"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    folder: Path, tiny_bundle: Path, arguments: list[str], complaint: str
) -> None:
    result = run_caption(folder, *arguments, bundle=tiny_bundle)

    assert result.returncode == 2
    assert complaint in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_reader_that_has_seen_enough_ends_the_program_quietly(folder: Path, tiny_bundle: Path) -> None:
    command = f'"{sys.executable}" -m photocaption.cli "{folder}" | true; exit ${{PIPESTATUS[0]}}'
    environment = os.environ | {"CAPTION_BUNDLE": str(tiny_bundle)}

    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=environment)

    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.parametrize(
    ("arguments", "code", "output", "errors"),
    [
        ("blue.png >&-", 2, "", "caption: the output: Bad file descriptor\n"),
        ("blue.png --format csv >&-", 2, "", "caption: the output: Bad file descriptor\n"),
        ("blue.png --dry-run >&-", 2, "", "caption: the output: Bad file descriptor\n"),
        ("- <&-", 2, "", "caption: -: Bad file descriptor\n"),
        ("blue.png missing.png 2>&-", 1, "blue.png: A blue square.\n", ""),
        ("blue.png --output to.txt <&- >&- 2>&-; e=$?; cat to.txt; exit $e", 0, "A blue square.\n", ""),
    ],
)
def test_streams_that_are_closed_are_missed_where_they_are_needed(
    tmp_path: Path, tiny_bundle: Path, arguments: str, code: int, output: str, errors: str
) -> None:
    (tmp_path / "blue.png").write_bytes(photo_bytes("blue"))
    command = f'"{sys.executable}" -m photocaption.cli {arguments}'
    environment = os.environ | {"CAPTION_BUNDLE": str(tiny_bundle)}

    result = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )

    assert (result.returncode, result.stdout, result.stderr) == (code, output, errors)


def test_too_little_memory_is_told_in_a_line(folder: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("photocaption.captioner.Captioner.prepare", prepare)

    result = run_caption(folder, bundle=tiny_bundle)

    assert (result.returncode, result.stderr) == (2, "caption: there is not enough memory\n")


def test_a_photo_is_read_without_room_for_the_largest(tmp_path: Path) -> None:
    (tmp_path / "blue.png").write_bytes(photo_bytes("blue"))
    tracemalloc.start()
    try:
        photo = Photo(str(tmp_path / "blue.png")).data
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert photo == photo_bytes("blue")
    assert peak < MAX_BYTES / 10


def test_progress_is_shown_on_a_terminal_only(folder: Path, tiny_bundle: Path) -> None:
    terminal, other_end = os.openpty()
    command = [sys.executable, "-m", "photocaption.cli", str(folder), "--bundle", str(tiny_bundle)]

    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=other_end, check=True)
    os.close(other_end)

    assert b"1 of 2 photos" in os.read(terminal, 10_000)
    assert b"photos," not in process.stdout
    os.close(terminal)


def test_a_terminal_is_shown_no_name_that_it_would_obey(tmp_path: Path, tiny_bundle: Path) -> None:
    for name in ("a\x1b[2J.png", "two\nlines.png", "\x9b31m\u202e.png"):
        (tmp_path / name).write_bytes(photo_bytes("red"))
    (tmp_path / "bad\x1b[2J.png").write_bytes(b"no photo")
    terminal, other_end = os.openpty()
    command = [sys.executable, "-m", "photocaption.cli", ".", "--bundle", str(tiny_bundle)]

    subprocess.run(command, cwd=tmp_path, stdout=other_end, stderr=other_end, check=False)
    os.close(other_end)
    shown = os.read(terminal, 10_000).decode()
    os.close(terminal)

    assert r"a\x1b[2J.png: A red square." in shown
    assert r"two\nlines.png: A red square." in shown
    assert r"\x9b31m\u202e.png: A red square." in shown
    assert r"caption: bad\x1b[2J.png: The file" in shown
    assert "\x1b[2J" not in shown


def test_a_program_is_told_names_as_they_are_and_complaints_without_what_a_terminal_obeys(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    (tmp_path / "a\x1b[2J.png").write_bytes(photo_bytes("red"))
    (tmp_path / "bad\x1b[2J.png").write_bytes(b"no photo")

    result = run_caption(tmp_path, bundle=tiny_bundle)

    assert "a\x1b[2J.png: A red square." in result.stdout
    assert r"bad\x1b[2J.png: The file" in result.stderr


def test_many_photos_at_a_time_keep_their_order(tmp_path: Path, tiny_bundle: Path) -> None:
    colours = ["red", "blue", "green"] * 7
    for number, colour in enumerate(colours):
        side = 1000 if number % 5 == 0 else 64
        (tmp_path / f"{number:02}.png").write_bytes(photo_bytes(colour, size=(side, 64)))

    result = run_caption(tmp_path, bundle=tiny_bundle)

    assert [line.rpartition(": ")[2] for line in result.stdout.splitlines()] == [f"A {c} square." for c in colours]


def test_an_unsure_caption_is_left_to_a_person(folder: Path, tiny_bundle: Path) -> None:
    result = run_caption(folder, "--format", "csv", "--min-confidence", "1", bundle=tiny_bundle)

    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert result.returncode == 0
    assert [(row["caption"], row["alt_text"]) for row in rows] == [("", ""), ("", "")]
    assert rows[1]["error"] == f"unsure ({float(rows[1]['confidence']):.2f}): A red square."
    assert result.stderr.splitlines()[-1] == "caption: 2 unsure"


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems hold UTF-8 alone")
@pytest.mark.parametrize("format_name", ["text", "csv", "jsonl"])
def test_a_name_that_is_not_utf8_passes_through(tmp_path: Path, tiny_bundle: Path, format_name: str) -> None:
    bad, good = (f"{tmp_path}/{os.fsdecode(name)}" for name in (b"caf\xe9 1.png", b"caf\xe9 2.png"))
    Path(bad).write_bytes(b"no photo")
    Path(good).write_bytes(photo_bytes("red"))

    result = run_caption(tmp_path, "--format", format_name, bundle=tiny_bundle)

    last = result.stdout.splitlines()[-1]
    assert result.returncode == 1
    assert f"caption: {bad}: " in result.stderr
    assert (json.loads(last)["file"] if format_name == "jsonl" else last[: len(good)]) == good
    assert format_name != "jsonl" or last.isascii()

"""The program `caption`, run as a process as people run it."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.photos import photo_bytes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos, one of them in a folder below, and something that is none."""
    (tmp_path / "photos" / "more").mkdir(parents=True)
    (tmp_path / "photos" / "blue.JPG").write_bytes(photo_bytes("blue", "JPEG"))
    (tmp_path / "photos" / "more" / "red.png").write_bytes(photo_bytes("red"))
    (tmp_path / "photos" / "notes.txt").write_text("no photo")
    return tmp_path / "photos"


def run(
    *arguments: str | Path, bundle: Path | None, stdin: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "CAPTION_BUNDLE"}
    if bundle is not None:
        environment["CAPTION_BUNDLE"] = str(bundle)
    command = [sys.executable, "-m", "inference.cli", *map(str, arguments)]
    result = subprocess.run(command, input=stdin, capture_output=True, check=False, env=environment, cwd=cwd)
    return subprocess.CompletedProcess(command, result.returncode, result.stdout.decode(), result.stderr.decode())


def test_one_photo_gives_one_sentence(folder: Path, tiny_bundle: Path) -> None:
    result = run(folder / "more" / "red.png", bundle=tiny_bundle)

    assert (result.returncode, result.stdout, result.stderr) == (0, "A red square.\n", "")


def test_a_folder_gives_a_named_sentence_for_every_photo_in_and_below_it(folder: Path, tiny_bundle: Path) -> None:
    result = run(folder, bundle=tiny_bundle)

    assert result.returncode == 0
    assert result.stdout.splitlines() == [
        f"{folder}/blue.JPG: A blue square.",
        f"{folder}/more/red.png: A red square.",
    ]
    assert result.stderr == ""


def test_a_photo_is_read_from_standard_input(tiny_bundle: Path) -> None:
    result = run("-", bundle=tiny_bundle, stdin=photo_bytes("green"))

    assert (result.returncode, result.stdout) == (0, "A green square.\n")


def test_json_lines_are_objects_with_everything_that_is_known(folder: Path, tiny_bundle: Path) -> None:
    result = run(folder, "--format", "jsonl", "--alternatives", "1", bundle=tiny_bundle)

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["caption"] for line in lines] == ["a blue square", "a red square"]
    assert [line["alternatives"][0]["caption"] for line in lines] == ["a blue photo", "a red photo"]
    assert lines[0]["file"] == f"{folder}/blue.JPG"
    assert lines[0]["image"]["format"] == "JPEG"
    assert [word["word"] for word in lines[0]["words"]] == ["a", "blue", "square"]
    assert run(folder, "--format", "jsonl", "--alternatives", "1", bundle=tiny_bundle).stdout == result.stdout


def test_csv_has_a_header_and_a_column_for_every_alternative(folder: Path, tiny_bundle: Path) -> None:
    odd = folder / 'a "quoted", name.png'
    odd.write_bytes(photo_bytes("green"))

    result = run(odd, "--format", "csv", "--alternatives", "2", bundle=tiny_bundle)

    header, row = csv.reader(io.StringIO(result.stdout))
    assert header == ["file", "caption", "alt_text", "confidence", "alternative_1", "alternative_2"]
    assert row[:3] == [str(odd), "a green square", "A green square."]
    assert 0 <= float(row[3]) <= 1


def test_alternatives_follow_the_sentence_in_text(folder: Path, tiny_bundle: Path) -> None:
    result = run(folder / "blue.JPG", "--alternatives", "1", bundle=tiny_bundle)

    first, second = result.stdout.splitlines()
    assert first == "A blue square."
    assert second.split("%")[1].strip() == "A blue photo."


def test_the_output_can_go_to_a_file(folder: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    result = run(folder, "--format", "csv", "--output", tmp_path / "out.csv", bundle=tiny_bundle)

    assert (result.returncode, result.stdout) == (0, "")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3


def test_a_bad_photo_does_not_stop_the_rest(folder: Path, tiny_bundle: Path) -> None:
    (folder / "bad.png").write_bytes(photo_bytes("red")[:60])

    result = run(folder / "missing.png", folder, bundle=tiny_bundle)

    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 2
    complaints = result.stderr.splitlines()
    assert complaints[0] == f"caption: {folder}/missing.png: No such file or directory"
    assert complaints[1].startswith(f"caption: {folder}/bad.png: The picture looks like PNG")
    assert len(complaints) == 2


def test_a_folder_without_photos_is_a_failure_that_says_so(tmp_path: Path, tiny_bundle: Path) -> None:
    result = run(tmp_path, bundle=tiny_bundle)

    assert (result.returncode, result.stderr) == (1, f"caption: {tmp_path}: no photos in this folder\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--beam-width", "11"], "11 is not a number from 1 to 10"),
        (["--alternatives", "-1"], "-1 is not a number from 0 to 10"),
        (["--format", "xml"], "invalid choice"),
        (["--output", "nowhere/out.csv"], "nowhere/out.csv: No such file or directory"),
        (["--bundle", "nowhere"], "nowhere: no such directory"),
        (["--runtime", "tensorflow"], "the TensorFlow runtime needs it"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    folder: Path, tiny_bundle: Path, arguments: list[str], complaint: str
) -> None:
    result = run(folder, *arguments, bundle=tiny_bundle)

    assert result.returncode == 2
    assert complaint in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_reader_that_has_seen_enough_ends_the_program_quietly(folder: Path, tiny_bundle: Path) -> None:
    command = f'"{sys.executable}" -m inference.cli "{folder}" | true; exit ${{PIPESTATUS[0]}}'
    environment = os.environ | {"CAPTION_BUNDLE": str(tiny_bundle)}

    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=environment)

    assert (result.returncode, result.stderr) == (141, "")


def test_progress_is_shown_on_a_terminal_only(folder: Path, tiny_bundle: Path) -> None:
    terminal, other_end = os.openpty()
    command = [sys.executable, "-m", "inference.cli", str(folder), "--bundle", str(tiny_bundle)]

    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=other_end, check=True)
    os.close(other_end)

    assert b"1 of 2 photos" in os.read(terminal, 10_000)
    assert b"photos," not in process.stdout
    os.close(terminal)

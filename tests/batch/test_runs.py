"""Whole runs of the program on Ray: every photo gets one row, whatever is killed on the way."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from batch_chaos import photos as chaos_photos
from batch_chaos import scenario

from batch.cli import main
from batch.inputs import Columns, list_photos
from batch.output import Output

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # processes of Ray start slowly on a busy machine

PROGRAM = Path(sys.executable).with_name("caption-batch")
COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def captions(photos: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run on a Ray of its own made of the photos."""
    output = tmp_path_factory.mktemp("captions") / "out"
    command = [str(PROGRAM), str(photos), f"--output={output}", f"--bundle={tiny_bundle}", "--rows=1000"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=560, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "photos captioned" in ran.stdout
    assert "Warning" not in ran.stderr, "of more actors than there is work for"
    return output


def test_every_photo_has_one_row_with_its_caption_or_what_is_wrong(captions: Path, photos: Path) -> None:
    rows = ds.dataset(str(captions)).to_table().to_pylist()

    assert sorted(row["id"] for row in rows) == sorted(photo.id for photo in list_photos([str(photos)], Columns()))
    squares = {Path(row["uri"]).stem: row["caption"] for row in rows if row["uri"].endswith(".png")}
    assert squares == {f"{number:03}": f"a {COLOURS[number % 3]} square" for number in range(60)}
    assert all(row["error_detail"] for row in rows if row["error_type"])
    assert {(row["model"], row["model_version"]) for row in rows} == {("tiny", "0.0.1")}


def test_the_summary_of_a_run_is_kept_and_counts_its_rows(captions: Path) -> None:
    [run] = (captions / "_runs").glob("2*")
    summary = json.loads((run / "summary.json").read_text())
    rows = ds.dataset(str(captions)).to_table(columns=["error_type"]).column(0).to_pylist()
    failed = Counter(kind for kind in rows if kind)

    assert (summary["listed"], summary["already"]) == (len(rows), 0)
    assert summary["captioned"] == len(rows) - failed.total() >= 60
    assert summary["failed"] == failed
    assert {"image-too-large", "undecodable-image", "unsupported-type"} <= set(failed)


def test_the_same_command_finds_nothing_to_do_and_another_model_is_refused(
    captions: Path, photos: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from support.tiny_bundle import write_tiny_bundle

    before = Output.open(str(captions)).row_files()
    again = main([str(photos), str(photos / "below"), f"--output={captions}", f"--bundle={tiny_bundle}"])
    said = capsys.readouterr().out
    other = write_tiny_bundle(tmp_path / "other")
    manifest = (other / "manifest.json").read_text()
    (other / "manifest.json").write_text(manifest.replace('"0.0.1"', '"0.0.2"'))
    refused = main([str(photos), f"--output={captions}", f"--bundle={other}"])

    assert again == 0
    assert said.startswith("0 photos captioned, 0 failed")
    assert refused == 2
    assert "holds captions of tiny 0.0.1; tiny 0.0.2 needs an output of its own" in capsys.readouterr().err
    assert Output.open(str(captions)).row_files() == before


def test_a_wrong_input_is_said_and_leaves_no_output(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main([str(tmp_path / "missing"), f"--output={tmp_path / 'out'}", f"--bundle={tiny_bundle}"])

    assert status == 2
    assert capsys.readouterr().err.strip().endswith("missing: no such file or folder")
    assert not (tmp_path / "out").exists()


def test_whatever_is_killed_every_photo_has_one_row(tiny_bundle: Path, tmp_path: Path) -> None:
    chaos_photos.write_photos(tmp_path / "photos", 300, seed=7)

    figures = scenario.run(tiny_bundle, tmp_path / "photos", tmp_path / "captions", rows=10)

    assert figures.broken == [], figures
    assert isinstance(figures.values["failed"], dict | Counter)
    assert sum(figures.values["failed"].values()) >= 2

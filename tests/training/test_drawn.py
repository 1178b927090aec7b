"""What is drawn is a dataset like any other, of many kinds of pictures, and the same for everybody."""

from pathlib import Path

from training.cli import main
from training.data.captioned import read_captioned
from training.data.drawn import draw_dataset


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_command_draws_a_dataset_that_can_be_read(tmp_path: Path) -> None:
    assert main(["draw", "--out", str(tmp_path / "drawn"), "--count", "40"]) == 0

    splits = read_captioned(tmp_path / "drawn", ["train", "dev", "test"])
    photos = [photo for split in splits.values() for photo in split]
    assert len(photos) == 40
    assert {photo.name.split("-")[0] for photo in photos} == {"page", "drawing", "notes", "chart", "screen", "blank"}
    assert all(photo.captions and all(caption.strip() for caption in photo.captions) for photo in photos)
    assert len({photo.sha256 for photo in photos}) == 40


def test_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        draw_dataset(tmp_path / name, 8, seed)

    assert _files(tmp_path / "one") == _files(tmp_path / "same")
    assert _files(tmp_path / "one") != _files(tmp_path / "other")

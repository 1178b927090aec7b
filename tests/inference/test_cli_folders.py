"""Which photos of a folder `caption` takes, and what it says of those that it leaves out."""

import os
import re
from pathlib import Path

import pytest
from PIL import Image
from support.command import run_caption
from support.deep_folder import make_deep
from support.photos import photo_bytes

from photocaption.cli.folders import PHOTO_SUFFIXES, Choice, list_photos
from photocaption.image.decode import FORMATS

DOCUMENT = Path(__file__).parents[2] / "docs" / "command-line.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine files, of which four are photos that are read."""
    root = tmp_path / "photos"
    for name in ("a.jpg", "b.PNG", "c.jxl", "d.jfif", ".e.jpg", "f.txt", "more/g.jpg", ".cache/h.jpg", "more/i.dng"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def names(folder: Path, photos: list[str]) -> list[str]:
    return [str(Path(photo).relative_to(folder)) for photo in photos]


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (Choice(), ["a.jpg", "b.PNG", "d.jfif", "more/g.jpg"]),
        (Choice(include=["*.jpg"]), ["a.jpg", "more/g.jpg"]),
        (Choice(exclude=["*.jpg"]), ["b.PNG", "d.jfif"]),
        (Choice(include=["*.jpg", "*.PNG"], exclude=["more/*"]), ["a.jpg", "b.PNG"]),
        (Choice(exclude=["more"]), ["a.jpg", "b.PNG", "d.jfif"]),
    ],
)
def test_patterns_choose_among_the_photos_of_a_folder(folder: Path, choice: Choice, chosen: list[str]) -> None:
    assert names(folder, list_photos([str(folder)], choice).photos) == chosen


def test_what_looks_like_a_photo_and_is_not_read_is_named_with_the_reason(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "more")
    os.mkfifo(folder / "pipe.jpg")

    listing = list_photos([str(folder)], Choice())

    assert [(*names(folder, [name]), reason) for name, reason in listing.left_out] == [
        (".cache", "hidden"),
        ("link", "linked folder"),
        (".e.jpg", "hidden"),
        ("c.jxl", ".jxl"),
        ("pipe.jpg", "no file"),
        ("more/i.dng", ".dng"),
    ]
    assert listing.sum_up_left_out() == "6 left out (2 hidden, 1 linked folder, 1 .jxl, 1 no file, 1 .dng)"


def test_what_was_left_out_is_counted_in_the_end_and_named_by_a_dry_run(tmp_path: Path, tiny_bundle: Path) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    (tmp_path / "b.jxl").touch()

    real = run_caption(tmp_path, bundle=tiny_bundle)
    dry = run_caption(tmp_path, "--dry-run", bundle=Path("needs no model"))

    assert (real.returncode, real.stderr) == (0, "caption: 1 left out (1 .jxl)\n")
    assert (dry.returncode, dry.stdout) == (0, f"{tmp_path}/a.png\n")
    assert dry.stderr == f"caption: {tmp_path}/b.jxl: left out, .jxl\n"


def test_a_photo_that_is_named_twice_is_taken_once(folder: Path) -> None:
    listing = list_photos([str(folder / "a.jpg"), str(folder), f"{folder}/more/"], Choice())

    assert names(folder, listing.photos) == ["a.jpg", "b.PNG", "d.jfif", "more/g.jpg"]


@pytest.mark.parametrize("moment", ["2026-01-31", "2026-01-31T12:00:00+02:00", "file"])
def test_newer_takes_what_was_changed_later(folder: Path, tmp_path: Path, moment: str) -> None:
    (tmp_path / "file").touch()
    os.utime(tmp_path / "file", (1.78e9, 1.78e9))
    for name in ("a.jpg", "b.PNG", "more/g.jpg", "d.jfif"):
        os.utime(folder / name, (1.7e9, 1.7e9))
    os.utime(folder / "b.PNG", (1.8e9, 1.8e9))

    newer = str(tmp_path / "file") if moment == "file" else moment
    result = run_caption(folder, "--newer", newer, "--dry-run", bundle=Path("needs no model"))

    assert result.stdout == f"{folder}/b.PNG\n"


def test_nothing_newer_is_no_failure(folder: Path) -> None:
    result = run_caption(folder, "--newer", "2100-01-01", bundle=Path("needs no model"))

    assert (result.returncode, result.stdout) == (0, "")


def test_a_folder_that_cannot_be_read_is_a_failure(
    folder: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def refuse(path: str) -> object:  # who runs the tests as root may read everything
        if Path(path).name == "more":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for name in ("a.jpg", "b.PNG", "d.jfif"):
        Image.new("RGB", (40, 40)).save(folder / name, "JPEG")

    result = run_caption(folder, "--format", "csv", bundle=tiny_bundle)

    assert result.returncode == 1
    assert f"caption: {folder}/more: Permission denied" in result.stderr.splitlines()
    assert result.stdout.splitlines()[1] == f"{folder}/more,,,,Permission denied,"
    assert len(result.stdout.splitlines()) == 5


def test_folders_may_be_a_thousand_deep(tmp_path: Path, tiny_bundle: Path) -> None:
    (tmp_path / "a.png").write_bytes(photo_bytes("red"))
    with make_deep(tmp_path) as deepest:
        (deepest / "b.png").write_bytes(photo_bytes("blue"))
        (deepest / "page.html").write_text('<img src="b.png">')

        photos = run_caption(tmp_path, bundle=tiny_bundle)
        pages = run_caption("html", tmp_path, "--dry-run", bundle=tiny_bundle)

        assert photos.stdout.splitlines() == [f"{tmp_path}/a.png: A red square.", f"{deepest}/b.png: A blue square."]
        assert "A blue square." in pages.stdout


def test_every_suffix_of_the_formats_that_are_read_is_known() -> None:
    Image.preinit()
    of_formats = {
        suffix for suffix, name in Image.registered_extensions().items() if name in {f.upper() for f in FORMATS}
    }

    assert of_formats <= PHOTO_SUFFIXES
    documented = DOCUMENT.read_text().partition("judged by their suffix:")[2].partition(". A photo")[0]
    assert set(re.findall(r"`(\.\w+)`", documented)) == PHOTO_SUFFIXES

"""Both layouts are read alike, and whatever is missing or malformed is named before any work starts."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.captioned import read_captioned
from training.data.photo import read_image
from training.errors import DatasetError

NAMES = {"train": ("one.jpg", "two.jpg"), "dev": ("three.jpg",)}


def _write_photos(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, name in enumerate(("one.jpg", "two.jpg", "three.jpg")):
        Image.new("RGB", (40, 30), (number * 80, 0, 0)).save(folder / name)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    _write_photos(tmp_path / "Flicker8k_Dataset")
    text = tmp_path / "Flickr8k_text"
    text.mkdir()
    names = ("one.jpg", "two.jpg", "three.jpg")
    rows = [f"{name}#{number}\tA caption {number} of {name} ." for name in names for number in range(2)]
    rows.append("2258277193_586949ec62.jpg.1#0\tA slip that every published copy has .")
    (text / "Flickr8k.token.txt").write_text("\n".join(rows) + "\n")
    for split, listed in NAMES.items():
        (text / f"Flickr_8k.{split}Images.txt").write_text("\n".join(listed) + "\n")
    return tmp_path


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    _write_photos(tmp_path / "Images")
    rows = [
        f"{name},A caption {number} of {name} ." for name in ("one.jpg", "two.jpg", "three.jpg") for number in range(2)
    ]
    (tmp_path / "captions.txt").write_text("image,caption\n" + "\n".join(rows) + "\n")
    (tmp_path / "splits.csv").write_text("image,split\none.jpg,train\ntwo.jpg,train\nthree.jpg,dev\n")
    return tmp_path


@pytest.mark.parametrize("layout", ["original", "kaggle"])
def test_both_layouts_give_the_same_photos(layout: str, request: pytest.FixtureRequest) -> None:
    splits = read_captioned(request.getfixturevalue(layout))

    assert {split: tuple(photo.name for photo in photos) for split, photos in splits.items()} == NAMES
    assert splits["dev"][0].captions == ("A caption 0 of three.jpg .", "A caption 1 of three.jpg .")


def test_a_caption_may_hold_commas_quoted_or_not(kaggle: Path) -> None:
    with (kaggle / "captions.txt").open("a") as stream:
        stream.write('one.jpg,"Quoted, with a comma"\ntwo.jpg,Plain, with a comma\n')

    one, two = read_captioned(kaggle)["train"]

    assert (one.captions[-1], two.captions[-1]) == ("Quoted, with a comma", "Plain, with a comma")


def _write_captions(folder: Path, text: str) -> None:
    (folder / "captions.txt").write_text(text, encoding="utf-8", newline="")


REST = "two.jpg,b\nthree.jpg,c\n"


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        ('"image","caption"\n"one.jpg","A dog"\n' + REST, "A dog"),
        ("\ufeffimage,caption\r\none.jpg,A dog\r\n" + REST, "A dog"),
        ("Image, Caption\none.jpg, A dog\n" + REST, "A dog"),
        ("image\tcaption\none.jpg\tA dog, running\n" + REST.replace(",", "\t"), "A dog, running"),
        ("image;caption\none.jpg;A dog; running, fast\n" + REST.replace(",", ";"), "A dog; running, fast"),
        ('image,caption\none.jpg,"A dog\nruns"\n' + REST, "A dog runs"),
        ('image,caption\none.jpg,"A dog\r\n\r\nruns, ""fast"""\r\n' + REST, 'A dog runs, "fast"'),
        ('image,caption\none.jpg,"Sparky" the dog runs\n' + REST, '"Sparky" the dog runs'),
        ('image,caption\none.jpg,"Sparky", a dog, runs\n' + REST, '"Sparky", a dog, runs'),
        ('image,caption\none.jpg,A dog called "Sparky"\n' + REST, 'A dog called "Sparky"'),
    ],
)
def test_tables_are_read_as_people_and_spreadsheets_write_them(kaggle: Path, text: str, caption: str) -> None:
    _write_captions(kaggle, text)

    assert read_captioned(kaggle)["train"][0].captions == (caption,)


@pytest.mark.parametrize("caption", ["A dog, running", '"A dog, running"'])
def test_a_name_with_a_comma_stands_in_quotes(kaggle: Path, caption: str) -> None:
    (kaggle / "Images" / "one.jpg").rename(kaggle / "Images" / "a,1.jpg")
    _write_captions(kaggle, f'image,caption\n"a,1.jpg",{caption}\n{REST}')
    (kaggle / "splits.csv").write_text('image,split\n"a,1.jpg",train\ntwo.jpg,train\nthree.jpg,dev\n')

    photo = read_captioned(kaggle)["train"][0]

    assert (photo.name, photo.captions) == ("a,1.jpg", ("A dog, running",))


def test_composed_and_decomposed_names_are_the_same(kaggle: Path) -> None:
    composed, decomposed = "\u00e9.jpg", "e\u0301.jpg"
    (kaggle / "Images" / "one.jpg").rename(kaggle / "Images" / decomposed)
    _write_captions(kaggle, f"image,caption\n{composed},A dog\n{decomposed},A cat\n{REST}")
    (kaggle / "splits.csv").write_text(f"image,split\n{decomposed},train\nthree.jpg,dev\n", encoding="utf-8")

    (photo,) = read_captioned(kaggle)["train"]

    assert (photo.name, photo.captions) == (composed, ("A dog", "A cat"))
    assert photo.path.is_file()


def test_one_photo_is_too_few_and_that_is_said(kaggle: Path) -> None:
    (kaggle / "splits.csv").unlink()
    _write_captions(kaggle, "image,caption\none.jpg,A dog\n")

    with pytest.raises(DatasetError, match=r"captions only one photo: too few .* splits\.csv"):
        read_captioned(kaggle)


def test_a_copy_of_a_photo_in_another_split_is_told_of(kaggle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (kaggle / "Images" / "three.jpg").write_bytes((kaggle / "Images" / "one.jpg").read_bytes())

    read_captioned(kaggle)

    assert "three.jpg in dev is the same photo as one.jpg in train" in capsys.readouterr().err


def test_a_photo_of_24_megapixels_is_read_as_serving_reads_it(kaggle: Path) -> None:
    path = kaggle / "Images" / "one.jpg"
    Image.new("RGB", (6000, 4000), (200, 30, 40)).save(path)

    image = read_image(read_captioned(kaggle)["train"][0].path)

    assert image.mode == "RGB"
    assert 1024 <= min(image.size) < 2048
    assert np.abs(np.asarray(image)[9, 9].astype(int) - (200, 30, 40)).max() < 4


def test_without_a_file_of_splits_each_name_decides_for_itself(kaggle: Path) -> None:
    (kaggle / "splits.csv").unlink()
    rows = ["image,caption"]
    for number in range(80):
        Image.new("RGB", (8, 8)).save(kaggle / "Images" / f"{number}.png")
        rows.append(f"{number}.png,a caption")
    (kaggle / "captions.txt").write_text("\n".join(rows))

    first = read_captioned(kaggle, ["train", "dev", "test"])
    (kaggle / "captions.txt").write_text("\n".join(rows[:1] + rows[:0:-1]))
    second = read_captioned(kaggle, ["train", "dev", "test"])

    sizes = {split: len(photos) for split, photos in first.items()}
    assert sum(sizes.values()) == 80
    assert sizes["train"] > 40
    assert {photo.name for photo in first["dev"]} == {photo.name for photo in second["dev"]}


def _remove_photo(folder: Path) -> None:
    next(path for path in folder.rglob("two.jpg")).unlink()


def _truncate_photo(folder: Path) -> None:
    path = next(folder.rglob("two.jpg"))
    path.write_bytes(path.read_bytes()[:200])


def _edit(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = next(folder.rglob(name))
        path.write_text(change(path.read_text()))

    return edit


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_remove_photo, r"Flickr8k\.token\.txt, line 3: captions two\.jpg, which is not in"),
        (_truncate_photo, r"two\.jpg: .*damaged"),
        (
            _edit("Flickr8k.token.txt", lambda text: text.replace("one.jpg#1\t", "one.jpg#1 ")),
            r"line 2: expected two columns",
        ),
        (
            _edit("Flickr8k.token.txt", lambda text: text.replace("#0\tA", "#0\tA\tB", 1)),
            r"line 1: expected two columns",
        ),
        (
            _edit("Flickr8k.token.txt", lambda text: text.replace("three.jpg", "one.jpg")),
            r"three\.jpg: in the dev split, but has no caption",
        ),
        (_edit("Flickr_8k.devImages.txt", lambda _: "\n"), r"devImages\.txt lists no photo: the split is empty"),
        (
            _edit("Flickr_8k.devImages.txt", lambda text: text + "four.jpg\n"),
            r"four\.jpg: in the dev split, but has no caption",
        ),
    ],
)
def test_damage_to_the_original_layout_is_named(original: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(original)

    with pytest.raises(DatasetError, match=message):
        read_captioned(original)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_remove_photo, r"captions\.txt, line 4: captions two\.jpg, which is not in"),
        (
            _edit("captions.txt", lambda text: text.replace("image,caption", "file,text")),
            r"line 1: expected the header 'image,caption'",
        ),
        (
            _edit("captions.txt", lambda text: text.replace("one.jpg,A caption 1 of one.jpg .", "one.jpg")),
            r"line 3: expected two columns",
        ),
        (
            _edit("captions.txt", lambda text: text.replace("one.jpg,A caption 1 of one.jpg .", "one.jpg,")),
            r"line 3: expected two columns",
        ),
        (
            _edit("splits.csv", lambda text: text.replace("dev", "validation")),
            r"splits\.csv, line 4: the split is 'validation'",
        ),
        (
            _edit("splits.csv", lambda text: text.replace("three.jpg", "four.jpg")),
            r"splits\.csv, line 4: four\.jpg: in the dev split, but has no caption",
        ),
        (_edit("captions.txt", lambda _: "image,caption\n"), r"captions\.txt has a header, and no caption under it"),
        (_edit("captions.txt", lambda _: ""), r"captions\.txt, line 1: expected the header"),
        (
            _edit("splits.csv", lambda text: text + "one.jpg,dev\n"),
            r"splits\.csv, line 5: one\.jpg is in the dev split, but already in train \(.*splits\.csv, line 2\)",
        ),
        (
            _edit("captions.txt", lambda text: text.replace("one.jpg,A", 'one.jpg,"A', 1)),
            r"captions\.txt, line 2: a quote is opened and never closed",
        ),
        (
            _edit("captions.txt", lambda text: text.replace("one.jpg,A", 'one.jpg,"A', 1) + 'one.jpg,"B"\n'),
            r"captions\.txt, line 2: a quote is opened and never closed",
        ),
        (
            _edit("captions.txt", lambda text: text + "one.jpg," + "dog " * 40_000 + "\n"),
            r"captions\.txt, line 8: longer than 10000 characters",
        ),
        (
            _edit("captions.txt", lambda text: text + 'one.jpg,"A dog","A cat"\n'),
            r'captions\.txt, line 8: expected two columns, but a third follows "A dog"',
        ),
    ],
)
def test_damage_to_kaggles_layout_is_named(kaggle: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(kaggle)

    with pytest.raises(DatasetError, match=message):
        read_captioned(kaggle)


def test_text_that_is_no_utf8_is_named_with_its_line(kaggle: Path) -> None:
    (kaggle / "captions.txt").write_bytes(b"image,caption\none.jpg,caf\xe9\n")

    with pytest.raises(DatasetError, match=r"captions\.txt, line 2: not UTF-8"):
        read_captioned(kaggle)


@pytest.mark.parametrize("name", ["Flicker8k_Dataset/one.jpg", "Flickr8k_text/Flickr8k.token.txt"])
@pytest.mark.parametrize("special", ["pipe", "device"])
def test_what_never_comes_to_an_end_is_refused(original: Path, name: str, special: str) -> None:
    (original / name).unlink()
    if special == "pipe":
        os.mkfifo(original / name)
    else:
        (original / name).symlink_to("/dev/zero")

    with pytest.raises(DatasetError, match="is not a regular file"):
        read_captioned(original)


def test_a_folder_that_is_no_dataset_is_told_what_one_looks_like(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"Flickr8k\.token\.txt .* captions\.txt"):
        read_captioned(tmp_path)


def test_a_split_that_is_not_there_is_named(kaggle: Path) -> None:
    with pytest.raises(DatasetError, match="no test split; it has train, dev"):
        read_captioned(kaggle, ["train", "dev", "test"])

"""Folders are read with what they have, captions or labels, and what cannot be learnt from together is refused."""

from pathlib import Path

import pytest
from PIL import Image
from support.photos import encode_photo

from training.data.dataset import Source, read_datasets
from training.errors import DatasetError


def _write_captioned(folder: Path) -> Path:
    (folder / "Images").mkdir(parents=True)
    for name in ("train", "dev"):
        (folder / "Images" / f"{name}.png").write_bytes(encode_photo(Image.new("RGB", (8, 8), "red")))
    (folder / "captions.txt").write_text("image,caption\ntrain.png,a red square\ndev.png,a square\n")
    (folder / "splits.csv").write_text("image,split\ntrain.png,train\ndev.png,dev\n")
    return folder


def _write_labelled(folder: Path, *labels: str) -> Path:
    (folder / "Images").mkdir(parents=True)
    for name in ("one", "two"):
        (folder / "Images" / f"{name}.png").write_bytes(
            encode_photo(Image.new("RGB", (8, 8), name == "one" and "blue"))
        )
    (folder / "labels.csv").write_text("\n".join(["image,label,kind,synset", *labels, ""]))
    return folder


@pytest.mark.parametrize(
    ("text", "folder", "share"),
    [("data/mine", "data/mine", None), ("data/mine=0.3", "data/mine", 0.3), ("a=b=1", "a=b", 1.0)],
)
def test_a_source_is_a_folder_with_a_share_or_without(text: str, folder: str, share: float | None) -> None:
    assert Source.parse(text) == Source(Path(folder), share)


def test_a_folder_whose_name_has_an_equals_sign_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "photos=0.5"
    folder.mkdir()

    assert Source.parse(str(folder)) == Source(folder)
    assert Source.parse(f"{folder}=0.2") == Source(folder, 0.2)


@pytest.mark.parametrize("text", ["mine=0", "mine=-0.1", "mine=1.5", "mine=nan", "mine=half"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"share|could not convert"):
        Source.parse(text)


def test_folders_are_read_with_what_they_have(tmp_path: Path) -> None:
    captioned = _write_captioned(tmp_path / "captioned")
    labelled = _write_labelled(tmp_path / "labelled", "one.png,boat,object,n1", "two.png,street,scene,")

    first, second = read_datasets([Source(captioned, 0.7), Source(labelled, 0.3)])

    assert [photo.captions for photo in (*first.train, *first.dev)] == [("a red square",), ("a square",)]
    assert not first.labels
    photos = (*second.train, *second.dev)
    assert {second.labels[photo.sha256].label for photo in photos} == {"boat", "street"}
    assert all(photo.captions == () for photo in photos)


def test_the_digest_changes_with_a_photo_and_with_a_caption(tmp_path: Path) -> None:
    source = Source(_write_captioned(tmp_path / "captioned"))
    digests = {read_datasets([source])[0].digest}
    (source.folder / "Images" / "train.png").write_bytes(encode_photo(Image.new("RGB", (8, 8), "blue")))
    digests.add(read_datasets([source])[0].digest)
    with (source.folder / "captions.txt").open("a") as stream:
        stream.write("train.png,one more\n")
    digests.add(read_datasets([source])[0].digest)

    assert len(digests) == 3


def test_the_digest_of_a_folder_knows_its_labels(tmp_path: Path) -> None:
    captioned = Source(_write_captioned(tmp_path / "captioned"))
    folders = [_write_labelled(tmp_path / label, f"one.png,{label},object,n1") for label in ("boat", "ship")]

    (_, boat), (_, ship) = (read_datasets([captioned, Source(folder)]) for folder in folders)

    assert boat.digest != ship.digest


def test_what_cannot_be_learnt_from_together_is_refused(tmp_path: Path) -> None:
    captioned = _write_captioned(tmp_path / "captioned")
    labelled = _write_labelled(tmp_path / "labelled", "one.png,boat,object,n1")
    empty = _write_labelled(tmp_path / "empty")

    with pytest.raises(DatasetError, match="named twice"):
        read_datasets([Source(captioned), Source(tmp_path / "labelled" / ".." / "captioned")])
    with pytest.raises(DatasetError, match="called the same"):
        read_datasets([Source(captioned), Source(_write_captioned(tmp_path / "other" / "captioned"))])
    with pytest.raises(DatasetError, match="a share to each dataset, or to none"):
        read_datasets([Source(captioned, 0.5), Source(labelled)])
    with pytest.raises(DatasetError, match="labels alone are not enough"):
        read_datasets([Source(labelled)])
    with pytest.raises(DatasetError, match="empty has no photo with a label"):
        read_datasets([Source(captioned), Source(empty)])


def test_a_photo_that_judges_in_one_folder_is_not_learnt_from_in_another(tmp_path: Path) -> None:
    captioned = _write_captioned(tmp_path / "captioned")
    labelled = _write_labelled(tmp_path / "labelled", "one.png,boat,object,n1", "two.png,street,scene,")
    judge = read_datasets([Source(captioned)])[0].dev[0]
    (labelled / "Images" / "one.png").write_bytes(judge.path.read_bytes())

    _, second = read_datasets([Source(captioned), Source(labelled)])

    assert judge.sha256 not in {photo.sha256 for photo in second.train}

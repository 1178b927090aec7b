"""Labelled photos are read whole or refused by line; a third of those with a clear subject is kept from training."""

import hashlib
from pathlib import Path

import pytest
from PIL import Image
from support.photos import encode_photo

from training.data.labelled import is_labelled, is_withheld, name_words, read_kinds, read_labelled
from training.errors import DatasetError

CATS, DOGS, BOATS = "n02123045", "n02085620", "n02951358"
KINDS = f'synset,label,accepted\n{CATS},"tabby, tabby cat",cat cats kitten\n'
NAMES = [f"photo-{number}.png" for number in range(8)]


def _write(folder: Path, labels: list[str], kinds: str | None = KINDS) -> Path:
    (folder / "Images").mkdir(parents=True)
    for name in NAMES:
        (folder / "Images" / name).write_bytes(encode_photo(Image.new("RGB", (8, 8))))
    (folder / "labels.csv").write_text("\n".join(["image,label,kind,synset", *labels, ""]))
    if kinds is not None:
        (folder / "kinds.csv").write_text(kinds)
    return folder


def _cats() -> list[str]:
    return [f'{name},"tabby, tabby cat",object,{CATS}' for name in NAMES]


def test_the_withheld_third_is_chosen_by_the_hash_of_the_name() -> None:
    kinds = {CATS: ("cat",)}
    names = [f"imagenet-{number:08}.jpg" for number in range(3000)]

    withheld = {name for name in names if is_withheld(name, CATS, kinds)}

    assert withheld == {name for name in names if int(hashlib.sha256(name.encode()).hexdigest()[:2], 16) % 3 == 0}
    assert 900 < len(withheld) < 1100


def test_what_is_no_clear_subject_is_withheld_only_where_nothing_says_what_is() -> None:
    name = next(name for name in NAMES if is_withheld(name, CATS, {CATS: ()}))

    assert not is_withheld(name, DOGS, {CATS: ("cat",)})
    assert not is_withheld(name, "", {CATS: ("cat",)})
    assert is_withheld(name, "", None)


def test_every_photo_is_in_the_split_that_the_rule_says(tmp_path: Path) -> None:
    folder = _write(tmp_path / "labelled", [*_cats()[:6], f"{NAMES[6]},pug,object,{DOGS}", f"{NAMES[7]},street,scene,"])

    splits = read_labelled(folder)

    for split, photos in splits.items():
        for one in photos:
            assert (split == "dev") == is_withheld(one.photo.name, one.synset, read_kinds(folder))
    assert sorted(one.photo.name for photos in splits.values() for one in photos) == NAMES
    assert {"dev", "train"} == splits.keys()


def test_accepted_words_are_those_of_the_kind_or_else_of_the_names(tmp_path: Path) -> None:
    labels = [*_cats()[:5], f'{NAMES[5]},"pug, pug-dog",object,{DOGS}', f'{NAMES[6]},"canoe, kayak",object,{BOATS}']
    labels.append(f"{NAMES[7]},bazaar indoor,scene,")

    splits = read_labelled(_write(tmp_path / "labelled", labels))

    read = {one.photo.name: one for photos in splits.values() for one in photos}
    accepted, subjects = (
        [getattr(read[name], of) for name in (NAMES[0], *NAMES[5:])] for of in ("accepted", "subject")
    )
    dogs = {"dog", "dogs", "puppy", "puppies"}  # nobody writes the breed
    assert accepted == [{"cat", "cats", "kitten"}, dogs, {"canoe", "canoes", "kayak", "kayaks"}, {"bazaar", "bazaars"}]
    assert subjects == ["cat", "dog", "", ""]


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("Windsor tie", {"tie", "ties"}),
        ("leaf beetle, chrysomelid", {"beetle", "beetles", "chrysomelid", "chrysomelids"}),
        ("mosque outdoor", {"mosque", "mosques"}),
        ("exterior", {"exterior", "exteriors"}),
        ("manufactured home", {"home", "homes"}),
    ],
)
def test_a_label_is_named_by_the_last_word_of_each_of_its_names(label: str, words: set[str]) -> None:
    assert name_words(label) == words


def test_without_kinds_a_third_of_all_is_scored_by_names(tmp_path: Path) -> None:
    folder = _write(tmp_path / "labelled", _cats(), kinds=None)

    dev = read_labelled(folder, ["dev"])["dev"]

    assert [one.photo.name for one in dev] == [name for name in NAMES if is_withheld(name, "", None)]
    assert all(one.accepted == {"tabby", "tabbys", "cat", "cats"} for one in dev)


def test_captions_beside_labels_make_a_folder_a_captioned_one(tmp_path: Path) -> None:
    folder = _write(tmp_path / "labelled", _cats())
    assert is_labelled(folder)

    (folder / "captions.txt").write_text("image,caption\n")

    assert not is_labelled(folder)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["other.png,tabby,object,n1"], "line 2: labels other.png, which is not in"),
        ([f"{NAMES[0]},tabby,object"], "line 2: expected image,label,kind,synset"),
        ([f"{NAMES[0]},,object,n1"], "line 2: expected image,label,kind,synset"),
        ([f"{NAMES[0]},cat,object,n1", f"{NAMES[0]},dog,object,n2"], "line 3: photo-0.png has a label already"),
        ([f'{NAMES[0]},"cat'], "line 2: unexpected end of data"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_labelled(_write(tmp_path / "labelled", lines))


def test_another_header_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    folder = _write(tmp_path / "labelled", _cats(), kinds="synset,accepted\n")
    with pytest.raises(DatasetError, match=r"kinds\.csv, line 1: expected the header"):
        read_labelled(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="has no folder Images/"):
        read_labelled(tmp_path / "empty")

"""A bundle is scored on several datasets at once, by captions or by labels, and its sentences against people's."""

import gzip
import json
from pathlib import Path

import pytest
from PIL import Image
from support.photos import encode_photo
from support.tiny_bundle import COLOURS

from photocaption.captioner import Captioner
from photocaption.model.vocabulary import Vocabulary
from training.cli import main
from training.data.captioned import read_captions
from training.data.content_words import FUNCTION_WORDS, count_found
from training.data.dataset import read_split
from training.data.labelled import LabelledPhoto
from training.data.photo import Photo
from training.data.texts import read_texts
from training.data.trigrams import find_common, find_rare, list_known
from training.data.words import TOKENS
from training.errors import DatasetError
from training.evaluation.subjects import evaluate_subjects


@pytest.fixture(scope="module")
def captioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos that the tiny bundle calls "a red square", "a green square", …, of which dev's references say less."""
    folder = _write_photos(tmp_path_factory.mktemp("data") / "captioned")
    rows = [f"{colour}.png,a {colour} box" for colour in COLOURS]
    splits = [f"{colour}.png,{'dev' if colour in ('red', 'green') else 'train'}" for colour in COLOURS]
    (folder / "captions.txt").write_text("\n".join(["image,caption", *rows, ""]))
    (folder / "splits.csv").write_text("\n".join(["image,split", *splits, ""]))
    return folder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without kinds: the withheld are red, green and white, by the hash of their names."""
    folder = _write_photos(tmp_path_factory.mktemp("data") / "labelled")
    rows = [f'{colour}.png,"{colour} circle, {colour}",scene,' for colour in COLOURS]
    (folder / "labels.csv").write_text("\n".join(["image,label,kind,synset", *rows, ""]))
    return folder


def _write_photos(folder: Path) -> Path:
    (folder / "Images").mkdir(parents=True)
    for colour, rgb in COLOURS.items():
        (folder / "Images" / f"{colour}.png").write_bytes(encode_photo(Image.new("RGB", (32, 32), rgb)))
    return folder


def _write_text(path: Path, *captions: str) -> Path:
    path.write_bytes(gzip.compress("".join(f"7\t{caption}\n" for caption in captions).encode()))
    return path


def test_content_words_are_found_in_any_reference() -> None:
    found = count_found("two dogs play with a red ball", ["a dog plays with two balls", "red and white dogs"])

    assert found == (3, 5)  # two, dogs, red; not play, ball
    assert count_found("it is on the", ["a cat"]) == (0, 0)
    assert {"two", "red", "front", "dog"}.isdisjoint(FUNCTION_WORDS)


def test_subjects_are_named_over_all_and_by_confidence(tiny_bundle: Path, captioned: Path) -> None:
    def label(colour: str, *accepted: str) -> LabelledPhoto:
        photo = Photo(colour, captioned / "Images" / f"{colour}.png", (), "")
        return LabelledPhoto(photo, colour, "", frozenset(accepted))

    labels = [label("red", "red", "crimson"), label("green", "square"), label("blue", "squares", "re")]
    evaluation = evaluate_subjects(Captioner.load(tiny_bundle), labels)

    everywhere, sure, unsure = evaluation.shares()
    confidences = {photo: one.confidence for photo, one in evaluation.descriptions.items()}
    assert (everywhere.named, everywhere.photos) == (2, 3)
    assert everywhere.percent == pytest.approx(66.67, abs=0.01)
    assert sure.photos == sum(confidence >= 0.5 for confidence in confidences.values())
    assert sure.photos + unsure.photos == 3
    assert evaluation.is_named("red")
    assert not evaluation.is_named("blue")


def test_the_boundary_of_confidence_is_confident(tiny_bundle: Path, captioned: Path) -> None:
    photo = Photo("red", captioned / "Images" / "red.png", (), "")
    evaluation = evaluate_subjects(Captioner.load(tiny_bundle), [LabelledPhoto(photo, "red", "", frozenset())])
    for confidence, sure in ((0.5, 1), (0.49, 0)):
        object.__setattr__(evaluation.descriptions["red"], "confidence", confidence)
        assert [share.photos for share in evaluation.shares()] == [1, sure, 1 - sure]
    assert evaluation.summary() == {"subject named": 0, "where confidence 0.5 or more": None}


def test_sequences_count_as_found_in_two_different_captions() -> None:
    text = ["A red dog runs.", "a red dog runs", "the red dog runs fast", "a red dog sits"]

    checked = find_rare(["a red dog runs", "a red dog", "red dog flies", "a dog"], text)

    assert checked.rare == {"red dog flies": 1}
    assert (checked.captions, checked.sequences, checked.captions_with_rare) == (4, 3, 1)
    assert find_rare(["red dog sits"], text).rare == {"red dog sits": 1}
    assert find_common(text) == {"a red dog", "red dog runs"}
    assert find_rare(["red dog runs"], ["red dog runs red dog runs", "Red dog runs, red dog runs."]).rare


def test_what_serving_lets_pass_is_in_two_captions_or_of_two_photos_or_known_already() -> None:
    vocabulary = Vocabulary(("<padding>", "<start>", "<end>", "<unknown>", "a", "red", "dog", "cat", "runs"), TOKENS)
    photos = [Photo(name, Path(name), ("A red dog.", "a red dog"), "") for name in "ab"]
    photos.append(Photo("c", Path("c"), ("A red cat.", "a red cat"), ""))
    text = ["a red bird", "red cat runs", "the red cat runs", "a red cat"]

    known = list_known(photos, text, vocabulary)
    longer = list_known([], text, Vocabulary((*vocabulary.words, "bird"), TOKENS), known=known)

    end = TOKENS.end
    assert known.list_sequences() == sorted([(4, 5, 6), (5, 6, end), (5, 7, 8), (7, 8, end)])
    assert longer.list_sequences() == known.list_sequences()


def test_what_people_avoid_is_no_sequence_that_serving_lets_pass() -> None:
    vocabulary = Vocabulary(("<padding>", "<start>", "<end>", "<unknown>", "in", "on", "a", "box", "table"), TOKENS)
    text = [f"{number} {place}" for number in range(30) for place in ("in a box", "on a table")]

    known = list_known([], [*text, "30 in a table", "31 in a table"], vocabulary)

    assert (4, 6, 7) in known.list_sequences()
    assert (5, 6, 8) in known.list_sequences()
    assert (4, 6, 8) not in known.list_sequences()


def test_sequences_of_captions_without_skipped_words_pass_as_well() -> None:
    vocabulary = Vocabulary(("<padding>", "<start>", "<end>", "<unknown>", "dog", "on", "a", "box"), TOKENS)

    known = list_known([], ["dog on a box", "big dog on a box"], vocabulary, skipped=["a"])

    assert known.list_sequences() == sorted([(4, 5, 6), (5, 6, 7), (6, 7, TOKENS.end), (4, 5, 7), (5, 7, TOKENS.end)])


def test_texts_are_read_and_a_line_without_a_tab_is_named(tmp_path: Path) -> None:
    path = _write_text(tmp_path / "text.gz", "a dog", "two cats")
    assert list(read_texts([path])) == [("text.gz 7", "a dog"), ("text.gz 7", "two cats")]

    path.write_bytes(gzip.compress(b"1\ta dog\nno caption\n"))
    with pytest.raises(DatasetError, match=r"text\.gz, line 2"):
        list(read_texts([path]))
    path.write_text("1\ta dog\n")
    with pytest.raises(DatasetError, match=r"text\.gz: Not a gzipped file"):
        list(read_texts([path]))


def test_captions_to_learn_from_are_those_of_the_train_split(captioned: Path) -> None:
    assert read_captions(captioned, "train") == ["a blue box", "a white box", "a black box"]


def test_evaluate_prints_and_writes_every_dataset(
    tiny_bundle: Path, captioned: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = _write_text(tmp_path / "text.gz", "here is a red square", "look at a red square now", "a green square")

    folders = ["--dataset", str(captioned), "--dataset", str(labelled)]
    files = ["--text", str(text), "--json", str(tmp_path / "scores.json")]

    code = main(["evaluate", "--bundle", str(tiny_bundle), *folders, *files])

    printed = capsys.readouterr().out
    assert code == 0
    assert "captioned, dev" in printed
    assert "content words" in printed
    assert "labelled, dev" in printed
    assert "subject named" in printed
    content = json.loads((tmp_path / "scores.json").read_text())
    first, second = content["datasets"]
    assert first["scores"]["beam"]["content words"] == pytest.approx(50)  # the colour, and not the square
    assert {one["image"] for one in second["captions"]} == {"red.png", "green.png", "white.png"}
    assert second["subject_named"][0] == {"captions": "all", "photos": 3, "named": 3, "percent": 100.0}
    assert content["trigrams"]["rare"] == {"a green square": 2, "a white square": 1}


def test_the_scores_of_one_dataset_stand_at_the_top(tiny_bundle: Path, captioned: Path, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"

    assert main(["evaluate", "--bundle", str(tiny_bundle), "--dataset", str(captioned), "--json", str(path)]) == 0

    assert json.loads(path.read_text()).keys() == {"dataset", "split", "protocol", "scores", "captions"}


def test_the_report_has_a_line_for_every_dataset(
    tiny_bundle: Path, captioned: Path, labelled: Path, tmp_path: Path
) -> None:
    datasets = ["--dataset", str(labelled), "--dataset", str(captioned)]
    page = tmp_path / "report.html"

    assert (
        main(["report", "--bundle", str(tiny_bundle), *datasets, "--against", str(tiny_bundle), "--out", str(page)])
        == 0
    )

    table = page.read_text().split("<h2>Datasets</h2>")[1].split("</table>")[0]
    assert table.count("<td>labelled") == table.count("<td>captioned") == 2
    assert "subject named" in table
    assert table.count("<td>100.0</td>") >= 2


def test_a_report_on_labels_alone_is_refused(
    tiny_bundle: Path, labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--bundle", str(tiny_bundle), "--dataset", str(labelled)]) == 1
    assert "name a dataset with captions too" in capsys.readouterr().err


def test_a_split_that_labels_do_not_have_and_a_folder_twice_are_refused(captioned: Path, labelled: Path) -> None:
    with pytest.raises(DatasetError, match="has no photo with a label for test"):
        read_split([labelled], "test")
    with pytest.raises(DatasetError, match="named twice"):
        read_split([captioned, captioned / ".." / "captioned"], "dev")

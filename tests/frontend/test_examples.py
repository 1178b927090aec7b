"""Every example photo is there in both sizes, small enough, and credited."""

import io

import pytest
from PIL import Image

from frontend.presentation.examples import FOLDER, Example, find_example, load_examples, read_example

EXAMPLES = load_examples()


def test_there_are_some() -> None:
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_a_photo_has_the_size_that_the_catalogue_says_and_is_small(example: Example) -> None:
    data = read_example(example)
    with Image.open(io.BytesIO(data)) as photo:
        assert photo.size == (example.width, example.height)
        assert not photo.getexif()
    assert len(data) < 120_000
    with Image.open(FOLDER / example.small_file_name) as small:
        assert small.size == (240, 180)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_a_photo_is_credited(example: Example) -> None:
    sources = (FOLDER / "SOURCES.md").read_text()

    assert f"| `{example.file_name}` | {example.shows} | {example.author} | {example.licence} |" in sources
    assert example.source.startswith("https://")


def test_no_photo_lies_there_without_a_credit() -> None:
    credited = {name for example in EXAMPLES for name in (example.file_name, example.small_file_name)}

    assert {path.name for path in FOLDER.glob("*.jpg")} == credited


def test_an_id_is_looked_up_and_never_made_into_a_path() -> None:
    assert find_example("../examples/dog") is None
    assert find_example(EXAMPLES[0].id) == EXAMPLES[0]

"""The report is one page that shows what it promises and fetches nothing."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from support.photos import encode_photo
from support.tiny_bundle import COLOURS

from photocaption.captioner import Captioner
from training.data.photo import Photo
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.history import EpochRecord
from training.evaluation.intervals import METRICS
from training.evaluation.report import Baseline, write_report


class _Page(HTMLParser):
    """Addresses, headings and words of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.headings: list[str] = []
        self.text = self._tag = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._tag in ("h2", "h3") and data.strip():
            self.headings.append(data)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Photo]:
    folder = tmp_path_factory.mktemp("photos")
    made = []
    for number, colour in enumerate(COLOURS):
        path = folder / f"{colour}.png"
        path.write_bytes(encode_photo(Image.new("RGB", (32, 32), COLOURS[colour])))
        made.append(Photo(path.name, path, (f"a {colour} square", f"a {colour} <b>box</b>"), f"{number:064x}"))
    return made


@pytest.fixture(scope="module")
def evaluation(captioner: Captioner, photos: list[Photo]) -> Evaluation:
    return evaluate(captioner, photos)


@pytest.fixture(scope="module")
def page(
    captioner: Captioner, photos: list[Photo], evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory
) -> _Page:
    path = tmp_path_factory.mktemp("report") / "report.html"
    history = [EpochRecord(0, 3.0, 20.0, 100.0), EpochRecord(1, 2.5, 30.0, 100.0)]
    write_report(
        path,
        captioner,
        photos,
        evaluation,
        {"teacher forcing": history, "self-critical": [EpochRecord(0, 0.0, 35.0, 90.0, 0.9)]},
        Baseline(captioner.bundle.manifest, evaluation),
    )
    return _Page(path)


def test_the_page_holds_all_that_it_shows(page: _Page) -> None:
    assert page.addresses
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert not re.search(r"url\((?!data:image/)", page.source)


def test_every_part_is_there(page: _Page) -> None:
    assert page.headings == [
        "Scores", "Learning", "Captions", "The best", "The median", "The worst", "Habits", "Confidence",
    ]  # fmt: skip


def test_captions_stand_beside_their_photos_with_where_the_model_looked(page: _Page) -> None:
    assert "a red square" in page.text
    assert page.source.count('class="word"') >= 3 * len(COLOURS)


def test_no_photo_is_shown_twice(page: _Page) -> None:
    shown = [address for address in page.addresses if address.startswith("data:image/jpeg")]

    assert len(shown) == len(set(shown)) == len(COLOURS)


def test_words_of_the_dataset_cannot_become_markup(page: _Page) -> None:
    assert "a red <b>box</b>" in page.text
    assert "<b>" not in page.source


def test_a_bundle_is_no_better_than_itself(page: _Page) -> None:
    assert page.text.count("+0.0 to +0.0") == len(METRICS)


def test_a_report_without_a_run_or_a_rival_leaves_them_out(
    captioner: Captioner, photos: list[Photo], evaluation: Evaluation, tmp_path: Path
) -> None:
    write_report(tmp_path / "report.html", captioner, photos, evaluation, {})

    page = _Page(tmp_path / "report.html")
    assert "Learning" not in page.headings
    assert "difference" not in page.text.split("Captions")[0].replace("of the difference on", "")

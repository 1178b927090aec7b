"""What a person can do with a caption: look where the model looked, copy, edit, pick another."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.fake_inference import COLUMNS, ROWS, Answer, FakeInference, make_caption

from .conftest import AT_BOTH_WIDTHS, OpenPage, choose, wait_for_captions

pytestmark = pytest.mark.browser


@pytest.fixture
def captioned(page: Page, photo: Path) -> Page:
    choose(page, photo)
    wait_for_captions(page)
    return page


def brightest_cell(page: Page) -> int:
    """Index of the grid cell in whose middle the drawing over the photo is most amber."""
    reds = page.evaluate(
        """([rows, columns]) => {
            const canvas = document.querySelector(".card canvas");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return Array.from({ length: rows * columns }, (_, cell) => {
                const x = Math.floor(((cell % columns) + 0.5) * canvas.width / columns);
                const y = Math.floor((Math.floor(cell / columns) + 0.5) * canvas.height / rows);
                return data[4 * (y * canvas.width + x)];
            });
        }""",
        [ROWS, COLUMNS],
    )
    return int(reds.index(max(reds)))


@pytest.mark.parametrize(("text", "cell"), [("A", 0), ("dog", 2), ("the", 5)])
def test_pointing_at_a_word_shows_where_the_model_looked(captioned: Page, text: str, cell: int) -> None:
    captioned.locator(".word").filter(has_text=text).first.hover()

    expect(captioned.locator(".frame[data-looking]")).to_be_visible()
    assert brightest_cell(captioned) == cell
    expect(captioned.locator("[data-slot=gaze]")).to_contain_text(text.lower())
    expect(captioned.locator(".scale")).to_have_text("1.0 %81 % of its attention")


def test_the_drawing_goes_away_with_the_pointer(captioned: Page) -> None:
    captioned.locator(".word").first.hover()
    captioned.mouse.move(0, 0)

    expect(captioned.locator(".frame[data-looking]")).to_have_count(0)
    expect(captioned.locator("[data-slot=gaze]")).to_contain_text("Point at a word")


def test_a_click_keeps_it_until_escape(captioned: Page) -> None:
    dog = captioned.locator(".word").filter(has_text="dog")
    dog.click()
    captioned.mouse.move(0, 0)
    expect(dog).to_have_attribute("aria-pressed", "true")
    expect(captioned.locator(".frame[data-looking]")).to_be_visible()

    captioned.keyboard.press("Escape")
    captioned.locator("h1").click()

    expect(dog).to_have_attribute("aria-pressed", "false")
    expect(captioned.locator(".frame[data-looking]")).to_have_count(0)


def test_arrow_keys_move_along_the_words(captioned: Page) -> None:
    captioned.locator(".word").first.focus()
    captioned.keyboard.press("ArrowRight")
    captioned.keyboard.press("ArrowRight")

    expect(captioned.locator(".word").nth(2)).to_be_focused()
    assert brightest_cell(captioned) == 2
    captioned.keyboard.press("End")
    expect(captioned.locator(".word").last).to_be_focused()


def test_a_word_tells_screen_readers_where_the_model_looked(captioned: Page) -> None:
    expect(captioned.get_by_role("button", name="A: the model looked at the upper left")).to_be_visible()


def test_a_finger_can_look_too(open_at: OpenPage, photo: Path) -> None:
    page = open_at(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    choose(page, photo)
    wait_for_captions(page)

    expect(page.locator("[data-slot=gaze]")).to_contain_text("Tap a word")
    page.locator(".word").nth(3).tap()

    expect(page.locator(".frame[data-looking]")).to_be_visible()
    assert brightest_cell(page) == 3


@AT_BOTH_WIDTHS
def test_alternatives_are_sentences_with_the_confidence_that_the_api_gives(
    page: Page, photo: Path, inference: FakeInference
) -> None:
    caption = make_caption(attention=True, confidence=0.52)
    for alternative, confidence in zip(caption["alternatives"], (0.61, 0.4, 0.004), strict=True):
        alternative["confidence"] = confidence
    inference.answers.append(Answer(body=json.dumps(caption).encode()))

    choose(page, photo)

    expect(page.get_by_text("Possibly right (52 %)")).to_be_visible()
    expect(page.locator(".alternatives li")).to_have_text(
        ["A dog is running number 1. 61 %", "A dog is running number 2. 40 %"]
    )


@pytest.fixture
def chosen(captioned: Page) -> Page:
    """A photo of which the second alternative was chosen."""
    captioned.get_by_role("button", name="a dog is running number 2").click()
    return captioned


def copy(page: Page, button: str) -> str:
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    return str(page.evaluate("() => navigator.clipboard.readText()"))


@AT_BOTH_WIDTHS
def test_everything_follows_the_chosen_sentence(chosen: Page) -> None:
    expect(chosen.locator(".card .caption")).to_have_text("A dog is running number 2.")
    expect(chosen.locator(".card .words")).to_be_hidden()
    expect(chosen.get_by_text("Possibly right (25 %)")).to_be_visible()
    expect(chosen.get_by_label("Alt text, yours to edit")).to_have_value("A dog is running number 2.")
    expect(chosen.locator(".card img")).to_have_attribute("alt", "A dog is running number 2.")
    expect(chosen.get_by_role("button", name="number 2", pressed=True)).to_be_focused()
    assert copy(chosen, "Copy caption") == "a dog is running number 2"


def test_a_chosen_sentence_outlives_a_reload(chosen: Page) -> None:
    chosen.reload()

    expect(chosen.locator(".card .caption")).to_have_text("A dog is running number 2.")
    expect(chosen.get_by_text("Possibly right (25 %)")).to_be_visible()


@AT_BOTH_WIDTHS
def test_one_click_goes_back_with_the_words_of_ones_own(captioned: Page) -> None:
    page = captioned
    page.get_by_label("Alt text, yours to edit").fill("My own words.")
    page.get_by_role("button", name="a dog is running number 2").click()
    expect(page.get_by_label("Alt text, yours to edit")).to_have_value("A dog is running number 2.")

    page.get_by_role("button", name="A brown dog runs through the grass.").click()

    expect(page.locator(".card .words")).to_be_visible()
    expect(page.get_by_label("Alt text, yours to edit")).to_have_value("My own words.")
    expect(page.get_by_role("button", pressed=True)).to_have_count(0)


@AT_BOTH_WIDTHS
def test_the_caption_and_the_edited_alt_text_are_copied_each_on_its_own(chosen: Page) -> None:
    chosen.get_by_label("Alt text, yours to edit").fill("Rex runs.")

    assert copy(chosen, "Copy caption") == "a dog is running number 2"
    expect(chosen.get_by_role("button", name="Copied")).to_be_hidden()
    assert copy(chosen, "Copy alt text") == "Rex runs."


def test_an_alternative_is_the_sentence_that_the_model_gives(page: Page, photo: Path, inference: FakeInference) -> None:
    caption = make_caption(attention=True, alternatives=1)
    caption["alternatives"][0] |= {"caption": "ein hund läuft", "alt_text": "Ein Hund läuft."}
    inference.answers.append(Answer(body=json.dumps(caption).encode()))

    choose(page, photo)

    expect(page.locator(".alternative-text")).to_have_text("Ein Hund läuft.")


def test_an_alternative_of_a_service_of_before_is_its_words(page: Page, photo: Path, inference: FakeInference) -> None:
    caption = make_caption(attention=True, alternatives=1)
    del caption["alternatives"][0]["alt_text"]
    inference.answers.append(Answer(body=json.dumps(caption).encode()))

    choose(page, photo)

    expect(page.locator(".alternative-text")).to_have_text("a dog is running number 1")


@AT_BOTH_WIDTHS
def test_a_decorative_photo_has_an_empty_alt_text(captioned: Page) -> None:
    page = captioned
    page.get_by_label("Decorative: leave the alt text empty").check()

    assert copy(page, "Copy <img>") == '<img src="dog.jpg" alt="">'
    expect(page.get_by_label("Alt text, yours to edit")).to_be_disabled()
    page.get_by_label("Decorative: leave the alt text empty").uncheck()
    expect(page.get_by_label("Alt text, yours to edit")).to_have_value("A brown dog runs through the grass.")


@AT_BOTH_WIDTHS
def test_a_long_alt_text_is_told_its_length(captioned: Page) -> None:
    field = captioned.get_by_label("Alt text, yours to edit")

    field.fill("x" * 125)
    expect(captioned.get_by_text("Beyond 125 it is tiring")).to_be_hidden()
    field.fill("x" * 126)

    expect(captioned.get_by_text("126 characters. Beyond 125 it is tiring")).to_be_visible()


@pytest.mark.parametrize(
    ("button", "copied"),
    [
        ("Copy alt text", "A brown dog runs through the grass."),
        ("Copy caption", "a brown dog runs through the grass"),
        ("Copy <img>", '<img src="dog.jpg" alt="A brown dog runs through the grass.">'),
    ],
)
def test_one_click_copies(open_at: OpenPage, photo: Path, button: str, copied: str) -> None:
    page = open_at(permissions=["clipboard-read", "clipboard-write"])
    choose(page, photo)
    wait_for_captions(page)

    page.get_by_role("button", name=button).click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == copied
    expect(page.get_by_role("button", name=button)).to_be_visible()


def test_what_was_edited_is_what_is_copied(open_at: OpenPage, photo: Path) -> None:
    page = open_at(permissions=["clipboard-read", "clipboard-write"])
    choose(page, photo)
    wait_for_captions(page)
    page.get_by_label("Alt text, yours to edit").fill('Rex says "hi" & runs')

    page.get_by_role("button", name="Copy <img>").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    expected = '<img src="dog.jpg" alt="Rex says &quot;hi&quot; &amp; runs">'
    assert page.evaluate("() => navigator.clipboard.readText()") == expected


def test_confidence_reads_as_words(captioned: Page) -> None:
    expect(captioned.get_by_text("Probably right (82 %)")).to_be_visible()
    expect(captioned.locator(".warning")).to_be_hidden()


@AT_BOTH_WIDTHS
def test_a_low_confidence_comes_with_a_plain_warning(page: Page, photo: Path, inference: FakeInference) -> None:
    inference.confidence = 0.2
    choose(page, photo)

    expect(page.get_by_text("Unsure (20 %)")).to_be_visible()
    expect(page.locator(".warning")).to_be_visible()


def test_results_are_announced(captioned: Page) -> None:
    expect(captioned.locator("#announcer")).to_have_text(
        "dog.jpg: A brown dog runs through the grass. Probably right. "
    )


def test_an_answer_without_attention_still_shows(page: Page, photo: Path, inference: FakeInference) -> None:
    inference.answers.append(Answer(body=json.dumps(make_caption(attention=False)).encode()))
    choose(page, photo)

    wait_for_captions(page)
    expect(page.locator(".words")).to_contain_text("A brown dog")
    expect(page.locator(".gaze")).to_be_hidden()

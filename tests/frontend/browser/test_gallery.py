"""Several photos: each with its own state, filtered, downloaded, kept while the tab lives."""

import csv
import io
import json
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect
from support.browser import DESKTOP, PHONE
from support.fake_inference import Answer, FakeInference, Received, make_caption, make_problem
from support.uploads import make_photo

from .conftest import AT_BOTH_WIDTHS, OpenPage, choose, save_photo, wait_for_captions

pytestmark = pytest.mark.browser

CAPTIONS = {"red.jpg": "A red square.", "blue.jpg": "A blue circle.", "evil.jpg": '=HYPERLINK("x"), <b>.'}


@pytest.fixture
def three_captions(page: Page, tmp_path: Path, inference: FakeInference) -> Page:
    """Three photos, each with a caption of its own."""
    photos = {name: save_photo(tmp_path, name, seed=seed) for seed, name in enumerate(CAPTIONS)}
    by_content = {path.read_bytes(): CAPTIONS[name] for name, path in photos.items()}

    def answer(received: Received) -> Answer:
        sentence = by_content[received.body]
        return Answer(body=json.dumps(make_caption() | {"alt_text": sentence, "caption": sentence.lower()}).encode())

    inference.answers.extend([answer] * 3)
    choose(page, *photos.values())
    wait_for_captions(page, 3)
    return page


def test_photos_stand_in_the_order_in_which_they_were_chosen(three_captions: Page) -> None:
    expect(three_captions.locator(".card-name")).to_have_text(list(CAPTIONS))


def test_each_photo_has_its_own_state_and_failed_ones_are_retried_one_by_one(
    page: Page, tmp_path: Path, inference: FakeInference
) -> None:
    bad = save_photo(tmp_path, "bad.jpg", seed=9)

    def answer(received: Received) -> Answer:
        return (
            make_problem(422) if received.body == bad.read_bytes() else Answer(body=json.dumps(make_caption()).encode())
        )

    inference.answers.extend([answer] * 2)
    choose(page, bad, save_photo(tmp_path, "good.jpg"))

    expect(page.locator(".card[data-state=failed]")).to_have_count(1)
    wait_for_captions(page, 1)
    page.get_by_role("button", name="Try again").click()
    wait_for_captions(page, 2)


class Held:
    """Answers that come when they are let go."""

    def __init__(self) -> None:
        self._gate = threading.Event()

    def __call__(self, _received: Received) -> Answer:
        self._gate.wait(120)
        return Answer(body=json.dumps(make_caption()).encode())

    def let_go(self) -> None:
        self._gate.set()


def test_a_finished_photo_does_not_wait_for_a_slow_one(page: Page, tmp_path: Path, inference: FakeInference) -> None:
    held = Held()
    inference.answers.append(held)
    choose(page, save_photo(tmp_path, "slow.jpg"), *[save_photo(tmp_path, f"{n}.jpg", seed=n) for n in range(3)])

    wait_for_captions(page, 3)
    expect(page.locator(".card[data-state=working]")).to_have_count(1)
    held.let_go()
    wait_for_captions(page, 4)


def test_filtering_by_a_word(three_captions: Page) -> None:
    three_captions.get_by_label("Show captions with the word").fill("Blue")
    expect(three_captions.locator(".card:visible .card-name")).to_have_text(["blue.jpg"])
    expect(three_captions.locator("#announcer")).to_have_text("1 caption shown.")

    three_captions.get_by_label("Show captions with the word").fill("zebra")
    expect(three_captions.get_by_text("No caption has that word.")).to_be_visible()


def download(page: Page, kind: str) -> str:
    page.get_by_text("Download", exact=True).click()
    with page.expect_download() as started:
        page.get_by_role("button", name=kind).click()
    return Path(started.value.path()).read_bytes().decode()


@AT_BOTH_WIDTHS
def test_csv_has_a_row_for_each_photo_and_no_formula(three_captions: Page) -> None:
    text = download(three_captions, "CSV")
    assert text.startswith("\ufeff")  # by which Excel knows UTF-8
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))

    assert [row["file"] for row in rows] == list(CAPTIONS)
    assert rows[0]["alt_text"] == "A red square."
    assert rows[2]["alt_text"] == '\'=HYPERLINK("x"), <b>.'
    assert rows[0]["confidence"] == "0.820"
    assert rows[0]["alternative_2"] == "A dog is running number 2."


def test_json_has_every_detail_and_the_edited_text(three_captions: Page) -> None:
    three_captions.get_by_label("Alt text, yours to edit").first.fill("Mine.")

    entries = json.loads(download(three_captions, "JSON"))

    assert [entry["alt_text"] for entry in entries] == ["Mine.", "A blue circle.", CAPTIONS["evil.jpg"]]
    assert entries[0]["caption"] == "a red square."
    assert entries[0]["words"][0]["probability"] == 0.9


@AT_BOTH_WIDTHS
def test_downloads_hold_what_the_filter_shows_and_say_so(three_captions: Page) -> None:
    expect(three_captions.locator("#downloads-scope")).to_have_text("All 3 captions")
    three_captions.get_by_label("Show captions with the word").fill("blue")
    expect(three_captions.locator("#downloads-scope")).to_have_text("The 1 of 3 captions that the word finds")

    entries = json.loads(download(three_captions, "JSON"))

    assert [entry["file"] for entry in entries] == ["blue.jpg"]


def test_json_has_the_chosen_sentence_first_and_the_others_after_it(page: Page, photo: Path) -> None:
    choose(page, photo)
    wait_for_captions(page)
    page.get_by_role("button", name="number 2").click()

    [entry] = json.loads(download(page, "JSON"))

    assert (entry["caption"], entry["confidence"]) == ("a dog is running number 2", 0.25)
    assert [other["caption"] for other in entry["alternatives"]] == [
        "a brown dog runs through the grass", "a dog is running number 1", "a dog is running number 3",
    ]  # fmt: skip
    assert "words" not in entry


def test_html_is_a_page_with_photos_and_alt_texts(three_captions: Page, chromium: Browser) -> None:
    text = download(three_captions, "HTML")

    reader = chromium.new_page(java_script_enabled=False)
    reader.set_content(text)
    photos = reader.locator("img")
    expect(photos).to_have_count(3)
    assert photos.nth(2).get_attribute("alt") == CAPTIONS["evil.jpg"]
    assert str(photos.first.get_attribute("src")).startswith("data:image/jpeg;base64,")
    reader.close()


def test_results_outlive_a_reload_but_not_the_tab(page: Page, open_at: OpenPage, photo: Path) -> None:
    choose(page, photo)
    wait_for_captions(page)
    page.get_by_label("Alt text, yours to edit").fill("Mine.")
    while "data:image" not in page.evaluate("sessionStorage.getItem('captions')"):  # until its thumbnail is drawn
        page.wait_for_timeout(50)

    page.reload()

    wait_for_captions(page)
    expect(page.get_by_label("Alt text, yours to edit")).to_have_value("Mine.")
    expect(page.get_by_role("heading", name="dog.jpg")).to_be_visible()
    page.locator(".word").first.hover()
    expect(page.locator(".frame[data-looking]")).to_be_visible()
    expect(open_at().locator(".card")).to_have_count(0)


def test_a_caption_is_kept_before_its_thumbnail_is_drawn(page: Page, photo: Path) -> None:
    page.clock.install()  # which nobody winds up: the thumbnail's turn never comes
    page.reload()
    page.clock.pause_at(4_000_000_000)
    choose(page, photo)
    wait_for_captions(page)

    page.reload()

    wait_for_captions(page)
    expect(page.locator(".words")).to_contain_text("A brown dog")
    expect(page.get_by_text("The photo itself was not kept.")).to_be_visible()


def test_the_page_says_that_nothing_is_stored(page: Page, photo: Path) -> None:
    choose(page, photo)

    expect(page.get_by_text("These captions stay in this tab until you close it or clear them.")).to_be_visible()
    expect(page.get_by_text("never stored on the server")).to_be_visible()


def test_one_can_be_removed_and_all_can_be_cleared(three_captions: Page) -> None:
    three_captions.get_by_role("button", name="Remove blue.jpg").click()
    expect(three_captions.locator(".card-name")).to_have_text(["red.jpg", "evil.jpg"])

    three_captions.get_by_role("button", name="Clear all").click()
    expect(three_captions.locator(".card")).to_have_count(0)
    expect(three_captions.locator("#results")).to_be_hidden()
    three_captions.reload()
    expect(three_captions.locator(".card")).to_have_count(0)


@AT_BOTH_WIDTHS
def test_all_can_be_had_back_with_the_words_of_ones_own(three_captions: Page) -> None:
    if (opener := three_captions.get_by_role("button", name="Show all of red.jpg")).is_visible():  # on a phone
        opener.click()
    three_captions.get_by_label("Alt text, yours to edit").first.fill("Mine.")
    three_captions.get_by_role("button", name="Clear all").click()
    expect(three_captions.locator(".card")).to_have_count(0)

    three_captions.get_by_role("button", name="Undo").click()

    expect(three_captions.locator(".card-name")).to_have_text(list(CAPTIONS))
    expect(three_captions.get_by_label("Alt text, yours to edit").first).to_have_value("Mine.")
    expect(three_captions.get_by_role("button", name="Undo")).to_be_hidden()
    three_captions.reload()
    expect(three_captions.locator(".card")).to_have_count(3)


def test_one_can_be_had_back_to_its_place(three_captions: Page) -> None:
    three_captions.get_by_role("button", name="Remove blue.jpg").click()

    three_captions.get_by_role("button", name="Undo").click()

    expect(three_captions.locator(".card-name")).to_have_text(list(CAPTIONS))
    expect(three_captions.get_by_role("button", name="Remove blue.jpg")).to_be_focused()


def choose_many(page: Page, folder: Path, count: int) -> None:
    choose(page, *[save_photo(folder, f"{number:02}.jpg", seed=number) for number in range(count)])


@AT_BOTH_WIDTHS
def test_progress_over_all_is_shown_while_there_is_any(page: Page, tmp_path: Path, inference: FakeInference) -> None:
    held = Held()
    inference.answers.extend([Answer(body=json.dumps(make_caption()).encode()), held, held])
    choose_many(page, tmp_path, 3)

    expect(page.locator("#overall")).to_contain_text("1 of 3")
    held.let_go()
    expect(page.locator("#overall")).to_be_hidden()


VIEWS = pytest.mark.parametrize("view", [PHONE, DESKTOP], ids=["390 pixels", "1280 pixels"])


@VIEWS
def test_many_photos_are_a_line_each_and_open_on_demand(open_at: OpenPage, tmp_path: Path, view: ViewportSize) -> None:
    page = open_at(viewport=view)
    choose_many(page, tmp_path, 12)
    wait_for_captions(page, 12)

    assert page.evaluate("() => document.documentElement.scrollHeight") < 3_000
    card = page.locator(".card").nth(4)
    expect(card.locator(".caption")).to_have_text("A brown dog runs through the grass.")
    expect(card.get_by_label("Alt text, yours to edit")).to_be_hidden()
    card.locator("img").click(force=True)  # the whole line opens it
    expect(card.get_by_label("Alt text, yours to edit")).to_be_visible()
    card.get_by_role("button", name="Show all of 04.jpg", expanded=True).click()
    expect(card.get_by_label("Alt text, yours to edit")).to_be_hidden()


@AT_BOTH_WIDTHS
def test_what_is_unsure_shows_in_its_line_too(page: Page, tmp_path: Path, inference: FakeInference) -> None:
    inference.answers.append(Answer(body=json.dumps(make_caption(confidence=0.2)).encode()))
    choose_many(page, tmp_path, 7)
    wait_for_captions(page, 7)

    unsure, sure = page.get_by_text("Unsure (20 %)"), page.get_by_text("Probably right (82 %)").first
    expect(unsure).to_be_visible()
    assert unsure.evaluate("it => getComputedStyle(it).color") != sure.evaluate("it => getComputedStyle(it).color")


@VIEWS
def test_the_answer_is_in_view(open_at: OpenPage, photo: Path, view: ViewportSize) -> None:
    page = open_at(viewport=view, reduced_motion="reduce")

    choose(page, photo)

    wait_for_captions(page)
    expect(page.locator(".words")).to_be_in_viewport(ratio=1)


@VIEWS
def test_the_download_menu_stays_on_the_screen(open_at: OpenPage, tmp_path: Path, view: ViewportSize) -> None:
    page = open_at(viewport=view)
    choose_many(page, tmp_path, 2)
    wait_for_captions(page, 2)

    page.get_by_text("Download", exact=True).click()

    expect(page.locator(".menu-items")).to_be_in_viewport(ratio=1)


def test_forty_photos_fit_and_all_get_their_caption(page: Page, tmp_path: Path) -> None:
    photos = []
    for number in range(40):
        path = tmp_path / f"{number:02}.jpg"
        path.write_bytes(make_photo(64, 48, seed=number))
        photos.append(path)

    choose(page, *photos)

    expect(page.locator(".card[data-state=done]")).to_have_count(40, timeout=60_000)

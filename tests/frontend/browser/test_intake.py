"""Each way in: choose, drop anywhere, paste, take, or an example."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect
from support.browser import PHONE, drop_files, paste_files
from support.fake_inference import FakeInference
from support.uploads import make_photo

from .conftest import AT_BOTH_WIDTHS, OpenPage, choose, save_photo, wait_for_captions

pytestmark = pytest.mark.browser


def test_a_chosen_photo_gets_its_caption(page: Page, photo: Path) -> None:
    choose(page, photo)

    wait_for_captions(page)
    expect(page.locator(".words")).to_have_text("A brown dog runs through the grass. ")
    expect(page.get_by_role("img", name="A brown dog runs through the grass.")).to_be_visible()
    expect(page.get_by_role("heading", name="dog.jpg")).to_be_visible()


def test_a_photo_chosen_before_the_script_is_there_is_not_lost(open_at: OpenPage, page_url: str, photo: Path) -> None:
    page = open_at()
    held: list[Route] = []
    page.route("**/js/main.js", lambda route: held.append(route))
    page.goto(page_url, wait_until="commit")
    page.locator("#photo-input").set_input_files(photo)

    held[0].continue_()

    wait_for_captions(page)


def test_photos_can_be_dropped_anywhere(page: Page) -> None:
    drop_files(page, ("first.jpg", make_photo(seed=1)), ("second.jpg", make_photo(seed=2)))

    wait_for_captions(page, 2)
    expect(page.locator(".card-name")).to_have_text(["first.jpg", "second.jpg"])


def test_the_whole_page_shows_that_it_takes_drops(page: Page) -> None:
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["x"], "x.jpg", { type: "image/jpeg" }));
            document.body.dispatchEvent(new DragEvent("dragenter", { dataTransfer: data, bubbles: true }));
        }"""
    )
    expect(page.get_by_text("Drop your photos anywhere")).to_be_visible()

    drop_files(page, ("dog.jpg", make_photo()))
    expect(page.get_by_text("Drop your photos anywhere")).to_be_hidden()


def test_a_photo_can_be_pasted(page: Page) -> None:
    paste_files(page, ("image.png", make_photo()))

    wait_for_captions(page)


def paste_text(page: Page, text: str) -> None:
    page.evaluate(
        """(text) => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }""",
        text,
    )


@AT_BOTH_WIDTHS
def test_a_pasted_address_is_told_what_to_do(page: Page, photo: Path) -> None:
    paste_text(page, "just words")
    expect(page.locator("#intake-note")).to_be_hidden()

    paste_text(page, "https://example.org/dog.jpg")

    expect(page.get_by_text("That is the address of a photo")).to_be_visible()
    choose(page, photo)
    expect(page.locator("#intake-note")).to_be_hidden()


@AT_BOTH_WIDTHS
def test_a_dropped_folder_is_walked(page: Page) -> None:
    # Scripts cannot make a folder to drop: this one stands in for it, with the methods that browsers give theirs.
    page.evaluate(
        """(bytes) => {
            const file = (name) => ({ isFile: true, file: (take) => take(new File([new Uint8Array(bytes)], name)) });
            const folder = (...inner) => ({
                isDirectory: true,
                createReader: () => ({ readEntries: (take) => take(inner.splice(0, 1)) }),
            });
            const entry = folder(file("a.jpg"), folder(file("b.JPG"), file("notes.txt")), file(".DS_Store"));
            const event = new Event("drop", { bubbles: true, cancelable: true });
            event.dataTransfer = { types: ["Files"], files: [], items: [{ webkitGetAsEntry: () => entry }] };
            document.body.dispatchEvent(event);
        }""",
        list(make_photo()),
    )

    wait_for_captions(page, 2)
    expect(page.locator(".card-name")).to_have_text(["a.jpg", "b.JPG"])


def test_pasting_text_is_left_alone(page: Page, photo: Path) -> None:
    choose(page, photo)
    wait_for_captions(page)
    field = page.get_by_label("Alt text, yours to edit")
    field.fill("")

    page.keyboard.insert_text("my own words")

    expect(field).to_have_value("my own words")
    expect(page.locator(".card")).to_have_count(1)


def test_a_phone_offers_its_camera(open_at: OpenPage, photo: Path) -> None:
    page = open_at(viewport=PHONE, has_touch=True, is_mobile=True)
    camera = page.get_by_label("Take a photo")
    assert camera.get_attribute("capture") == "environment"
    expect(page.get_by_text("Take a photo")).to_be_visible()

    camera.set_input_files(photo)

    wait_for_captions(page)


def test_a_desktop_does_not_offer_a_camera(page: Page) -> None:
    expect(page.get_by_text("Take a photo")).to_be_hidden()


def test_an_example_answers_with_one_click(page: Page, inference: FakeInference) -> None:
    page.get_by_role("button", name="A German shepherd").click()

    wait_for_captions(page)
    assert inference.received[0].body.startswith(b"\xff\xd8\xff")


def test_every_example_is_credited(page: Page) -> None:
    page.get_by_text("Who took these photos").click()

    assert page.locator(".credits li:visible").count() == page.locator("#examples button").count()


def test_formats_and_limits_are_shown_before_they_are_hit(page: Page) -> None:
    expect(page.get_by_text("JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF, up to 391 kB each.")).to_be_visible()


def test_a_large_photo_is_scaled_down_before_it_is_sent(page: Page, inference: FakeInference, tmp_path: Path) -> None:
    """It has more bytes than the page may send."""
    choose(page, save_photo(tmp_path, "large.bmp", width=2000, height=1500, kind="BMP"))

    wait_for_captions(page)
    with Image.open(BytesIO(inference.received[0].body)) as sent:
        assert (sent.format, sent.size) == ("JPEG", (1280, 960))


def test_a_small_photo_is_sent_untouched(page: Page, inference: FakeInference, photo: Path) -> None:
    choose(page, photo)
    wait_for_captions(page)

    assert inference.received[0].body == photo.read_bytes()

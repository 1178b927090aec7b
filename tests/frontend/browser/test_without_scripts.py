"""All of the main job with JavaScript switched off."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.fake_inference import FakeInference, make_problem

from .conftest import OpenPage, save_photo

pytestmark = pytest.mark.browser


@pytest.fixture
def plain_page(open_at: OpenPage) -> Page:
    return open_at(java_script_enabled=False)


def send(page: Page, *photos: Path) -> None:
    page.locator("#photo-input").set_input_files(list(photos))
    page.get_by_role("button", name="Caption it").click()


def test_a_photo_gets_its_caption(plain_page: Page, photo: Path) -> None:
    send(plain_page, photo)

    expect(plain_page.locator("p.caption")).to_have_text("A brown dog runs through the grass.")
    expect(plain_page.get_by_role("img", name="A brown dog runs through the grass.")).to_be_visible()
    expect(plain_page.get_by_text("Probably right (82 %)")).to_be_visible()
    expect(plain_page.locator(".alternatives li")).to_have_count(3)
    expect(plain_page.get_by_text('<img src="dog.jpg" alt="A brown dog runs through the grass.">')).to_be_visible()


def test_several_photos_at_once(plain_page: Page, tmp_path: Path) -> None:
    send(plain_page, save_photo(tmp_path, "one.jpg"), save_photo(tmp_path, "two.png", kind="PNG", seed=2))

    expect(plain_page.locator(".card-name")).to_have_text(["one.jpg", "two.png"])
    expect(plain_page.locator("p.caption:visible")).to_have_count(2)


def test_an_example_with_one_click(plain_page: Page) -> None:
    plain_page.get_by_role("button", name="A German shepherd").click()

    expect(plain_page.locator("p.caption")).to_be_visible()


def test_settings_work_and_stay(plain_page: Page, photo: Path, inference: FakeInference) -> None:
    plain_page.get_by_text("Settings").click()
    plain_page.get_by_label("Sentences to weigh at a time").select_option("5")
    send(plain_page, photo)

    assert inference.received[0].query["beam_width"] == "5"
    expect(plain_page.locator("#beam-width")).to_have_value("5")


def test_a_failure_is_explained_and_a_reload_sends_the_photo_again(
    plain_page: Page, photo: Path, inference: FakeInference
) -> None:
    inference.answers.append(make_problem(429, Retry_After="2"))
    send(plain_page, photo)
    expect(plain_page.get_by_text("Many photos are waiting right now.")).to_be_visible()
    expect(plain_page.get_by_text("Reload this page to send the same photo again.")).to_be_visible()

    plain_page.reload()

    expect(plain_page.locator("p.caption")).to_be_visible()


def test_nothing_is_offered_that_needs_scripts(plain_page: Page, photo: Path) -> None:
    send(plain_page, photo)
    expect(plain_page.locator("p.caption")).to_be_visible()

    expect(plain_page.locator(".scripted:visible")).to_have_count(0)


def test_the_other_pages_work_too(open_at: OpenPage) -> None:
    for path, heading in (("/about", "About the model"), ("/developers", "API")):
        page = open_at(path, java_script_enabled=False)
        expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()

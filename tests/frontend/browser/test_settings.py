"""Settings reach the model and are remembered; light and dark come from the system and from a switch."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.fake_inference import FakeInference

from .conftest import AT_BOTH_WIDTHS, OpenPage, choose, wait_for_captions

pytestmark = pytest.mark.browser

LIGHT_PAPER = "rgb(250, 248, 244)"
DARK_PAPER = "rgb(20, 21, 19)"


def paper(page: Page) -> str:
    return str(page.evaluate("() => getComputedStyle(document.body).backgroundColor"))


def test_settings_say_what_they_do_and_reach_the_model(page: Page, photo: Path, inference: FakeInference) -> None:
    page.get_by_text("Settings").click()
    page.get_by_label("Sentences to weigh at a time").select_option("5: thorough")
    page.get_by_label("Other sentences to show").fill("1")

    choose(page, photo)

    wait_for_captions(page)
    assert inference.received[0].query == {"alternatives": "1", "beam_width": "5", "attention": "true"}
    expect(page.locator(".alternatives li")).to_have_count(1)


def test_no_alternatives_leave_no_empty_heading(page: Page, photo: Path) -> None:
    page.get_by_text("Settings").click()
    page.get_by_label("Other sentences to show").fill("0")
    choose(page, photo)

    wait_for_captions(page)
    expect(page.get_by_text("Or maybe")).to_be_hidden()


def test_settings_are_remembered(page: Page) -> None:
    page.get_by_text("Settings").click()
    page.get_by_label("Other sentences to show").fill("7")
    page.get_by_label("Sentences to weigh at a time").select_option("10")

    page.reload()

    expect(page.locator("#alternatives")).to_have_value("7")
    expect(page.locator("#beam-width")).to_have_value("10")


@AT_BOTH_WIDTHS
def test_a_setting_out_of_range_is_corrected_in_view(page: Page) -> None:
    page.get_by_text("Settings").click()
    field = page.get_by_label("Other sentences to show")

    field.fill("25")
    field.press("Tab")

    expect(field).to_have_value("10")


@AT_BOTH_WIDTHS
def test_changed_settings_are_tried_on_what_is_shown_when_the_person_wants_it(
    page: Page, photo: Path, inference: FakeInference
) -> None:
    page.get_by_text("Settings").click()
    expect(page.get_by_role("button", name="Caption these photos again")).to_be_hidden()
    choose(page, photo)
    wait_for_captions(page)
    page.get_by_label("Other sentences to show").fill("1")
    page.get_by_label("Other sentences to show").press("Tab")

    page.get_by_role("button", name="Caption these photos again").click()

    expect(page.locator(".alternatives li")).to_have_count(1)
    expect(page.get_by_role("button", name="Caption these photos again")).to_be_hidden()
    assert [received.query["alternatives"] for received in inference.received] == ["3", "1"]
    page.locator(".word").first.focus()
    page.keyboard.press("ArrowRight")  # which the words of the first caption, gone now, must not hear
    expect(page.locator(".word").nth(1)).to_be_focused()


@pytest.mark.parametrize("path", ["/", "/about", "/developers"])
@pytest.mark.parametrize(("scheme", "expected"), [("light", LIGHT_PAPER), ("dark", DARK_PAPER)])
def test_the_system_chooses_the_theme(open_at: OpenPage, path: str, scheme: str, expected: str) -> None:
    page = open_at(path, color_scheme=scheme)

    assert paper(page) == expected
    expect(page.get_by_role("switch", name="Dark theme")).to_be_checked(checked=scheme == "dark")


def test_the_switch_overrules_the_system_on_every_page(open_at: OpenPage) -> None:
    page = open_at(color_scheme="light")
    page.get_by_role("switch", name="Dark theme").click()
    assert paper(page) == DARK_PAPER

    page.get_by_role("link", name="About").click()

    assert paper(page) == DARK_PAPER
    page.get_by_role("switch", name="Dark theme").click()
    assert paper(page) == LIGHT_PAPER


def test_reduced_motion_is_respected(open_at: OpenPage, photo: Path) -> None:
    page = open_at(reduced_motion="reduce")
    choose(page, photo)

    wait_for_captions(page)
    expect(page.locator(".word.appearing")).to_have_count(0)
    assert page.evaluate("() => document.getAnimations().length") == 0


def test_words_appear_one_after_the_other(open_at: OpenPage, photo: Path) -> None:
    page = open_at(reduced_motion="no-preference")
    choose(page, photo)

    wait_for_captions(page)
    expect(page.locator(".word.appearing")).to_have_count(7)
    delays = page.evaluate(
        "() => [...document.querySelectorAll('.word')].map((word) => parseFloat(getComputedStyle(word).animationDelay))"
    )
    assert delays == sorted(set(delays))
    assert delays[-1] < 0.4

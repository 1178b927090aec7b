"""By keyboard alone, for screen readers, at 320 pixels and 200 %, and clean under axe-core in both themes."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from support.browser import DESKTOP, PHONE
from support.fake_inference import Answer, FakeInference, make_problem

from .conftest import OpenPage, choose, wait_for_captions

pytestmark = pytest.mark.browser

AXE = Axe()
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


def show_nothing(page: Page, photo: Path, inference: FakeInference) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def show_settings(page: Page, photo: Path, inference: FakeInference) -> None:
    page.get_by_text("Settings").click()
    page.get_by_text("Who took these photos").click()


def show_caption(page: Page, photo: Path, inference: FakeInference) -> None:
    choose(page, photo)
    wait_for_captions(page)


def show_attention(page: Page, photo: Path, inference: FakeInference) -> None:
    show_caption(page, photo, inference)
    page.locator(".word").nth(2).click()


def show_doubt(page: Page, photo: Path, inference: FakeInference) -> None:
    inference.confidence = 0.1
    show_caption(page, photo, inference)


def show_gallery(page: Page, photo: Path, inference: FakeInference) -> None:
    inference.answers.append(make_problem(422))
    choose(page, photo, photo)
    expect(page.locator(".card[data-state=failed]")).to_have_count(1)
    wait_for_captions(page)
    page.get_by_text("Download", exact=True).click()


def show_waiting(page: Page, photo: Path, inference: FakeInference) -> None:
    inference.answers.append(make_problem(429, Retry_After="60"))
    choose(page, photo)
    expect(page.get_by_role("button", name="Try now")).to_be_visible()


def show_working(page: Page, photo: Path, inference: FakeInference) -> None:
    inference.answers.append(Answer(delay=6))
    choose(page, photo)
    expect(page.locator(".card[data-state=working]")).to_be_visible()


def show_compact(page: Page, photo: Path, inference: FakeInference) -> None:
    inference.answers.append(make_problem(415))
    choose(page, *[photo] * 7)
    wait_for_captions(page, 6)
    page.get_by_role("button", name="Show all of dog.jpg").last.click()


def show_choice(page: Page, photo: Path, inference: FakeInference) -> None:
    show_caption(page, photo, inference)
    page.get_by_role("button", name="number 2").click()
    page.get_by_label("Decorative").check()


def show_undo(page: Page, photo: Path, inference: FakeInference) -> None:
    show_caption(page, photo, inference)
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()


STATES = [
    show_nothing, show_settings, show_caption, show_attention, show_doubt, show_gallery, show_waiting, show_working,
    show_compact, show_choice, show_undo,
]  # fmt: skip


def assert_axe_finds_nothing(page: Page) -> None:
    """In either theme."""
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        results = AXE.run(page, options=RULES)
        assert results.violations_count == 0, (scheme, results.generate_report())


@pytest.mark.parametrize("show", STATES, ids=lambda show: show.__name__.removeprefix("show_"))
def test_axe_finds_nothing_in_any_state(
    open_at: OpenPage, photo: Path, inference: FakeInference, show: Callable[[Page, Path, FakeInference], None]
) -> None:
    page = open_at(bypass_csp=True, reduced_motion="reduce")

    show(page, photo, inference)

    assert_axe_finds_nothing(page)


@pytest.mark.parametrize("path", ["/about", "/developers", "/no-such-page"])
def test_axe_finds_nothing_on_any_page(open_at: OpenPage, path: str) -> None:
    page = open_at(path, bypass_csp=True)

    for viewport in (PHONE, DESKTOP):
        page.set_viewport_size(viewport)
        assert_axe_finds_nothing(page)


def test_axe_finds_nothing_without_scripts_of_the_page(open_at: OpenPage, page_url: str, photo: Path) -> None:
    page = open_at(bypass_csp=True)
    page.route("**/*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(page_url)
    page.locator("#photo-input").set_input_files(photo)
    page.get_by_role("button", name="Caption it").click()
    expect(page.locator(".card[data-state=done]")).to_be_visible()

    assert_axe_finds_nothing(page)


def test_everything_can_be_done_by_keyboard(open_at: OpenPage, photo: Path) -> None:
    page = open_at(permissions=["clipboard-read", "clipboard-write"])
    press = page.keyboard.press
    # Asked for ahead of the key that opens it: the browser may take the key first, and its own dialog stays unanswered.
    page.on("filechooser", lambda chooser: chooser.set_files(photo))
    press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    press("Enter")
    press("Tab")
    expect(page.get_by_label("Choose photos")).to_be_focused()
    press("Space")
    wait_for_captions(page)

    tab_to(page, page.locator(".word").first)
    press("ArrowRight")
    expect(page.locator(".frame[data-looking]")).to_be_visible()
    tab_to(page, page.get_by_label("Alt text, yours to edit"))
    tab_to(page, page.get_by_role("button", name="Copy alt text"))
    press("Enter")
    expect(page.get_by_role("button", name="Copied")).to_be_focused()
    tab_to(page, page.get_by_role("button", name="a dog is running number 1"))
    press("Enter")
    expect(page.get_by_label("Alt text, yours to edit")).to_have_value("A dog is running number 1.")
    tab_to(page, page.get_by_role("button", name="A German shepherd"))
    press("Enter")
    wait_for_captions(page, 2)


def tab_to(page: Page, target: object) -> None:
    """Press Tab until `target` has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if target.evaluate("(element) => element === document.activeElement"):  # type: ignore[attr-defined]
            return
    pytest.fail("the Tab key does not reach it")


def test_the_focus_is_always_visible(page: Page, photo: Path) -> None:
    choose(page, photo)
    wait_for_captions(page)

    unmarked = []
    page.locator(".wordmark").focus()
    for _ in range(30):
        page.keyboard.press("Tab")
        marked = page.evaluate(
            """() => {
                const focused = document.activeElement;
                const shown = focused.matches(".file-input") ? focused.nextElementSibling : focused;
                return focused === document.body || parseFloat(getComputedStyle(shown).outlineWidth) >= 2;
            }"""
        )
        if not marked:
            unmarked.append(page.evaluate("() => document.activeElement.outerHTML.slice(0, 80)"))
    assert unmarked == []


def test_the_focus_moves_on_when_a_photo_is_removed(page: Page, photo: Path) -> None:
    choose(page, photo)
    wait_for_captions(page)

    page.get_by_role("button", name="Remove dog.jpg").press("Enter")

    expect(page.get_by_label("Choose photos")).to_be_focused()


NARROW = {"viewport": {"width": 320, "height": 640}}
ZOOMED = {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2}


@pytest.mark.parametrize("view", [NARROW, {"viewport": PHONE}, ZOOMED], ids=["320 pixels", "390 pixels", "200 percent"])
@pytest.mark.parametrize("path", ["/", "/about", "/developers"])
def test_nothing_sticks_out_sideways(
    open_at: OpenPage, photo: Path, path: str, view: dict[str, dict[str, int] | int]
) -> None:
    page = open_at(path, **view)
    if path == "/":
        page.get_by_text("Settings").click()
        choose(page, photo, photo)
        wait_for_captions(page, 2)
    if path == "/about":
        page.get_by_text("The whole model card").click()

    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0


def test_targets_are_large_enough_for_fingers(open_at: OpenPage, photo: Path) -> None:
    page = open_at(viewport=PHONE, has_touch=True, is_mobile=True)
    choose(page, photo)
    wait_for_captions(page)

    small = page.evaluate(
        """() => [...document.querySelectorAll("button, summary, select, textarea, label.button")]
            .filter((element) => element.checkVisibility())
            .map((element) => [element.outerHTML.slice(0, 60), element.getBoundingClientRect()])
            .filter(([, box]) => box.height < 24 || (box.width < 24 && box.height < 30))
            .map(([html]) => html)"""
    )
    assert small == []

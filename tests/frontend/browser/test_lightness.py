"""Light and quick: what the first load weighs, whether anything jumps, how soon the caption is there."""

import json
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect
from support.fake_inference import Answer, FakeInference, make_caption

from .conftest import OpenPage, choose, wait_for_captions

pytestmark = pytest.mark.browser

BUDGET_BYTES = 60_000


def test_the_first_load_weighs_less_than_60_kb_without_the_examples(chromium: Browser, page_url: str) -> None:
    page = chromium.new_page()
    responses: list[Response] = []
    page.on("response", lambda response: responses.append(response))
    page.goto(page_url, wait_until="networkidle")

    weights = {
        response.url: response.request.sizes()["responseBodySize"] + response.request.sizes()["responseHeadersSize"]
        for response in responses
        if "/examples/" not in response.url
    }
    page.close()

    assert len(weights) > 5
    assert sum(weights.values()) < BUDGET_BYTES, weights


def measure_shift(page: Page) -> float:
    """Cumulative layout shift that no one's action explains, so far."""
    return float(
        page.evaluate(
            """() => new Promise((resolve) => {
                let sum = 0;
                new PerformanceObserver((list) => {
                    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
                }).observe({ type: "layout-shift", buffered: true });
                setTimeout(() => resolve(sum), 200);
            })"""
        )
    )


def test_nothing_jumps_while_the_page_loads(page: Page) -> None:
    page.wait_for_load_state("networkidle")

    assert measure_shift(page) == 0


def test_the_photo_does_not_jump_when_its_caption_arrives(page: Page, photo: Path, inference: FakeInference) -> None:
    inference.answers.append(Answer(body=json.dumps(make_caption(attention=True)).encode(), delay=1))
    choose(page, photo)
    image = page.locator(".card img")
    expect(image).to_be_visible()
    page.wait_for_timeout(500)
    before = image.bounding_box()

    wait_for_captions(page)

    assert image.bounding_box() == before


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_words_stay_under_the_pointer(open_at: OpenPage, photo: Path, width: int) -> None:
    page = open_at(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    choose(page, photo)
    wait_for_captions(page)
    word = page.locator(".word").nth(5)
    place = "(word) => word.getBoundingClientRect().top + scrollY"
    before = word.evaluate(place)

    word.hover()

    expect(page.locator(".frame[data-looking]")).to_be_visible()
    assert word.evaluate(place) == pytest.approx(before, abs=0.5)


def test_a_caption_is_read_within_half_a_second_beyond_the_answer(
    page: Page, photo: Path, inference: FakeInference
) -> None:
    choose(page, photo)
    wait_for_captions(page)
    page.get_by_role("button", name="Clear all").click()

    began = time.monotonic()
    choose(page, photo)
    wait_for_captions(page)
    page.locator(".word").last.evaluate("(word) => Promise.all(word.getAnimations().map((one) => one.finished))")
    seconds = time.monotonic() - began

    assert seconds < 0.5 + 0.3, "0.3 s for the test's own round trips on a busy machine"

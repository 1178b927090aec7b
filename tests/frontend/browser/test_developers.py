"""The API page: its examples can be copied and one of them runs for real."""

import json

import pytest
from playwright.sync_api import ViewportSize, expect
from support.browser import DESKTOP, PHONE
from support.fake_inference import FakeInference, make_caption

from .conftest import OpenPage

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("view", [PHONE, DESKTOP], ids=["390 pixels", "1280 pixels"])
def test_the_example_runs_for_real_and_shows_what_the_api_answers(
    open_at: OpenPage, inference: FakeInference, view: ViewportSize
) -> None:
    page = open_at("/developers", viewport=view)

    page.get_by_role("button", name="Ask for the caption").click()

    expect(page.locator("#answer")).to_contain_text('"caption": "a brown dog runs through the grass"')
    assert json.loads(page.locator("#answer").inner_text()) == make_caption(alternatives=0)
    assert inference.received[0].query == {}


def test_an_example_can_be_copied(open_at: OpenPage, inference: FakeInference) -> None:
    page = open_at("/developers", permissions=["clipboard-read", "clipboard-write"])

    page.get_by_role("button", name="Copy the curl example").click()

    expect(page.get_by_role("button", name="Copy the curl example")).to_have_text("Copied")
    assert page.evaluate("() => navigator.clipboard.readText()") == f"curl -F image=@photo.jpg {inference.url}/caption"

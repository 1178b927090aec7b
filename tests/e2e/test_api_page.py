"""`/docs` in a real browser: readable and usable with the files of the service alone, under its own strict policy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import DESKTOP, Watch
from support.photos import photo_bytes
from support.service_process import ServiceProcess

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context(viewport=DESKTOP) as context:
        yield context.new_page()


def test_a_photo_can_be_tried_on_the_page(service: ServiceProcess, page: Page, tmp_path: Path) -> None:
    watch = Watch(page, service.url)
    photo = tmp_path / "red.png"
    photo.write_bytes(photo_bytes("red"))

    page.goto(f"{service.url}/docs")
    operation = page.locator("#operations-captions-caption")
    operation.locator(".opblock-summary-control").click()
    operation.locator("input[type=file]").set_input_files(photo)
    operation.get_by_role("button", name="Execute").click()

    expect(operation.locator(".responses-table.live-responses-table")).to_contain_text("a red square")
    assert watch.mishaps == []

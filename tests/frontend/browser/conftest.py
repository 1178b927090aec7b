"""The page in a real Chromium, before a fake inference service."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect
from support.browser import DESKTOP, PHONE, open_page
from support.uploads import make_photo

OpenPage = Callable[..., Page]

# For tests of `page`, and of what is made of it.
AT_BOTH_WIDTHS = pytest.mark.parametrize("page", [PHONE, DESKTOP], ids=["390 pixels", "1280 pixels"], indirect=True)

expect.set_options(timeout=30_000)  # machines that test are busy ones


@pytest.fixture
def open_at(chromium: Browser, page_url: str) -> Iterator[OpenPage]:
    """Opens the page in a context of its own; at the end no page may have had a mishap."""
    watches = []
    contexts = []

    def open_one(path: str = "/", **context_options: Any) -> Page:  # noqa: ANN401
        context = chromium.new_context(**{"viewport": DESKTOP, **context_options})
        contexts.append(context)
        page, watch = open_page(context, page_url, path)
        watches.append(watch)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert [mishap for watch in watches for mishap in watch.mishaps] == []


@pytest.fixture
def page(open_at: OpenPage, request: pytest.FixtureRequest) -> Page:
    viewport: ViewportSize = getattr(request, "param", DESKTOP)
    return open_at(viewport=viewport, permissions=["clipboard-read", "clipboard-write"])


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_photo(tmp_path, "dog.jpg")


def save_photo(folder: Path, name: str, **options: Any) -> Path:  # noqa: ANN401
    path = folder / name
    path.write_bytes(make_photo(**options))
    return path


def choose(page: Page, *photos: Path) -> None:
    page.get_by_label("Choose photos").set_input_files(list(photos))


def wait_for_captions(page: Page, count: int = 1) -> None:
    expect(page.locator(".card[data-state=done]")).to_have_count(count)

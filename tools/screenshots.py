"""Screenshots of the real page for the README and the docs: both services, the served bundle, a real browser.

    PYTHONPATH=tools:tests python -m screenshots [--page http://localhost:8080] [--out docs/screenshots] [STATE …]

Without `--page` it starts both services itself. Every state comes at two widths, in both themes.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect
from repository import BUNDLE, EXAMPLES, ROOT
from support.browser import DESKTOP, PHONE, launch_chromium
from support.frontend_process import run_frontend
from support.service_process import run_service

WIDTHS = {"desktop": DESKTOP, "phone": PHONE}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
GALLERY = ("dog", "band", "stage", "festival", "horses", "kitten")
ANSWER_MS = 30_000
QUALITY = 85  # a tenth of the bytes of a PNG, since most of a screenshot is photos


def show_start(_page: Page) -> None:
    """The empty page."""


def show_caption(page: Page) -> None:
    """One photo, and where the model looked for a word."""
    _caption(page, "dog")
    lengths = [len(word) for word in page.locator(".word").all_inner_texts()]
    page.locator(".word").nth(lengths.index(max(lengths))).click()


def show_gallery(page: Page) -> None:
    """Several photos."""
    _caption(page, *GALLERY)


def show_failure(page: Page) -> None:
    """What a person sees when the connection breaks."""
    page.route("**/api/caption*", lambda route: route.abort("connectionreset"))
    page.get_by_label("Choose photos").set_input_files(EXAMPLES / "dog.jpg")
    page.get_by_role("button", name="Try again").wait_for()


def show_about(page: Page) -> None:
    """What the model is good and bad at."""
    page.get_by_role("link", name="About").click()


def show_api(page: Page) -> None:
    """Examples for developers."""
    page.get_by_role("link", name="API").click()


STATES: dict[str, Callable[[Page], None]] = {
    "start": show_start,
    "caption": show_caption,
    "gallery": show_gallery,
    "failure": show_failure,
    "about": show_about,
    "api": show_api,
}


def _caption(page: Page, *names: str) -> None:
    page.get_by_label("Choose photos").set_input_files([EXAMPLES / f"{name}.jpg" for name in names])
    expect(page.locator(".card[data-state=done]")).to_have_count(len(names), timeout=ANSWER_MS * len(names))


def take_all(browser: Browser, address: str, folder: Path, states: list[str]) -> Iterator[Path]:
    """Take the named states at every width in every theme; gives the files as they are written."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in states:
        for width, viewport in WIDTHS.items():
            for scheme in SCHEMES:
                page = browser.new_page(
                    viewport=viewport,
                    color_scheme=scheme,
                    reduced_motion="reduce",
                    device_scale_factor=1,
                )
                page.goto(address)
                page.reload()  # the typeface is only used when it comes at once, as from the cache
                STATES[name](page)
                path = folder / f"{name}-{width}-{scheme}.jpg"
                page.screenshot(path=path, full_page=True, type="jpeg", quality=QUALITY)
                page.close()
                yield path


@contextmanager
def find_page(given: str | None) -> Iterator[str]:
    """The address that was given, or that of services started for the length of the block."""
    if given:
        yield given
        return
    with run_service(BUNDLE) as inference, run_frontend(inference.url) as frontend:
        yield frontend.url


def main() -> None:
    """Take the screenshots that the arguments ask for."""
    parser = argparse.ArgumentParser(description="Take screenshots of the page in its main states.")
    parser.add_argument("--page", help="address of a running frontend; by default both services are started")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("states", nargs="*", metavar="STATE", help=f"which of {', '.join(STATES)}; by default all")
    arguments = parser.parse_args()
    with find_page(arguments.page) as address, launch_chromium() as browser:
        for path in take_all(browser, address, arguments.out, arguments.states or list(STATES)):
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()

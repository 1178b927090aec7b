"""Debian's Chromium under Playwright, and a page that is strict about what happens on it."""

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, ViewportSize, sync_playwright

_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-quic",
]  # fmt: skip
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}


def find_chromium() -> str | None:
    """Path of an installed Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def launch_chromium() -> Iterator[Browser]:
    """A headless Chromium; skips the test, with the reason, where there is none."""
    executable = find_chromium()
    if executable is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield browser
        browser.close()


class Watch:
    """Notes what must not happen on a page: script errors, refused content, requests to other hosts."""

    def __init__(self, page: Page, own_address: str) -> None:
        self.mishaps: list[str] = []
        self._own_address = own_address
        page.on("pageerror", lambda error: self.mishaps.append(f"script error: {error}"))
        page.on("console", self._note_message)
        page.on("request", self._note_request)

    def _note_message(self, message: ConsoleMessage) -> None:
        # The browser itself notes every 4xx and 5xx; the tests provoke those.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.mishaps.append(f"console: {message.text}")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((self._own_address, "data:", "blob:")):
            self.mishaps.append(f"request to {request.url}")


def drop_files(page: Page, *files: tuple[str, bytes]) -> None:
    """Drop files on the middle of the page, as from a file manager."""
    _give_files(page, "drop", files)


def paste_files(page: Page, *files: tuple[str, bytes]) -> None:
    """Paste files from the clipboard."""
    _give_files(page, "paste", files)


def _give_files(page: Page, kind: str, files: tuple[tuple[str, bytes], ...]) -> None:
    page.evaluate(
        """([kind, files]) => {
            const data = new DataTransfer();
            for (const [name, bytes] of files) {
                data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
            }
            const event = kind === "paste"
                ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
                : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
            document.body.dispatchEvent(event);
        }""",
        [kind, [[name, list(data)] for name, data in files]],
    )


def time_drop(page: Page, name: str, data: bytes) -> float:
    """Seconds from dropping a photo until the whole sentence can be read, by the page's own clock, frame by frame."""
    bytes_as_text = base64.b64encode(data).decode()
    milliseconds = page.evaluate(
        """async ([name, text]) => {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], name, { type: "image/jpeg" }));
            const begun = performance.now();
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
            for (;;) {
                await new Promise(requestAnimationFrame);
                const words = [...document.querySelectorAll(".card:first-child[data-state=done] .word")];
                const legible = (word) => Number(getComputedStyle(word).opacity) > 0.9;
                if (words.length > 0 && words.every(legible)) return performance.now() - begun;
            }
        }""",
        [name, bytes_as_text],
    )
    return float(milliseconds) / 1000


def open_page(context: BrowserContext, url: str, path: str = "/") -> tuple[Page, Watch]:
    """A new page at a path of `url`, watched from the start; its scripts have run, its pictures may be on their way."""
    page = context.new_page()
    page.set_default_timeout(30_000)  # machines that test are busy ones
    watch = Watch(page, url)
    page.goto(url + path, wait_until="domcontentloaded")
    return page, watch

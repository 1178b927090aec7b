"""How long a person waits for a caption beyond the API's own answer: both services, the served bundle, a real browser.

    PYTHONPATH=tools:tests python -m waiting [--times 9]

Each photo is sent to the API, then dropped on a page that was just opened, in turns, so that the page is not warm. The
time of the page is from the drop until the last word of the sentence is visible.
"""

import argparse
import io
import statistics
import sys
import time

import numpy as np
import requests
from PIL import Image
from playwright.sync_api import Browser
from repository import BUNDLE, EXAMPLES
from support.browser import launch_chromium, time_drop
from support.frontend_process import run_frontend
from support.service_process import run_service

MAX_SECONDS = 0.5


def make_large_photo() -> bytes:
    """A JPEG of 12 megapixels, as telephones take them: an example photo, enlarged, with some grain."""
    width, height = 4000, 3000
    example = Image.open(EXAMPLES / "dog.jpg").convert("RGB").resize((width, height))
    grain = np.random.default_rng(0).integers(-6, 7, (height, width, 3), np.int16)
    stream = io.BytesIO()
    Image.fromarray((np.asarray(example) + grain).clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=85)
    return stream.getvalue()


def ask_api(api: str, photo: bytes) -> float:
    """Seconds that the API takes for a photo, with all that the page asks for."""
    begun = time.perf_counter()
    query = {"alternatives": "3", "attention": "true"}
    headers = {"Content-Type": "image/jpeg"}
    requests.post(f"{api}/caption", params=query, data=photo, headers=headers, timeout=60).raise_for_status()
    return time.perf_counter() - begun


def measure(browser: Browser, address: str, api: str, photo: bytes, times: int) -> tuple[float, float]:
    """Median seconds for the API's answer, and for the page's on top of it."""
    alone, on_page = [], []
    for _ in range(times):
        alone.append(ask_api(api, photo))
        page = browser.new_page()
        page.goto(address)
        on_page.append(time_drop(page, "photo.jpg", photo))
        page.close()
    return statistics.median(alone), statistics.median(on_page) - statistics.median(alone)


def main() -> int:
    """Print both medians for a small and a large photo; 1 when the page takes longer than it may."""
    parser = argparse.ArgumentParser(description="Measure how long the page takes beyond the API's own answer.")
    parser.add_argument("--times", type=int, default=9, help="how often each photo is sent")
    times = parser.parse_args().times
    photos = {"small": (EXAMPLES / "dog.jpg").read_bytes(), "large": make_large_photo()}
    too_slow = False
    with (
        run_service(BUNDLE, cache_size=0, threads="") as inference,
        run_frontend(inference.url) as frontend,
        launch_chromium() as browser,
    ):
        for name, photo in photos.items():
            api, beyond = measure(browser, frontend.url, inference.url, photo, times)
            too_slow |= beyond > MAX_SECONDS
            print(
                f"{name} photo, {len(photo) / 1e6:.1f} MB: API {api:.3f} s, page {beyond:.3f} s beyond it", flush=True
            )
    return int(too_slow)


if __name__ == "__main__":
    sys.exit(main())

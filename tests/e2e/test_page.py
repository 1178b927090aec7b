"""The whole thread: a photo given to the real page comes back with the sentence that the real model service wrote."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect
from support.browser import DESKTOP, open_page
from support.frontend_process import FrontendProcess, run_frontend
from support.photos import photo_bytes
from support.service_process import ServiceProcess, run_service
from support.waiting import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def frontend(service: ServiceProcess) -> Iterator[FrontendProcess]:
    with run_frontend(service.url) as process:
        yield process


@pytest.fixture
def page(chromium: Browser, frontend: FrontendProcess) -> Iterator[Page]:
    context = chromium.new_context(viewport=DESKTOP)
    page, watch = open_page(context, frontend.url)
    yield page
    context.close()
    assert watch.mishaps == []


def save_square(folder: Path, colour: str) -> Path:
    path = folder / f"{colour}.png"
    path.write_bytes(photo_bytes(colour))
    return path


@pytest.mark.parametrize("colour", ["red", "green", "blue"])
def test_a_photo_gets_the_sentence_that_the_service_gives(
    page: Page, service: ServiceProcess, tmp_path: Path, colour: str
) -> None:
    photo = save_square(tmp_path, colour)
    answer = requests.post(f"{service.url}/caption", files={"image": photo.read_bytes()}, timeout=30).json()

    page.get_by_label("Choose photos").set_input_files(photo)

    expect(page.locator(".words")).to_have_text(f"{answer['alt_text']} ")
    assert colour in answer["caption"]


@pytest.mark.parametrize(("suffix", "format_name"), [("heic", "HEIF"), ("avif", "AVIF")])
def test_a_photo_as_phones_make_it_is_chosen_and_described(
    page: Page, tmp_path: Path, suffix: str, format_name: str
) -> None:
    photo = tmp_path / f"IMG_0001.{suffix}"
    photo.write_bytes(photo_bytes("red", format_name))

    page.get_by_label("Choose photos").set_input_files(photo)

    expect(page.locator(".words")).to_have_text("A red square. ")


def test_words_show_where_the_model_looked(page: Page, tmp_path: Path) -> None:
    page.get_by_label("Choose photos").set_input_files(save_square(tmp_path, "red"))

    page.locator(".word").last.hover()

    expect(page.locator(".frame[data-looking]")).to_be_visible()
    expect(page.locator("[data-slot=gaze]")).to_contain_text("looked at")


def test_a_file_that_is_no_photo_gets_the_reason(page: Page, tmp_path: Path) -> None:
    notes = tmp_path / "notes.jpg"
    notes.write_text("not a photo")

    page.get_by_label("Choose photos").set_input_files(notes)

    expect(page.locator(".card[data-state=failed]").get_by_text("We can't read this kind of file.")).to_be_visible()


def test_a_truncated_photo_gets_the_reason(page: Page, tmp_path: Path) -> None:
    half = tmp_path / "half.png"
    half.write_bytes(photo_bytes("red", size=(256, 256))[:300])

    page.get_by_label("Choose photos").set_input_files(half)

    expect(page.locator(".card[data-state=failed]").get_by_text("This photo can't be opened.")).to_be_visible()


def test_about_tells_of_the_very_model_that_serves(page: Page) -> None:
    page.get_by_role("link", name="About").click()

    expect(page.get_by_text("0.0.1", exact=True)).to_be_visible()
    expect(page.get_by_text("12 words", exact=True)).to_be_visible()


def test_the_curl_example_of_the_page_works_as_it_stands(page: Page, service: ServiceProcess, tmp_path: Path) -> None:
    page.get_by_role("link", name="API").click()
    command = page.locator("#code-curl").inner_text()

    assert command == f"curl -F image=@photo.jpg {service.url}/caption"
    response = requests.post(command.split()[-1], files={"image": photo_bytes("blue")}, timeout=30)
    assert "blue" in response.json()["caption"]


def test_one_request_id_goes_through_both_services_which_log_it_alike(
    frontend: FrontendProcess, service: ServiceProcess
) -> None:
    requests.post(
        f"{frontend.url}/api/caption", data=photo_bytes("red"), headers={"X-Request-ID": "through-both"}, timeout=30
    )

    def find(log: list[str]) -> list[dict[str, object]]:
        return [entry for entry in map(json.loads, log) if entry.get("request_id") == "through-both"]

    wait_for(lambda: bool(find(service.log) and find(frontend.log)), lambda: str(service.log + frontend.log))
    of_service, of_page = find(service.log)[-1], find(frontend.log)[-1]
    assert of_service["message"] == of_page["message"] == "request"
    assert of_service.keys() == of_page.keys()


def test_the_page_waits_for_a_service_that_comes_back(chromium: Browser, tiny_bundle: Path, tmp_path: Path) -> None:
    with run_service(tiny_bundle) as first:
        port = first.port
    with run_frontend(f"http://127.0.0.1:{port}") as frontend:
        page = chromium.new_page()
        page.goto(frontend.url)
        page.get_by_label("Choose photos").set_input_files(save_square(tmp_path, "red"))
        expect(page.locator("[data-slot=status]")).to_contain_text("The captioner can't be reached.", timeout=15_000)

        with run_service(tiny_bundle, port=port):
            expect(page.locator(".words")).to_contain_text("red", timeout=30_000)
        page.close()

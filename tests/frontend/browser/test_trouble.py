"""When things go wrong: each has its own sentence, keeps the photo, and offers the next step."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from support.fake_inference import Answer, FakeInference, make_problem
from support.uploads import make_photo

from .conftest import AT_BOTH_WIDTHS, OpenPage, choose, save_photo, wait_for_captions

pytestmark = pytest.mark.browser


def expect_failure(page: Page, sentence: str) -> None:
    """A failed card that says `sentence`, still shows the photo and offers another try."""
    card = page.locator(".card[data-state=failed]")
    expect(card.get_by_text(sentence)).to_be_visible()
    expect(card.locator("img")).to_be_visible()
    expect(card.get_by_role("button", name="Try again")).to_be_visible()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (make_problem(422, "The photo is truncated."), "The photo is truncated."),
        (make_problem(500), "The captioner made a mistake."),
        (Answer(body=b"nonsense"), "The captioner made a mistake."),
        (make_problem(401), "This page isn't allowed in."),
    ],
)
def test_each_failure_has_its_own_sentence_and_another_try_works(
    page: Page, photo: Path, inference: FakeInference, answer: Answer, sentence: str
) -> None:
    inference.answers.append(answer)
    choose(page, photo)

    expect_failure(page, sentence)
    expect(page.locator("#announcer")).to_contain_text(sentence)
    page.get_by_role("button", name="Try again").click()
    wait_for_captions(page)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (make_problem(413), "This photo is too large."),
        (make_problem(415), "We can't read this kind of file."),
    ],
)
@AT_BOTH_WIDTHS
def test_no_other_try_is_offered_where_it_cannot_help(
    page: Page, photo: Path, inference: FakeInference, answer: Answer, sentence: str
) -> None:
    inference.answers.append(answer)
    choose(page, photo)

    expect(page.locator(".card[data-state=failed]").get_by_text(sentence)).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ([make_problem(429, Retry_After="2")], "Many photos are waiting right now. Trying again in 2 s."),
        ([make_problem(503, Retry_After="2")] * 2, "The captioner is just starting. Trying again in 2 s."),
        ([Answer(hang_up=True)] * 2, "The captioner can't be reached. Trying again in"),
    ],
)
def test_busy_starting_and_away_are_waited_for(
    page: Page, photo: Path, inference: FakeInference, answers: list[Answer], sentence: str
) -> None:
    inference.answers.extend(answers)
    choose(page, photo)

    expect(page.locator("[data-slot=status]")).to_contain_text(sentence)
    wait_for_captions(page)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (make_problem(503), "The captioner is just starting. Photos you choose now will wait for it."),
        (Answer(hang_up=True), "The captioner can't be reached right now. Photos you choose will wait for it."),
    ],
)
def test_the_page_says_as_it_opens_that_captions_have_to_wait(
    open_at: OpenPage, inference: FakeInference, answer: Answer, sentence: str
) -> None:
    ready, inference.readiness = inference.readiness, answer
    page = open_at()

    note = page.locator("#service-note")
    expect(note).to_have_text(sentence)
    expect(note).to_be_visible()
    expect(page.locator("#announcer")).to_have_text(sentence)
    inference.readiness = ready

    expect(note).to_be_hidden()
    expect(page.locator("#announcer")).to_have_text("The captioner is ready.")


def test_a_page_that_is_ready_says_nothing(page: Page, inference: FakeInference) -> None:
    page.wait_for_load_state("networkidle")

    expect(page.locator("#service-note")).to_be_hidden()


def test_one_need_not_wait(page: Page, photo: Path, inference: FakeInference) -> None:
    inference.answers.append(make_problem(429, Retry_After="60"))
    choose(page, photo)

    page.get_by_role("button", name="Try now").click()

    wait_for_captions(page)


def test_waiting_can_be_cancelled_and_taken_up_again(page: Page, photo: Path, inference: FakeInference) -> None:
    inference.answers.append(make_problem(429, Retry_After="60"))
    choose(page, photo)
    page.get_by_role("button", name="Cancel").click()

    expect_failure(page, "Cancelled.")
    page.get_by_role("button", name="Try again").click()
    wait_for_captions(page)


def test_a_photo_too_large_is_not_even_sent(page: Page, tmp_path: Path, inference: FakeInference) -> None:
    # Not a photo the browser could scale down.
    huge = tmp_path / "huge.tif"
    huge.write_bytes(b"II*\x00" + bytes(500_000))

    choose(page, huge)

    expect(page.locator(".card[data-state=failed]").get_by_text("This photo is too large.")).to_be_visible()
    assert inference.received == []


@AT_BOTH_WIDTHS
def test_a_file_that_is_no_photo_says_so(page: Page, tmp_path: Path, inference: FakeInference) -> None:
    inference.answers.append(make_problem(415))
    notes = tmp_path / "notes.txt"
    notes.write_text("hello")

    choose(page, notes)

    card = page.locator(".card[data-state=failed]")
    expect(card.get_by_text("We can't read this kind of file.")).to_be_visible()
    expect(card.get_by_text("It looks like text. A photo as JPEG, PNG")).to_be_visible()
    expect(card.get_by_text("This browser can't show this kind of photo.")).to_be_visible()
    expect(card.get_by_role("button", name="Try again")).to_be_hidden()


@AT_BOTH_WIDTHS
def test_a_photo_that_the_browser_cannot_show_does_not_invite_to_point(page: Page, tmp_path: Path) -> None:
    scan = tmp_path / "scan.tif"
    scan.write_bytes(b"II*\0" + bytes(200))

    choose(page, scan)

    wait_for_captions(page)
    expect(page.get_by_text("This browser can't show this kind of photo.")).to_be_visible()
    expect(page.locator("[data-slot=gaze]")).to_be_hidden()
    page.locator(".word").first.hover()
    expect(page.locator(".frame[data-looking]")).to_have_count(0)


@AT_BOTH_WIDTHS
def test_an_empty_file_is_called_empty(page: Page, tmp_path: Path, inference: FakeInference) -> None:
    empty = tmp_path / "empty.jpg"
    empty.touch()

    choose(page, empty)

    expect(page.locator(".card").get_by_text("This file is empty.")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    assert inference.received == []


def test_a_connection_lost_during_the_upload_keeps_the_photo(page: Page, photo: Path) -> None:
    page.route("**/api/caption*", lambda route: route.abort("connectionreset"))
    choose(page, photo)
    expect_failure(page, "The connection was lost.")

    page.unroute("**/api/caption*")
    page.get_by_role("button", name="Try again").click()
    wait_for_captions(page)


def test_an_answer_from_something_in_between_is_explained(page: Page, photo: Path) -> None:
    def answer(route: Route) -> None:
        route.fulfill(status=502, content_type="text/html", body="<h1>Bad Gateway</h1>")

    page.route("**/api/caption*", answer)
    choose(page, photo)

    expect_failure(page, "The answer made no sense.")


def slow_down_uploads(page: Page, bytes_a_second: int) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_a_second},
    )


def test_an_upload_shows_its_progress_and_can_be_cancelled(
    page: Page, tmp_path: Path, inference: FakeInference
) -> None:
    slow_down_uploads(page, 60_000)
    choose(page, save_photo(tmp_path, "large.jpg", width=900, height=700, noise=True))

    progress = page.get_by_role("progressbar", name="Upload")
    expect(page.locator("[data-slot=status]")).to_contain_text("Sending")
    expect(progress).to_have_attribute("value", re.compile(r"0\.[0-9]+"))
    page.get_by_role("button", name="Cancel").click()

    expect_failure(page, "Cancelled.")
    assert inference.received == []


def test_a_photo_is_captioned_when_parts_of_the_page_cannot_be_had(page: Page, photo: Path) -> None:
    page.route("**/js/*.js", lambda route: route.abort("connectionreset"))

    choose(page, photo)

    wait_for_captions(page)
    expect(page.locator("p.caption")).to_have_text("A brown dog runs through the grass.")


def test_removing_a_photo_on_its_way_leaves_nothing_behind(page: Page, photo: Path, inference: FakeInference) -> None:
    inference.answers.append(make_problem(429, Retry_After="60"))
    choose(page, photo)
    expect(page.locator("[data-slot=status]")).to_contain_text("Trying again")

    page.get_by_role("button", name="Remove dog.jpg").click()

    expect(page.locator(".card")).to_have_count(0)
    expect(page.locator("#results")).to_be_hidden()


def test_scripts_on_a_page_without_inference_wait_until_it_is_back(
    page: Page, photo: Path, inference: FakeInference
) -> None:
    inference.answers.extend([Answer(hang_up=True)] * 4)
    choose(page, photo)

    expect(page.locator(".card[data-state=done]")).to_have_count(1)
    assert make_photo() == inference.received[-1].body

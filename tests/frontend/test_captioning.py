"""The page without scripts: a form in, a page with captions or reasons out."""

import io

import pytest
from flask.testing import FlaskClient
from support.fake_inference import Answer, FakeInference, make_problem
from support.uploads import make_photo

from frontend.settings import Settings


def send(client: FlaskClient, *files: tuple[bytes, str], **fields: str) -> tuple[int, str]:
    photos = [(io.BytesIO(data), name) for data, name in files]
    response = client.post("/", data={"photo": photos, **fields})
    return response.status_code, response.text


def test_the_empty_page_says_what_it_takes(client: FlaskClient) -> None:
    page = client.get("/").text

    assert "JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF" in page
    assert "391\N{NO-BREAK SPACE}kB" in page
    assert 'enctype="multipart/form-data"' in page
    assert "never stored on the server" in page


def test_a_photo_comes_back_with_its_caption_and_alternatives(client: FlaskClient) -> None:
    status, page = send(client, (make_photo(), "dog.jpg"), alternatives="2")

    assert status == 200
    assert "A brown dog runs through the grass." in page
    assert page.count("A dog is running number") == 2
    assert 'src="data:image/jpeg;base64,' in page
    assert "Probably right (82 %)" in page
    assert "&lt;img src=&#34;dog.jpg&#34; alt=&#34;A brown dog runs through the grass.&#34;&gt;" in page.replace(
        '"', "&#34;"
    )


def test_a_caption_in_doubt_carries_a_warning(client: FlaskClient, inference: FakeInference) -> None:
    inference.confidence = 0.2

    _, page = send(client, (make_photo(), "dog.jpg"))

    assert "Unsure (20 %)" in page
    assert "Look before you use it." in page


def test_options_reach_inference_and_stay_in_the_form(client: FlaskClient, inference: FakeInference) -> None:
    _, page = send(client, (make_photo(), "dog.jpg"), beam_width="5", alternatives="7")

    assert inference.received[0].query == {"beam_width": "5", "alternatives": "7", "attention": "false"}
    assert '<option value="5" selected>' in page
    assert 'value="7"' in page


@pytest.mark.parametrize("nonsense", ["", "-1", "ten", "1e9", "٣", "9" * 50])
def test_options_that_make_no_sense_fall_back(client: FlaskClient, inference: FakeInference, nonsense: str) -> None:
    status, _ = send(client, (make_photo(), "dog.jpg"), beam_width=nonsense, alternatives=nonsense)

    assert status == 200
    assert inference.received[0].query == {"alternatives": "3", "attention": "false"}


def test_an_example_needs_no_upload(client: FlaskClient, inference: FakeInference) -> None:
    page = client.post("/", data={"example": "dog"}).text

    assert "A brown dog runs through the grass." in page
    assert inference.received[0].body.startswith(b"\xff\xd8\xff")


def test_several_photos_each_have_their_own_outcome(client: FlaskClient, inference: FakeInference) -> None:
    inference.answers.extend([make_problem(415), Answer(status=500)])

    status, page = send(client, (b"text", "notes.txt"), (make_photo(), "odd.jpg"), (make_photo(), "dog.jpg"))

    assert status == 200
    assert page.count('data-state="failed"') == 2
    assert page.count('data-state="done"') == 1
    assert "We can&#39;t read this kind of file." in page


def test_a_form_without_a_photo_asks_for_one(client: FlaskClient) -> None:
    status, page = send(client)

    assert status == 400
    assert "There was no photo in that." in page


def test_an_empty_file_is_called_empty(client: FlaskClient, inference: FakeInference) -> None:
    _, page = send(client, (b"", "empty.jpg"))

    assert "This file is empty." in page
    assert inference.received == []


def test_the_most_photos_at_a_time_are_said_before(client: FlaskClient) -> None:
    assert "Up to 8 photos at a time." in client.get("/").text


def test_a_photo_over_the_limit_is_not_sent_on(client: FlaskClient, inference: FakeInference) -> None:
    status, page = send(client, (b"\xff\xd8\xff" + bytes(500_000), "huge.jpg"))

    assert status == 413
    assert "This photo is too large." in page
    assert inference.received == []


def test_a_form_over_the_limit_gets_a_page_that_says_so(client: FlaskClient, settings: Settings) -> None:
    response = client.post(
        "/",
        environ_overrides={"CONTENT_LENGTH": str(settings.max_form_bytes + 1)},
        content_type="multipart/form-data; boundary=x",
    )

    assert response.status_code == 413
    assert "That is too much at once." in response.text


def test_a_form_that_no_browser_sends_may_not_be_as_large_as_one_with_photos(client: FlaskClient) -> None:
    response = client.post("/", data=b"a=" + b"%" * 5000, content_type="application/x-www-form-urlencoded")

    assert response.status_code == 413


def test_more_photos_than_allowed_are_refused_together(client: FlaskClient, inference: FakeInference) -> None:
    status, page = send(client, *[(make_photo(8, 8), "small.jpg")] * 9)

    assert status == 413
    assert "Send up to 8 at a time." in page
    assert inference.received == []


@pytest.mark.parametrize(
    ("answer", "status", "sentence"),
    [
        (make_problem(415), 415, "read this kind of file."),
        (make_problem(422, "The photo is truncated."), 422, "The photo is truncated."),
        (make_problem(429, Retry_After="3"), 429, "Many photos are waiting right now."),
        (make_problem(503, Retry_After="3"), 503, "The captioner is just starting."),
        (make_problem(504), 504, "That took too long."),
        (Answer(body=b"nonsense"), 502, "The captioner made a mistake."),
    ],
)
def test_a_failure_becomes_a_page_that_keeps_the_photo(
    client: FlaskClient, inference: FakeInference, answer: Answer, status: int, sentence: str
) -> None:
    inference.answers.extend([answer, answer])

    got, page = send(client, (make_photo(), "dog.jpg"))

    assert got == status
    assert sentence in page
    assert 'src="data:image/jpeg;base64,' in page
    assert ("Reload this page" in page) == (status in {429, 503, 504})


def test_inference_away_becomes_a_page_too(client: FlaskClient, inference: FakeInference) -> None:
    inference.answers.extend([Answer(hang_up=True)] * 2)

    status, page = send(client, (make_photo(), "dog.jpg"))

    assert status == 503
    assert "The captioner can&#39;t be reached." in page


@pytest.mark.parametrize("path", ["/", "/api/caption"])
def test_a_large_photo_is_not_read_while_inference_is_known_to_be_away(
    client: FlaskClient, inference: FakeInference, path: str
) -> None:
    inference.answers.extend([Answer(hang_up=True)] * 4)
    for _ in range(2):
        send(client, (make_photo(), "dog.jpg"))
    upload = io.BytesIO(bytes(2_000_000))

    response = client.post(
        path, input_stream=upload, content_length=2_000_000, content_type="multipart/form-data; boundary=x"
    )

    assert response.status_code == 503
    assert upload.tell() == 0


def test_pages_with_photos_are_never_cached(client: FlaskClient) -> None:
    response = client.post("/", data={"example": "dog"})

    assert response.headers["Cache-Control"] == "no-store"

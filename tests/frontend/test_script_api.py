"""What the page's script gets: the caption with attention and words for its confidence, or a problem it can show."""

import json

import pytest
from flask.testing import FlaskClient
from support.fake_inference import COLUMNS, ROWS, Answer, FakeInference, make_problem
from support.uploads import make_photo


def test_a_photo_gives_a_caption_with_attention_and_certainty(client: FlaskClient, inference: FakeInference) -> None:
    photo = make_photo()

    answer = client.post("/api/caption?alternatives=1&beam_width=4", data=photo, content_type="image/jpeg").get_json()

    assert answer["caption"] == "a brown dog runs through the grass"
    assert answer["attention_grid"] == {"rows": ROWS, "columns": COLUMNS}
    assert len(answer["words"][0]["attention"]) == ROWS * COLUMNS
    assert answer["certainty"] == {"level": "sure", "label": "Probably right", "warning": "", "percent": 82}
    assert inference.received[0].query == {"alternatives": "1", "beam_width": "4", "attention": "true"}
    assert inference.received[0].body == photo


def test_the_request_id_is_the_same_all_the_way(client: FlaskClient, inference: FakeInference) -> None:
    response = client.post("/api/caption", data=b"x", headers={"X-Request-ID": "trace-7"})

    assert response.headers["X-Request-ID"] == "trace-7"
    assert inference.received[0].headers["X-Request-ID"] == "trace-7"


def test_a_request_id_with_tricks_is_replaced(client: FlaskClient, inference: FakeInference) -> None:
    client.post("/api/caption", data=b"x", headers={"X-Request-ID": "a b<script>"})

    assert inference.received[0].headers["X-Request-ID"].isalnum()


@pytest.mark.parametrize(
    ("answer", "status", "retry_after"),
    [
        (make_problem(413), 413, None),
        (make_problem(415), 415, None),
        (make_problem(422), 422, None),
        (make_problem(429, Retry_After="4"), 429, "4"),
        (make_problem(503, Retry_After="6"), 503, "6"),
        (Answer(hang_up=True), 503, "3"),
        (Answer(body=b"{}"), 502, None),
    ],
)
def test_failures_are_problem_json_with_retry_after(
    client: FlaskClient, inference: FakeInference, answer: Answer, status: int, retry_after: str | None
) -> None:
    inference.answers.extend([answer, answer])

    response = client.post("/api/caption", data=b"x")

    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    problem = json.loads(response.text)
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert response.headers.get("Retry-After") == retry_after
    assert problem.get("retry_after") == (int(retry_after) if retry_after else None)


@pytest.mark.parametrize(
    ("answer", "ready", "note"),
    [
        (None, True, ""),
        (make_problem(503), False, "The captioner is just starting. Photos you choose now will wait for it."),
        (Answer(hang_up=True), False, "The captioner can't be reached right now. Photos you choose will wait for it."),
    ],
)
def test_the_page_is_told_whether_a_photo_would_be_captioned(
    client: FlaskClient, inference: FakeInference, answer: Answer | None, ready: bool, note: str
) -> None:
    inference.readiness = answer or inference.readiness

    assert client.get("/api/state").get_json() == {"ready": ready, "note": note}


def test_a_photo_over_the_limit_is_not_sent_on(client: FlaskClient, inference: FakeInference) -> None:
    response = client.post("/api/caption", data=bytes(400_001))

    assert response.status_code == 413
    assert inference.received == []


def test_an_empty_body_is_an_empty_file(client: FlaskClient) -> None:
    answer = client.post("/api/caption")

    assert (answer.status_code, answer.get_json()["title"]) == (422, "This file is empty.")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/caption", 405), ("POST", "/api/nothing", 404)])
def test_framework_errors_are_problem_json_too(client: FlaskClient, method: str, path: str, status: int) -> None:
    response = client.open(path, method=method)

    assert response.status_code == status
    assert response.mimetype == "application/problem+json"

"""One JSON line a request, with its id and without what the person sent."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient
from support.fake_inference import FakeInference, make_problem

from frontend.web.request_log import JsonFormatter


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, as it is written in production."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def test_a_request_is_one_line_with_its_id(client: FlaskClient, log: io.StringIO) -> None:
    client.post("/api/caption?alternatives=1", data=b"bytes of a photo", headers={"X-Request-ID": "trace-7"})

    [line] = [line for line in log.getvalue().splitlines() if '"request"' in line]
    entry = json.loads(line)
    assert entry["request_id"] == "trace-7"
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", "/api/caption", 200)
    assert entry["duration_ms"] > 0
    assert entry["client"] == "127.0.0.1"
    assert entry["logger"] == "frontend"
    assert datetime.fromisoformat(entry["time"]).utcoffset() == timedelta(0)
    assert "bytes of a photo" not in log.getvalue()


def test_why_there_was_no_caption_is_logged_under_the_same_id(
    client: FlaskClient, log: io.StringIO, inference: FakeInference
) -> None:
    inference.answers.append(make_problem(422, "The photo is truncated."))

    client.post("/api/caption", data=b"x", headers={"X-Request-ID": "trace-8"})

    [line] = [line for line in log.getvalue().splitlines() if "no caption" in line]
    assert json.loads(line)["request_id"] == "trace-8"
    assert "truncated" in line


def test_an_exception_stays_on_one_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "oops", (), sys.exc_info())

    assert "\n" not in JsonFormatter().format(record)


def test_what_a_terminal_would_obey_is_escaped(client: FlaskClient, log: io.StringIO) -> None:
    client.get("/%c2%9b31m%e2%80%ae")

    assert log.getvalue().isascii()
    assert json.loads(log.getvalue())["path"] == "/\x9b31m\u202e"

"""One JSON line a request, with its id and without what the person sent."""

import json
import logging
import sys

import pytest
from flask.testing import FlaskClient

from frontend.request_log import JsonFormatter


def test_a_request_is_one_line_with_its_id(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="frontend"):
        client.post("/api/caption?alternatives=1", data=b"bytes of a photo", headers={"X-Request-ID": "trace-7"})

    [record] = [record for record in caplog.records if record.message == "request"]
    line = JsonFormatter().format(record)
    entry = json.loads(line)
    assert entry["request_id"] == "trace-7"
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", "/api/caption", 200)
    assert entry["milliseconds"] > 0
    assert "bytes of a photo" not in line
    assert "\n" not in line


def test_an_exception_stays_on_one_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "oops", (), sys.exc_info())

    assert "\n" not in JsonFormatter().format(record)

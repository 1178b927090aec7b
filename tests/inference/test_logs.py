"""Logs: one JSON object a line, whatever is logged."""

import json
import logging

import pytest

from photocaption.serving.logs import JsonFormatter, current_request_id


def make_record(message: str, **extra: object) -> logging.LogRecord:
    record = logging.makeLogRecord({"name": "test", "msg": message, "levelno": logging.INFO, "levelname": "INFO"})
    vars(record).update(extra)
    return record


def test_a_record_becomes_one_line_with_its_extra_fields() -> None:
    line = JsonFormatter().format(make_record("two\nlines", status=200))

    assert "\n" not in line
    entry = json.loads(line)
    assert entry["message"] == "two\nlines"
    assert entry["level"] == "info"
    assert entry["status"] == 200


def test_a_record_names_the_request_it_belongs_to() -> None:
    token = current_request_id.set("abc")
    try:
        assert json.loads(JsonFormatter().format(make_record("hello")))["request_id"] == "abc"
    finally:
        current_request_id.reset(token)
    assert "request_id" not in json.loads(JsonFormatter().format(make_record("hello")))


def test_an_exception_is_part_of_the_line() -> None:
    with pytest.raises(ValueError, match="broken") as caught:
        raise ValueError("broken")
    record = make_record("failed", exc_info=(caught.type, caught.value, caught.tb))

    assert "ValueError: broken" in json.loads(JsonFormatter().format(record))["exception"]

"""Gives every request an id that inference sees too, and writes one JSON line for it, without names or photos."""

import json
import logging
import re
import time
import uuid
from datetime import UTC, datetime

from flask import Flask, Response, g, has_request_context, request

from frontend.web.tracing import current_trace_id

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_logger = logging.getLogger("frontend")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, message, the request it belongs to, and the record's own `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON, whatever its message holds."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **(_list_request_fields() if has_request_context() else {}),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def log_requests(app: Flask) -> None:
    """Name and time every request of `app`."""
    app.before_request(_begin)
    app.after_request(_finish)


def current_request_id() -> str:
    """The id of the request being answered; fit for headers, logs and pages."""
    request_id: str = g.request_id
    return request_id


def _list_request_fields() -> dict[str, str]:
    trace_id = current_trace_id()
    return {"request_id": current_request_id()} | ({"trace_id": trace_id} if trace_id else {})


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _ACCEPTED_ID.fullmatch(given) else uuid.uuid4().hex
    g.began = time.monotonic()


def _finish(response: Response) -> Response:
    response.headers["X-Request-ID"] = current_request_id()
    fields = {
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "duration_ms": round((time.monotonic() - g.began) * 1000, 2),
        "client": request.remote_addr or "unknown",
    }
    _logger.info("request", extra={"fields": fields})
    return response

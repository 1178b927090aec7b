"""Logs as one JSON object a line on standard output, each with the id of the request it belongs to.

Standard error has only the line of a failed start.
Neither the bytes of a photo nor a key is ever logged: nothing here formats a request's body or its headers.
"""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from photocaption.repeated_warning import RepeatedWarning

if TYPE_CHECKING:  # importing it takes time, and most programs run no loop
    import asyncio

current_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
current_trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)

_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """Formats a record, and whatever was given as its `extra`, as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the message holds: line breaks are escaped."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request_id := current_request_id.get()) is not None:
            entry["request_id"] = request_id
        if (trace_id := current_trace_id.get()) is not None:
            entry["trace_id"] = trace_id
        entry |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


_accepting = RepeatedWarning(logging.getLogger("photocaption.listening"))


def log_loop_error(loop: "asyncio.AbstractEventLoop", context: dict[str, Any]) -> None:
    """An event loop's error handler: errors of `accept` are logged as a rate-limited warning."""
    if "accept" in context["message"]:
        _accepting.warn("connections wait: no file is left for them")
    else:
        loop.default_exception_handler(context)


def configure_logging(level: str) -> None:
    """Send everything from `level` on to standard output, as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # its progress reports repeat ours

"""Gives every request an id, logs it in one line, and counts it in the metrics.

It also handles unexpected errors, as the outermost layer.
"""

import asyncio
import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photocaption.api.error_forms import respond
from photocaption.api.problems import CLIENT_CLOSED_REQUEST, INTERNAL, NOT_READY, make_problem
from photocaption.serving.logs import current_request_id, current_trace_id
from photocaption.serving.metrics import Metrics
from photocaption.serving.tracing import QUIET_PATHS, read_trace_id

_HEADER = "X-Request-ID"
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNKNOWN_ROUTE = "unknown"
STOPPED = "The service had to stop before the photo was captioned. Please try again."

_log = logging.getLogger("photocaption.access")


class RequestLogMiddleware:
    """Passes requests on; an id that the caller sends is kept, so that one id follows a photo through all services."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _choose_id(headers.get(_HEADER))
        token = current_request_id.set(request_id)
        trace_token = current_trace_id.set(read_trace_id(headers.get("traceparent")))
        status = CLIENT_CLOSED_REQUEST
        start = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[_HEADER] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except asyncio.CancelledError:  # only the server cancels, when it cannot wait any longer
            if status == CLIENT_CLOSED_REQUEST:
                await respond(scope, make_problem(NOT_READY, STOPPED))(scope, receive, send_with_id)
        except Exception:
            _log.exception("unexpected error")
            if status == CLIENT_CLOSED_REQUEST:
                await respond(scope, make_problem(INTERNAL, INTERNAL.example))(scope, receive, send_with_id)
        finally:
            self._record(scope, status, time.perf_counter() - start)
            current_request_id.reset(token)
            current_trace_id.reset(trace_token)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", _UNKNOWN_ROUTE)
        method = scope["method"] if route != _UNKNOWN_ROUTE else _UNKNOWN_ROUTE
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        level = logging.DEBUG if route in QUIET_PATHS else logging.INFO
        client = scope.get("client") or ("unknown",)
        fields = {
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "duration_ms": round(seconds * 1000, 2),
            "client": client[0],
        }
        _log.log(level, "request", extra=fields)


def _choose_id(proposed: str | None) -> str:
    return proposed if proposed and _ACCEPTABLE_ID.fullmatch(proposed) else uuid.uuid4().hex

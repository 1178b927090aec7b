"""Follows a request to the inference service: hands its `traceparent` on, and makes spans where that is wanted.

Spans are made and sent only where the extra `tracing` is installed and the environment names a collector. Everywhere
else the caller's own `traceparent` is handed on as it came, and its trace id is written into the log.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flask import Flask, Response, g, has_request_context, request

from frontend.web.trace_context import TraceContext, read_trace_context

if TYPE_CHECKING:  # an extra, which need not be there
    from opentelemetry.trace import Span, Tracer, TracerProvider

_SERVICE = "caption-frontend"
_ADDRESSES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_QUIET_ENDPOINTS = frozenset({"static", "health.live"})
_SERVER_ERROR = 500

_log = logging.getLogger(__name__)


def open_provider(environment: Mapping[str, str]) -> "TracerProvider | None":
    """What makes and sends spans, as the standard variables `OTEL_…` want it: None unless they name a collector."""
    if not _is_wanted(environment):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("no spans are sent: the extra `tracing` is not installed")
        return None
    resource = Resource.create({"service.name": environment.get("OTEL_SERVICE_NAME") or _SERVICE})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def trace_requests(app: Flask, provider: "TracerProvider | None") -> None:
    """Have every request of `app` followed, with spans made by `provider`."""
    tracer = provider.get_tracer("frontend") if provider else None

    def begin() -> None:
        g.trace = read_trace_context(request.headers)
        if tracer and request.endpoint not in _QUIET_ENDPOINTS:
            g.tracer = tracer
            g.span = _start_span(tracer, g.trace)
            g.trace = TraceContext(f"{g.span.get_span_context().trace_id:032x}")

    app.before_request(begin)
    app.after_request(_note_status)
    app.teardown_request(_end_span)


def current_trace_id() -> str | None:
    """The id of the trace that the request being answered belongs to, if to any."""
    context = g.get("trace")
    return context.trace_id if isinstance(context, TraceContext) else None


@contextmanager
def trace_call(name: str) -> Iterator[Mapping[str, str]]:
    """Follow a call of another service while the block runs; gives the headers that tell that service of the trace."""
    if not has_request_context():
        yield {}
    elif "span" not in g:
        yield g.trace.headers
    else:
        with _start_call(g.tracer, g.span, name) as headers:
            yield headers


def _start_span(tracer: "Tracer", caller: TraceContext) -> "Span":
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return tracer.start_span(
        f"{request.method} {request.url_rule or ''}".strip(),
        context=TraceContextTextMapPropagator().extract(caller.headers),
        kind=SpanKind.SERVER,
        attributes={"http.request.method": request.method, "url.path": request.path},
    )


@contextmanager
def _start_call(tracer: "Tracer", parent: "Span", name: str) -> Iterator[Mapping[str, str]]:
    from opentelemetry.trace import SpanKind, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    with tracer.start_as_current_span(name, context=set_span_in_context(parent), kind=SpanKind.CLIENT):
        headers: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(headers)
        yield headers


def _note_status(response: Response) -> Response:
    if "span" in g:
        g.span.set_attribute("http.response.status_code", response.status_code)
        if response.status_code >= _SERVER_ERROR:
            from opentelemetry.trace import StatusCode

            g.span.set_status(StatusCode.ERROR)
    return response


def _end_span(_error: BaseException | None) -> None:
    if "span" in g:
        g.pop("span").end()


def _is_wanted(environment: Mapping[str, str]) -> bool:
    off = (
        environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none"
    )
    return not off and any(environment.get(name) for name in _ADDRESSES)

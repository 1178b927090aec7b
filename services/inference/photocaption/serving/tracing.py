"""Follows a photo through the services, by W3C Trace Context and OpenTelemetry.

    caller's traceparent ──▶ span of the request, by FastAPI ──▶ span of a photo ──▶ decode, queue, encode, generate

Spans are made and sent only where the extra `tracing` is installed and the environment names a collector. Otherwise
only the caller's trace id is written into the log.
"""

import logging
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from photocaption.caption import Timings

_SERVICE = "caption-inference"
_ADDRESSES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
QUIET_PATHS = frozenset({"/health/live", "/health/ready", "/metrics"})
_NANOSECONDS = 1_000_000  # in a millisecond

_log = logging.getLogger(__name__)


class Tracing:
    """Makes the spans of photos with `provider`, none where that is None; `close` sends those that have not been."""

    def __init__(self, provider: trace.TracerProvider | None = None, close: Callable[[], None] = lambda: None) -> None:
        self.provider = provider
        self.close = close
        self._tracer = (provider or trace.NoOpTracerProvider()).get_tracer("photocaption")

    def record_photo(self, timings: Timings, *, queue_ms: float, total_ms: float, cached: bool) -> None:
        """Add the spans of a photo that was captioned just now to those of the request that brought it.

        Lengths are those that were measured. A photo's two waits, for a thread and for the model, are shown as one.
        """
        if not trace.get_current_span().is_recording():
            return
        end = time.time_ns()
        photo = self._tracer.start_span(
            "caption", start_time=end - int(total_ms * _NANOSECONDS), attributes={"caption.cached": cached}
        )
        if not cached:
            self._add_stages(trace.set_span_in_context(photo), timings, queue_ms, end)
        photo.end(end)

    def _add_stages(self, photo: Any, timings: Timings, queue_ms: float, end: int) -> None:  # noqa: ANN401
        stages = timings.by_stage(queue_ms=queue_ms)
        moment = end - int(sum(stages.values()) * _NANOSECONDS)
        for name, milliseconds in stages.items():
            span = self._tracer.start_span(name, context=photo, start_time=moment)
            moment += int(milliseconds * _NANOSECONDS)
            span.end(moment)


def open_tracing(environment: Mapping[str, str]) -> Tracing:
    """Tracing as the standard variables `OTEL_…` want it: off unless they name a collector."""
    if not _is_wanted(environment):
        return Tracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("no spans are sent: the extra `tracing` is not installed")
        return Tracing()
    resource = Resource.create({"service.name": environment.get("OTEL_SERVICE_NAME") or _SERVICE})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)  # the process ends without such exits
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider, provider.shutdown)


def read_trace_id(traceparent: str | None) -> str | None:
    """The id of the trace that the current request belongs to: of its span, else of the header that came with it."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid and traceparent:
        sent = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
        context = trace.get_current_span(sent).get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def is_quiet(scope: MutableMapping[str, Any]) -> bool:
    """Whether a request is a probe or Prometheus's, of which no spans are made."""
    return scope.get("path") in QUIET_PATHS


def _is_wanted(environment: Mapping[str, str]) -> bool:
    off = (
        environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none"
    )
    return not off and any(environment.get(name) for name in _ADDRESSES)

"""A minimal collector of OpenTelemetry's spans by OTLP over HTTP.

As a program, `python otlp_collector.py PORT`, it prints every export as a line of base64 and needs nothing but Python.
"""

import base64
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Span:
    """A span as it arrived, with the name of the service that sent it."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int


class Collector:
    """What a running collector has been sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.exports: list[bytes] = []

    def spans(self, trace_id: str) -> list[Span]:
        """The spans of a trace that have arrived, in the order of their beginnings."""
        spans = [span for export in list(self.exports) for span in read_spans(export)]
        return sorted((span for span in spans if span.trace_id == trace_id), key=lambda span: span.start)


def read_spans(export: bytes) -> Iterator[Span]:
    """The spans of an `ExportTraceServiceRequest`."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    for resource in ExportTraceServiceRequest.FromString(export).resource_spans:
        attributes = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
            yield Span(attributes["service.name"], span.name, *ids, span.start_time_unix_nano, span.end_time_unix_nano)


@contextmanager
def run_collector() -> Iterator[Collector]:
    """A collector that listens for the length of the block."""
    server = _listen("127.0.0.1", 0, lambda export: collector.exports.append(export))
    collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listen(host: str, port: int, take: Callable[[bytes], object]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                take(body)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return ThreadingHTTPServer((host, port), Handler)


if __name__ == "__main__":
    _listen(
        "0.0.0.0", int(sys.argv[1]), lambda export: print(base64.b64encode(export).decode(), flush=True)
    ).serve_forever()

"""What the frontend tells inference of a trace, and of which spans it is made."""

import subprocess
import sys

import pytest
from flask.testing import FlaskClient
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from support.fake_inference import FakeInference, make_problem

from frontend.app import create_app
from frontend.settings import Settings
from frontend.web.tracing import open_provider

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traced(settings: Settings, exporter: InMemorySpanExporter) -> FlaskClient:
    """A client of a frontend whose spans go to `exporter`."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return create_app(settings, tracer_provider=provider).test_client()


def sent_headers(inference: FakeInference) -> dict[str, str]:
    return {name.lower(): value for name, value in inference.received[-1].headers.items()}


def test_a_trace_is_handed_on_as_it_came(client: FlaskClient, inference: FakeInference) -> None:
    client.post("/api/caption", data=b"x", headers={"traceparent": TRACEPARENT, "tracestate": "vendor=1"})

    headers = sent_headers(inference)
    assert (headers["traceparent"], headers["tracestate"]) == (TRACEPARENT, "vendor=1")


@pytest.mark.parametrize(
    "unsound",
    ["", "nonsense", TRACEPARENT + "-more", TRACEPARENT.upper(), f"00-{'0' * 32}-b7ad6b7169203331-01"],
)
def test_an_unsound_header_is_not_handed_on(client: FlaskClient, inference: FakeInference, unsound: str) -> None:
    client.post("/api/caption", data=b"x", headers={"traceparent": unsound, "tracestate": "vendor=1"})

    assert not {"traceparent", "tracestate"} & set(sent_headers(inference))


def test_an_endless_state_is_left_out(client: FlaskClient, inference: FakeInference) -> None:
    client.post("/api/caption", data=b"x", headers={"traceparent": TRACEPARENT, "tracestate": "v=" + 600 * "1"})

    assert "tracestate" not in sent_headers(inference)


def test_inference_is_told_of_the_span_that_calls_it(
    traced: FlaskClient, inference: FakeInference, exporter: InMemorySpanExporter
) -> None:
    traced.post("/api/caption", data=b"x", headers={"traceparent": TRACEPARENT})

    call, page = exporter.get_finished_spans()
    assert (page.name, call.name) == ("POST /api/caption", "POST /caption")
    assert call.parent
    assert page.parent
    assert call.parent.span_id == page.context.span_id
    assert sent_headers(inference)["traceparent"] == f"00-{TRACE}-{call.context.span_id:016x}-01"


def test_a_failure_shows_in_both_spans(
    traced: FlaskClient, inference: FakeInference, exporter: InMemorySpanExporter
) -> None:
    inference.answers.append(make_problem(500))

    traced.post("/api/caption", data=b"x")

    assert [span.status.status_code for span in exporter.get_finished_spans()] == [StatusCode.ERROR, StatusCode.ERROR]


def test_files_and_probes_make_no_spans(traced: FlaskClient, exporter: InMemorySpanExporter) -> None:
    traced.get("/health")

    assert exporter.get_finished_spans() == ()


def test_tracing_is_off_unless_a_collector_is_named() -> None:
    assert open_provider({}) is None
    assert open_provider({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}) is None


def test_nothing_of_the_extra_is_loaded_where_tracing_is_off() -> None:
    program = "import sys, frontend.__main__; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

"""One trace through both services: real processes, a real collector's protocol; and nothing of it where it is off."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from support.frontend_process import run_frontend
from support.otlp_collector import Collector, Span, run_collector
from support.photos import photo_bytes
from support.service_process import ServiceProcess, run_service
from support.waiting import wait_for

pytestmark = pytest.mark.slow

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
WHOLE = {
    ("caption-frontend", "POST /api/caption"),
    ("caption-frontend", "POST /caption"),
    ("caption-inference", "POST /caption"),
    ("caption-inference", "caption"),
    *(("caption-inference", stage) for stage in ("decode", "queue", "encode", "generate")),
}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that the services of the test send their spans to, soon."""
    with run_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield collector


def send_photo(frontend_url: str) -> None:
    headers = {"traceparent": TRACEPARENT}
    answer = requests.post(f"{frontend_url}/api/caption", data=photo_bytes("red"), headers=headers, timeout=30)
    assert answer.status_code == 200


def find(spans: list[Span], service: str, name: str) -> Span:
    [span] = [span for span in spans if (span.service, span.name) == (f"caption-{service}", name)]
    return span


def logged_trace_ids(service: ServiceProcess, count: int = 1) -> list[str | None]:
    """The trace ids of the first `count` requests for a caption; a request is logged after its answer."""
    wait_for(lambda: len(request_lines(service)) >= count, lambda: str(service.log))
    return [json.loads(line).get("trace_id") for line in request_lines(service)]


def request_lines(service: ServiceProcess) -> list[str]:
    return [line for line in service.log if '"/caption"' in line]


def test_a_photo_is_one_trace_from_the_page_to_the_search(tiny_bundle: Path, collector: Collector) -> None:
    with run_service(tiny_bundle) as inference, run_frontend(inference.url) as frontend:
        send_photo(frontend.url)
        wait_for(lambda: len(collector.spans(TRACE)) >= len(WHOLE), lambda: str(collector.spans(TRACE)))
        assert logged_trace_ids(inference) == [TRACE]
    spans = collector.spans(TRACE)

    assert {(span.service, span.name) for span in spans} == WHOLE
    page, call = find(spans, "frontend", "POST /api/caption"), find(spans, "frontend", "POST /caption")
    answer, photo = find(spans, "inference", "POST /caption"), find(spans, "inference", "caption")
    assert [span.parent_id for span in (page, call, answer, photo)] == [
        CALLER,
        page.span_id,
        call.span_id,
        answer.span_id,
    ]
    stages = [span for span in spans if span.parent_id == photo.span_id]
    assert [stage.name for stage in stages] == ["decode", "queue", "encode", "generate"]
    assert all(photo.start <= stage.start <= stage.end <= photo.end for stage in stages)


def test_a_page_begins_a_trace_where_the_browser_does_not(tiny_bundle: Path, collector: Collector) -> None:
    with run_service(tiny_bundle) as inference, run_frontend(inference.url) as frontend:
        requests.post(f"{frontend.url}/api/caption", data=photo_bytes("red"), timeout=30)
        [trace_id] = logged_trace_ids(inference)
        assert trace_id
        wait_for(lambda: len(collector.spans(trace_id)) >= len(WHOLE), lambda: str(collector.spans(trace_id)))


def test_what_is_left_is_sent_before_a_service_ends(
    tiny_bundle: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
    with run_service(tiny_bundle) as inference, run_frontend(inference.url) as frontend:
        send_photo(frontend.url)
        for process in (frontend.process, inference.process):
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    assert len(collector.spans(TRACE)) == len(WHOLE)


def test_probes_make_no_spans(tiny_bundle: Path, collector: Collector) -> None:
    with run_service(tiny_bundle) as inference, run_frontend(inference.url) as frontend:
        requests.get(f"{frontend.url}/health", timeout=30)
        requests.get(f"{inference.url}/health/live", headers={"traceparent": TRACEPARENT}, timeout=30)
        for process in (frontend.process, inference.process):
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    assert collector.exports == []


def test_without_a_collector_the_trace_id_is_handed_on_and_logged(tiny_bundle: Path) -> None:
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in os.environ
    with run_service(tiny_bundle) as inference, run_frontend(inference.url) as frontend:
        send_photo(frontend.url)
        requests.post(
            f"{inference.url}/caption", data=photo_bytes("red"), headers={"Content-Type": "image/png"}, timeout=30
        )
        assert logged_trace_ids(inference, count=2) == [TRACE, None]


def test_a_collector_that_is_away_holds_up_neither_a_photo_nor_the_end(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with run_service(tiny_bundle) as inference, run_frontend(inference.url) as frontend:
        send_photo(frontend.url)
        for process in (frontend.process, inference.process):
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0

"""The spans of a request, and the trace id in its log; tests/e2e/test_tracing.py follows one through both services."""

import builtins
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.gated_captioner import GatedCaptioner
from support.photos import photo_bytes

from photocaption.api import create_app
from photocaption.serving.service import CaptionService
from photocaption.serving.settings import Settings
from photocaption.serving.tracing import Tracing, open_tracing, read_trace_id

pytestmark = pytest.mark.anyio

TRACE = "0af7651916cd43dd8448eb211c80319c"
STAGES = ["decode", "queue", "encode", "generate"]
PNG = {"Content-Type": "image/png"}


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
async def client(model: GatedCaptioner, exporter: InMemorySpanExporter) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service whose spans go to `exporter`."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    service = CaptionService(Settings(), lambda: model, Tracing(provider))
    async with (
        service,
        httpx.AsyncClient(transport=httpx.ASGITransport(create_app(service)), base_url="http://service") as client,
    ):
        await service.start()
        yield client


def names(exporter: InMemorySpanExporter) -> list[str]:
    return [span.name for span in exporter.get_finished_spans()]


async def test_a_photo_has_a_span_for_each_stage(client: httpx.AsyncClient, exporter: InMemorySpanExporter) -> None:
    await client.post("/caption", content=photo_bytes("red"), headers=PNG)

    assert names(exporter) == [*STAGES, "caption", "POST /caption"]


async def test_a_caption_from_the_cache_went_through_no_stage(
    client: httpx.AsyncClient, exporter: InMemorySpanExporter
) -> None:
    await client.post("/caption", content=photo_bytes("red"), headers=PNG)
    exporter.clear()

    await client.post("/caption", content=photo_bytes("red"), headers=PNG)

    photo, _request = exporter.get_finished_spans()
    assert (photo.name, dict(photo.attributes or {})) == ("caption", {"caption.cached": True})


async def test_every_photo_of_a_request_has_spans_of_its_own(
    client: httpx.AsyncClient, exporter: InMemorySpanExporter
) -> None:
    photos = [("image", photo_bytes(colour)) for colour in ("red", "green")]

    await client.post("/captions", files=photos)

    assert sorted(names(exporter)) == sorted(2 * [*STAGES, "caption"] + ["POST /captions"])


async def test_spans_hold_nothing_of_the_photo_nor_of_the_key(
    client: httpx.AsyncClient, exporter: InMemorySpanExporter
) -> None:
    photo = photo_bytes("red") + b"marked"
    await client.post("/caption", content=photo, headers=PNG | {"Authorization": "Bearer secret-key"})

    text = " ".join(span.to_json() for span in exporter.get_finished_spans())
    assert names(exporter) == [*STAGES, "caption", "POST /caption"]
    assert "marked" not in text
    assert "secret-key" not in text


@pytest.mark.parametrize(
    ("traceparent", "trace_id"),
    [
        (f"00-{TRACE}-b7ad6b7169203331-01", TRACE),
        (None, None),
        ("", None),
        ("nonsense", None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
    ],
)
async def test_the_trace_id_is_that_of_a_sound_header(traceparent: str | None, trace_id: str | None) -> None:
    assert read_trace_id(traceparent) == trace_id


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
async def test_tracing_is_off_unless_a_collector_is_named(environment: dict[str, str]) -> None:
    assert open_tracing(environment).provider is None


async def test_a_collector_without_the_extra_is_complained_about_and_the_service_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = builtins.__import__

    def without_the_extra(name: str, *arguments: Any) -> Any:  # noqa: ANN401
        if name.startswith("opentelemetry.exporter"):
            raise ImportError(name)
        return whole(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_the_extra)
    caplog.set_level(logging.WARNING)

    assert open_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}).provider is None
    assert "extra `tracing` is not installed" in caplog.text


async def test_nothing_of_the_extra_is_loaded_where_tracing_is_off() -> None:
    program = "import sys, photocaption.server.server; sys.exit('opentelemetry.sdk' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

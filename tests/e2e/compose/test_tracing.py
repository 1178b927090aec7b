"""Images built with TRACING=1 send one trace of a photo to a collector, from two services and through the proxy."""

import base64
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from support import otlp_collector
from support.compose import Stack
from support.container_engine import Container, run_docker
from support.otlp_collector import Span, read_spans
from support.photos import photo_bytes
from support.report import Report
from support.stand_ins import PYTHON
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(1800)

TRACE = "0af7651916cd43dd8448eb211c80319c"
_PORT = 4318


@contextmanager
def run_collector(stack: Stack) -> Iterator[Container]:
    """A collector in a container, on both networks of the stack under the name `collector`."""
    program = ("--volume", f"{otlp_collector.__file__}:/collector.py:ro", PYTHON, "python", "/collector.py", str(_PORT))
    networks = [f"{stack.project}_{name}" for name in ("model", "outside")]
    alias = ("--network-alias", "collector")
    collector = Container(run_docker("run", "--detach", "--rm", "--network", networks[0], *alias, *program).strip())
    try:
        run_docker("network", "connect", "--alias", "collector", networks[1], collector.id)
        yield collector
    finally:
        run_docker("rm", "--force", collector.id)


def collected(collector: Container) -> list[Span]:
    exports = (base64.b64decode(line) for line in collector.log().splitlines())
    return [span for export in exports for span in read_spans(export) if span.trace_id == TRACE]


def caption(stack: Stack, photo: bytes) -> None:
    answer = httpx.post(
        stack.page,
        files={"photo": ("red.png", photo, "image/png")},
        headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"},
        timeout=60,
    )
    assert answer.status_code == 200


def test_the_trace_id_of_a_page_is_in_every_log(stack: Stack) -> None:
    stack.scale(1)

    caption(stack, photo_bytes("red", size=(50, 50)))

    for service in ("frontend", "proxy", "inference"):
        [container] = stack.containers(service)
        wait_for(lambda container=container: TRACE in container.log(), container.log)  # type: ignore[misc]


def test_images_with_the_extra_send_one_trace_of_both_services(stack: Stack, report: Report) -> None:
    names = {
        *(("caption-frontend", name) for name in ("POST /", "POST /caption")),
        *(("caption-inference", name) for name in ("POST /caption", "caption")),
        *(("caption-inference", stage) for stage in ("decode", "queue", "encode", "generate")),
    }

    with run_collector(stack) as collector:
        with stack.variables(TRACING="1", TRACES_TO=f"http://collector:{_PORT}"):
            start = time.monotonic()
            stack.compose("build", "inference", "frontend")
            report.note(f"both images with OpenTelemetry: built in {time.monotonic() - start:.0f} s")
            stack.scale(1)
        caption(stack, photo_bytes("red", size=(60, 60)))
        wait_for(lambda: len(collected(collector)) >= len(names), collector.log)
        spans = collected(collector)
    stack.compose("build", "inference", "frontend")
    stack.scale(1)

    assert {(span.service, span.name) for span in spans} == names
    report.note(f"one trace through frontend, proxy and inference: {len(spans)} spans")


def test_images_without_the_extra_have_nothing_of_it(stack: Stack) -> None:
    for service in ("frontend", "inference"):
        [container] = stack.containers(service)
        attempt: subprocess.CompletedProcess[str] = container.execute("python", "-c", "import opentelemetry.sdk")
        assert "ModuleNotFoundError" in attempt.stderr

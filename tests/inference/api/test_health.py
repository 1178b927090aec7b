"""Probes and metrics."""

import asyncio
import re

import httpx
import pytest
from support.gated_captioner import GatedCaptioner
from support.photos import photo_bytes
from support.problems import check_problem
from support.serving import Serve

from photocaption.serving.service import CaptionService, State

pytestmark = pytest.mark.anyio

RED = photo_bytes("red")
PNG = {"Content-Type": "image/png"}


async def metric(client: httpx.AsyncClient, sample: str) -> float:
    text = (await client.get("/metrics")).text
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def service_of(client: httpx.AsyncClient) -> CaptionService:
    service: CaptionService = client.service  # type: ignore[attr-defined]
    return service


async def test_the_service_is_alive_before_it_is_ready(serve: Serve) -> None:
    async with serve(start=False) as client:
        assert (await client.get("/health/live")).json() == {"status": "alive"}
        check_problem(await client.get("/health/ready"), 503, "not-ready")

        await service_of(client).start()

        assert (await client.get("/health/ready")).json() == {"status": "ready"}


async def test_it_is_ready_only_once_a_caption_was_made(serve: Serve, model: GatedCaptioner) -> None:
    async with serve(start=False) as client:
        model.gate.clear()
        starting = asyncio.create_task(service_of(client).start())
        while not model.batches:
            await asyncio.sleep(0.001)
        check_problem(await client.get("/health/ready"), 503, "not-ready")

        model.gate.set()
        await starting

        assert (await client.get("/health/ready")).status_code == 200


async def test_a_model_that_is_never_loaded_is_given_up_in_time(serve: Serve, model: GatedCaptioner) -> None:
    async with serve(start=False, load_seconds=0.2) as client:
        model.gate.clear()
        await service_of(client).start()

        assert service_of(client).state is State.FAILED
        assert "was not loaded and tried within 0.2 seconds" in str(service_of(client).failure)


async def test_it_is_not_ready_while_no_photo_comes_to_an_end(serve: Serve, model: GatedCaptioner) -> None:
    async with serve(workers=1, deadline_seconds=0.5) as client, asyncio.timeout(60):
        model.gate.clear()
        for _ in range(20):
            if (await client.get("/health/ready")).status_code == 200:
                assert (await client.post("/caption", content=RED, headers=PNG)).status_code in (503, 504)
        check_problem(await client.get("/health/ready"), 503, "not-ready")

        model.gate.set()
        while (await client.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)


async def test_it_is_not_ready_while_draining(client: httpx.AsyncClient) -> None:
    await service_of(client).drain()

    assert "stop" in check_problem(await client.get("/health/ready"), 503, "not-ready")["detail"]
    assert (await client.get("/health/live")).status_code == 200


async def test_a_model_that_cannot_be_loaded_leaves_it_failed_with_the_reason(
    serve: Serve, model: GatedCaptioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("the weights do not fit")

    monkeypatch.setattr(model, "describe", fail)
    async with serve() as client:
        check_problem(await client.get("/health/ready"), 503, "not-ready")

        assert service_of(client).state is State.FAILED
        assert "do not fit" in str(service_of(client).failure)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_probes_may_ask_for_the_head_alone(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.head(path)).status_code == 200


async def test_metrics_count_requests_captions_cache_and_rejections(client: httpx.AsyncClient) -> None:
    await client.post("/caption", content=RED, headers=PNG)
    await client.post("/caption", content=RED, headers=PNG)
    await client.post("/caption", content=b"junk", headers=PNG)

    assert await metric(client, 'caption_requests_total{method="POST",route="/caption",status="200"}') == 2
    assert await metric(client, 'caption_rejections_total{reason="unsupported-type"}') == 1
    assert await metric(client, 'caption_cache_lookups_total{result="hit"}') == 1
    assert await metric(client, 'caption_cache_lookups_total{result="miss"}') == 2
    assert await metric(client, 'caption_stage_seconds_count{stage="encode"}') == 1
    assert await metric(client, "caption_confidence_count") == 2
    assert await metric(client, "caption_ready") == 1
    assert await metric(client, 'caption_model{name="tiny",version="0.0.1"}') == 1
    assert await metric(client, "caption_queue_depth") == 0


async def test_the_queue_depth_is_what_waits_now(client: httpx.AsyncClient, model: GatedCaptioner) -> None:
    model.gate.clear()
    waiting = asyncio.create_task(client.post("/caption", content=RED, headers=PNG))
    while len(model.batches) < 2:
        await asyncio.sleep(0.001)

    assert await metric(client, "caption_queue_depth") == 1
    model.gate.set()
    await waiting


async def test_made_up_addresses_do_not_become_labels(client: httpx.AsyncClient) -> None:
    for number in range(20):
        await client.request(f"METHOD{number}", f"/made-up/{number}")

    text = (await client.get("/metrics")).text
    assert "made-up" not in text
    assert "METHOD" not in text


async def test_metrics_can_be_switched_off(serve: Serve) -> None:
    async with serve(metrics=False) as client:
        check_problem(await client.get("/metrics"), 404, "not-found")

"""The service in this process: its app, a client that calls it directly, and a model that the tests can stop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.gated_captioner import GatedCaptioner
from support.serving import Serve

from photocaption.api import create_app
from photocaption.serving.service import CaptionService
from photocaption.serving.settings import Settings


@pytest.fixture
def model(tiny_bundle: Path) -> GatedCaptioner:
    """The model behind the service, with a gate."""
    return GatedCaptioner(tiny_bundle)


@pytest.fixture
def serve(model: GatedCaptioner) -> Serve:
    """Serve with other settings than the defaults."""

    @asynccontextmanager
    async def serve(*, start: bool = True, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:  # noqa: ANN401
        service = CaptionService(Settings(**settings), lambda: model)
        transport = httpx.ASGITransport(create_app(service))
        async with service, httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            client.service = service  # type: ignore[attr-defined]  # for tests that look behind the API
            if start:
                await service.start()
            try:
                yield client
            finally:
                model.gate.set()

    return serve


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that is ready, with default settings."""
    async with serve() as client:
        yield client


@pytest.fixture
async def plain_client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that is ready and gives every sentence as it is."""
    async with serve(unsure="sentence") as client:
        yield client

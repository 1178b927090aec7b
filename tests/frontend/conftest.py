"""The frontend in front of a fake inference service, in this process and as a real server."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.fake_inference import FakeInference, run_fake_inference

from frontend.app import create_app
from frontend.settings import Settings
from frontend.web.server import Server


@pytest.fixture
def inference() -> Iterator[FakeInference]:
    with run_fake_inference() as fake:
        yield fake


@pytest.fixture
def settings(inference: FakeInference) -> Settings:
    return Settings.model_validate(
        {"inference_url": inference.url, "port": 0, "deadline_seconds": 5, "max_photo_bytes": 400_000}
    )


@pytest.fixture
def app(settings: Settings) -> Flask:
    return create_app(settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def page_url(app: Flask, settings: Settings) -> Iterator[str]:
    """Address of the frontend on a real socket."""
    server = Server(app, settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    thread.join()

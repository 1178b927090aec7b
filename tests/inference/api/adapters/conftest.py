"""A running service for the protocols' own clients, with and without keys."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.service_process import run_service
from support.serving import Served

from photocaption import keys


@pytest.fixture(scope="module", params=["open", "with keys"])
def served(request: pytest.FixtureRequest, tiny_bundle: Path) -> Iterator[Served]:
    """The service that everyone may use, then the one that wants keys."""
    key, entry = keys.make_key("someone") if request.param == "with keys" else (None, "")
    with run_service(tiny_bundle, api_keys=entry, unsure="sentence") as service:
        yield Served(service, key)

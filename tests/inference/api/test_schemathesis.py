"""Requests made from the OpenAPI document, sound and unsound: every answer is one that the document promises."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance
from support.hostile_images import make_seeds
from support.photos import photo_bytes
from support.service_process import ServiceProcess, run_service

from photocaption import keys

pytestmark = pytest.mark.slow

KEY, ENTRY = keys.make_key("tester")
UPLOADS = [
    ("POST", "/caption"),
    ("POST", "/captions"),
    ("POST", "/api/show"),
    ("POST", "/api/generate"),
    ("POST", "/api/chat"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/huggingface"),
    ("POST", "/phanpy"),
]
READS = [("GET", "/model"), ("GET", "/health/live"), ("GET", "/health/ready"), ("GET", "/metrics")]
READS += [("GET", "/api/version"), ("GET", "/api/tags"), ("GET", "/v1/models")]

_PHOTOS = st.sampled_from([photo_bytes("red"), photo_bytes("blue", "JPEG"), *make_seeds()])

schemathesis.openapi.media_type("image/*", _PHOTOS | st.binary())


@pytest.fixture(scope="module")
def service(tiny_bundle: Path) -> Iterator[ServiceProcess]:
    with run_service(tiny_bundle, api_keys=ENTRY) as service:
        yield service


@pytest.fixture(scope="module")
def document(service: ServiceProcess) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json")


@pytest.mark.parametrize(("method", "path"), UPLOADS + READS)
def test_sound_requests_get_what_is_documented(document: BaseSchema, method: str, path: str) -> None:
    check_all(document[path][method], schemathesis.GenerationMode.POSITIVE)


@pytest.mark.parametrize(("method", "path"), UPLOADS)
def test_unsound_requests_are_refused_as_documented(document: BaseSchema, method: str, path: str) -> None:
    check_all(document[path][method], schemathesis.GenerationMode.NEGATIVE)


def check_all(operation: APIOperation[Any, Any, Any, Any], mode: schemathesis.GenerationMode) -> None:
    """Send what can be made for `operation`, with and without the key that it needs."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case[Any]) -> None:
        assume(mode is schemathesis.GenerationMode.POSITIVE or _is_sent(case.query))
        # No document can say which bytes are a photo, so that a sound request may well be refused for its content.
        case.call_and_validate(headers={"Authorization": f"Bearer {KEY}"}, excluded_checks=[positive_data_acceptance])

    check()


def _is_sent(query: Mapping[str, Any]) -> bool:
    """Whether all of a query gets onto the wire: an unsound part that is empty would not, and what is left is sound."""
    return all(value not in ([], {}) for value in query.values())

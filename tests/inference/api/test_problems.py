"""One shape for every error, whoever raises it."""

import json

import httpx
import pytest
from support.problems import check_problem

from photocaption.api import problems
from photocaption.api.problems import ProblemError
from photocaption.errors import BundleError, CaptionError, DeadlineExceededError, QueueFullError

pytestmark = pytest.mark.anyio


async def test_an_unknown_address_is_a_problem(client: httpx.AsyncClient) -> None:
    assert "/nowhere" in check_problem(await client.get("/nowhere"), 404, "not-found")["detail"]


@pytest.mark.parametrize(("method", "path", "allowed"), [("GET", "/caption", "POST"), ("DELETE", "/model", "GET")])
async def test_a_wrong_method_is_a_problem_that_names_the_right_one(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    response = await client.request(method, path)

    assert allowed in check_problem(response, 405, "method-not-allowed")["detail"]
    assert response.headers["allow"] == allowed


async def test_nothing_is_kept_by_caches(client: httpx.AsyncClient) -> None:
    assert (await client.get("/nowhere")).headers["cache-control"] == "no-store"
    assert (await client.get("/model")).headers["cache-control"] == "no-store"


async def test_a_problem_names_its_request(client: httpx.AsyncClient) -> None:
    response = await client.get("/nowhere", headers={"X-Request-ID": "abc-123"})

    assert response.json()["request_id"] == "abc-123"


def test_the_kinds_have_different_names() -> None:
    assert len({kind.slug for kind in problems.KINDS}) == len(problems.KINDS)


def test_every_example_reads_as_a_sentence() -> None:
    for kind in problems.KINDS:
        assert kind.example[0].isupper() or kind is problems.INVALID_PARAMETER, kind
        assert kind.example.endswith("."), kind
        assert not kind.title.endswith("."), kind


def test_what_the_public_may_know_is_told() -> None:
    assert problems.describe(DeadlineExceededError("Too late.")).detail == "Too late."
    assert problems.describe(QueueFullError("Full.", retry_after=3.6)).retry_after == 4


@pytest.mark.parametrize("error", [ValueError("internal"), BundleError("internal"), CaptionError("internal")])
def test_what_it_may_not_know_is_not(error: Exception) -> None:
    problem = problems.describe(error)

    assert problem.status == 500
    assert "internal" not in problem.detail


def test_a_problem_without_a_wait_has_no_such_member() -> None:
    response = problems.ProblemResponse(problems.describe(ProblemError(problems.NOT_FOUND, "Gone.")))

    assert "retry_after" not in json.loads(bytes(response.body))
    assert "retry-after" not in response.headers

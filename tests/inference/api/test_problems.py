"""One shape for every error, whoever raises it."""

import ast
import json
import re
from pathlib import Path

import httpx
import pytest
from support.odd_files import png_claiming
from support.problems import check_problem

from photocaption.api import problems
from photocaption.api.problems import ProblemError
from photocaption.errors import BundleError, CaptionError, DeadlineExceededError, QueueFullError

pytestmark = pytest.mark.anyio

_PACKAGE = Path(problems.__file__).parents[1]
_MIN_LETTERS = 15  # that a text has to have beside what is filled in
_SENT_THEMSELVES = {problems.INTERNAL, problems.UNSURE}  # `kind.example` is the detail
_PUT_TOGETHER = {problems.INVALID_PARAMETER, problems.UNSUPPORTED_TYPE, problems.IMAGE_TOO_LARGE}


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


def test_every_example_is_something_that_the_service_says() -> None:
    said = [message for path in _PACKAGE.rglob("*.py") for message in _find_messages(path.read_text(encoding="utf-8"))]

    for kind in {*problems.KINDS} - _PUT_TOGETHER - _SENT_THEMSELVES:
        assert any(re.fullmatch(message, kind.example) for message in said), kind.example


async def test_so_is_what_is_put_together(client: httpx.AsyncClient) -> None:
    parameter = await client.post("/caption?beam_width=11", content=b"no photo")
    unknown = await client.post("/caption", content=b"no photo", headers={"Content-Type": "image/jpeg"})
    large = await client.post("/caption", content=png_claiming(8_000, 7_000), headers={"Content-Type": "image/png"})

    assert {answer.json()["detail"] for answer in (parameter, unknown, large)} == {
        kind.example for kind in _PUT_TOGETHER
    }


def _find_messages(source: str) -> list[str]:
    """The texts of a module as patterns, what is filled in standing for anything; not those of the examples."""
    tree = ast.parse(source)
    examples = {id(part) for kind in ast.walk(tree) if _makes_kind(kind) for part in ast.walk(kind)}
    patterns = []
    for node in ast.walk(tree):
        if id(node) not in examples and isinstance(node, ast.Constant | ast.JoinedStr):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            texts = [str(part.value) if isinstance(part, ast.Constant) else None for part in parts]
            if sum(len(text or "") for text in texts) >= _MIN_LETTERS:
                patterns.append("".join(".+" if text is None else re.escape(text) for text in texts))
    return patterns


def _makes_kind(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Kind"


def test_what_the_public_may_know_is_told() -> None:
    assert problems.to_problem(DeadlineExceededError("Too late.")).detail == "Too late."
    assert problems.to_problem(QueueFullError("Full.", retry_after=3.6)).retry_after == 4


@pytest.mark.parametrize("error", [ValueError("internal"), BundleError("internal"), CaptionError("internal")])
def test_what_it_may_not_know_is_not(error: Exception) -> None:
    problem = problems.to_problem(error)

    assert problem.status == 500
    assert "internal" not in problem.detail


def test_a_problem_without_a_wait_has_no_such_member() -> None:
    response = problems.ProblemResponse(problems.to_problem(ProblemError(problems.NOT_FOUND, "Gone.")))

    assert "retry_after" not in json.loads(bytes(response.body))
    assert "retry-after" not in response.headers

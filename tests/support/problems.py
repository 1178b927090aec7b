"""Checks of the properties that all error answers share."""

from collections.abc import Iterable
from typing import Any

import httpx

MEMBERS = {"type", "title", "status", "detail", "request_id", "retry_after"}


def check_problem(response: httpx.Response, status: int, slug: str, beside: Iterable[str] = ()) -> dict[str, Any]:
    """Assert that the response is a well-formed problem of this kind, with members `beside`; returns them all."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert set(beside) <= set(problem) <= MEMBERS | set(beside)
    assert problem["type"] == f"urn:image-captions:problem:{slug}"
    assert problem["status"] == status
    assert problem["detail"].endswith(".")
    assert "Traceback" not in response.text
    if "retry_after" in problem:
        assert response.headers["retry-after"] == str(problem["retry_after"])
    return problem

"""Converts exceptions of routes and of the framework to problems."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from photocaption.api import problems
from photocaption.api.error_forms import respond
from photocaption.api.problems import Problem, ProblemError
from photocaption.api.schemas import CaptionQuery
from photocaption.errors import CaptionError, release_frames

_log = logging.getLogger(__name__)


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of `app` a problem."""
    app.add_exception_handler(ProblemError, _answer)
    app.add_exception_handler(CaptionError, _answer)
    app.add_exception_handler(HTTPException, _answer_framework)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)


def report(request: Request, error: Exception) -> Problem:
    """The problem for `error`, which is counted, and logged if it is an internal one; else its frames are released."""
    problem = problems.to_problem(error)
    request.app.state.service.metrics.rejections.labels(problem.slug).inc()
    if problem.status == problems.INTERNAL.status:
        _log.error("unexpected error", exc_info=error)
    else:
        release_frames(error)
    return problem


async def _answer(request: Request, error: Exception) -> Response:
    headers = error.headers if isinstance(error, ProblemError) else None
    return respond(request.scope, report(request, error), headers)


async def _answer_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return await _answer(request, _to_problem_error(request, error))


async def _answer_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [_name_parameter(fault) for fault in error.errors()]
    return await _answer(request, ProblemError(problems.INVALID_PARAMETER, f"{problems.describe_faults(faults)}."))


async def _answer_nobody(_request: Request, error: Exception) -> Response:
    release_frames(error)
    return Response(status_code=problems.CLIENT_CLOSED_REQUEST)


def _to_problem_error(request: Request, error: HTTPException) -> ProblemError:
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            return ProblemError(problems.NOT_FOUND, f"There is nothing at {request.url.path}.")
        case 405:
            detail = f"{request.method} is not allowed here; use {headers.get('Allow', 'another method')}."
            return ProblemError(problems.METHOD_NOT_ALLOWED, detail, headers=headers)
        case _:
            return ProblemError(problems.INTERNAL, problems.INTERNAL.example)


def _name_parameter(fault: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fault without the word `query` in its place."""
    message = fault["msg"]
    if fault["type"] == "extra_forbidden":  # in a query: JSON may hold more than is read
        message = f"there is no such parameter; there are {', '.join(CaptionQuery.model_fields)}"
    return {"loc": fault["loc"][1:], "msg": message}

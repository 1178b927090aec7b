"""Refuses photos that would not be accepted, before any other work.

Under overload nearly all requests end here, so this has to be cheap. Routes check again, because the queue may fill up
while a body arrives.
"""

from collections.abc import Iterable
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from photocaption.api.access import find_network
from photocaption.api.error_forms import respond
from photocaption.api.problems import to_problem
from photocaption.errors import ServiceError
from photocaption.serving.service import CaptionService


class _Route(NamedTuple):
    """The route of a request that is refused before routing, for the log and the metrics."""

    path: str


class FullQueueMiddleware:
    """Answers posts to `paths` 429 while the queue is full and 503 while the service is not ready."""

    def __init__(self, app: ASGIApp, *, service: CaptionService, paths: Iterable[str]) -> None:
        self._app = app
        self._service = service
        self._routes = {path: _Route(path) for path in paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        try:
            if route is not None:
                self._service.check_room(find_network(scope, self._service.settings.trusted_proxies))
        except ServiceError as error:
            scope["route"] = route
            problem = to_problem(error)
            self._service.metrics.rejections.labels(problem.slug).inc()
            await respond(scope, problem)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

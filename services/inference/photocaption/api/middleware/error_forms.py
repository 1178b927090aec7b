"""Tells problems in the form of the protocol that was asked, wherever they come from.

Problems are written by handlers, by other middlewares and by the last resort for errors that nobody expected; each
writes RFC 9457. On the paths of another protocol, whether they are served or not, this one, around all of them,
translates. Where a path of ours takes another protocol's JSON, and a request is refused before anybody has read it, the
problem has the members of both forms: RFC 9457, section 3.2, lets it have more than its own.
"""

import json
from collections.abc import Mapping
from functools import partial

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photocaption.api.adapters.adapter import Json, Translate, find_error_form, set_error_form
from photocaption.api.middleware.body_limit import is_json
from photocaption.api.problems import MEDIA_TYPE, Problem


class ErrorFormMiddleware:
    """Translates problems on paths that begin as `forms` has them, and of requests that had their form set; adds to
    those of JSON to the paths of `shared`.
    """

    def __init__(self, app: ASGIApp, *, forms: Mapping[str, Translate], shared: Mapping[str, Translate]) -> None:
        self._app = app
        self._forms = forms
        self._shared = {path: partial(_add, translate) for path, translate in shared.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in self._shared and is_json(Headers(scope=scope)):
            set_error_form(scope, self._shared[scope["path"]])
        start: Message | None = None

        async def send_translated(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and self._find(scope) and _is_problem(message):
                start = message
                return
            if start is None:
                await send(message)
                return
            translate = self._find(scope)
            assert translate is not None
            assert not message.get("more_body"), "a problem is sent in one piece"
            media_type = MEDIA_TYPE if translate in self._shared.values() else "application/json"
            head, body = _translate(start, message["body"], translate, media_type)
            await send(head)
            await send({**message, "body": body})

        await self._app(scope, receive, send_translated)

    def _find(self, scope: Scope) -> Translate | None:
        forms = (translate for prefix, translate in self._forms.items() if scope["path"].startswith(prefix))
        return find_error_form(scope) or next(forms, None)


def _add(translate: Translate, problem: Problem) -> Json:
    return problem.model_copy(update=translate(problem)).model_dump(exclude_none=True)


def _translate(start: Message, body: bytes, translate: Translate, media_type: str) -> tuple[Message, bytes]:
    told = json.dumps(translate(Problem.model_validate_json(body)), ensure_ascii=False).encode()
    headers = MutableHeaders(raw=start["headers"])
    headers["content-type"] = media_type
    headers["content-length"] = str(len(told))
    return {**start, "headers": headers.raw}, told


def _is_problem(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type") == MEDIA_TYPE

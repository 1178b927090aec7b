"""Writes problems in the format of the requested protocol, also for paths that are not served.

Where a path of the API also takes another protocol's JSON, a problem that comes before the body is read has the members
of both formats: RFC 9457, section 3.2, allows further members.
"""

from collections.abc import Iterable, Mapping

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from photocaption.api.adapters.adapter import Adapter
from photocaption.api.middleware.body_limit import is_json
from photocaption.api.openapi import Translate
from photocaption.api.problems import Problem, ProblemResponse

_FORM_KEY = "photocaption.error_form"


def respond(scope: Scope, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as the answer to the request of `scope`, by the adapters that the application serves."""
    adapters: Iterable[Adapter] = scope["app"].state.adapters
    path = scope["path"]
    if _FORM_KEY in scope:
        translate = scope[_FORM_KEY]
    elif shared := next((one for one in adapters if one.shared == path and is_json(Headers(scope=scope))), None):
        return ProblemResponse(problem.model_copy(update=shared.translate(problem)), headers)
    else:
        translate = next((one.translate for one in adapters if one.prefix and path.startswith(one.prefix)), None)
    return ProblemResponse(problem, headers, translated=translate(problem) if translate else None)


def set_error_form(scope: Scope, translate: Translate | None) -> None:
    """Choose the format of further problems of this request, None for ours, on a path that takes several."""
    scope[_FORM_KEY] = translate

"""Tells problems in the form of the protocol that was asked, those of paths that are not served among them.

Where a path of ours takes another protocol's JSON, and a request is refused before anybody has read it, the problem has
the members of both forms: RFC 9457, section 3.2, lets it have more than its own.
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
    """Have further problems of this request told in that form, None for ours, on a path that takes more than one."""
    scope[_FORM_KEY] = translate

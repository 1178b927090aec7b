"""Tells problems in the form of the protocol that was asked, those of paths that are not served among them.

Where a path of ours takes another protocol's JSON, and a request is refused before anybody has read it, the problem has
the members of both forms: RFC 9457, section 3.2, lets it have more than its own.
"""

from collections.abc import Iterable, Mapping

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from photocaption.api.adapters.adapter import Adapter, Translate
from photocaption.api.middleware.body_limit import is_json
from photocaption.api.problems import Problem, ProblemResponse

_FORM_KEY = "photocaption.error_form"


class ErrorForms:
    """The forms of the adapters that are served."""

    def __init__(self, adapters: Iterable[Adapter]) -> None:
        self._by_prefix = {adapter.prefix: adapter.translate for adapter in adapters if adapter.prefix}
        self._by_shared_path = {adapter.shared: adapter.translate for adapter in adapters if adapter.shared}

    def respond(self, scope: Scope, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
        """The problem as the answer to the request of `scope`."""
        path = scope["path"]
        if _FORM_KEY not in scope and path in self._by_shared_path and is_json(Headers(scope=scope)):
            return ProblemResponse(problem.model_copy(update=self._by_shared_path[path](problem)), headers)
        forms = (translate for prefix, translate in self._by_prefix.items() if path.startswith(prefix))
        translate = scope.get(_FORM_KEY) or next(forms, None)
        return ProblemResponse(problem, headers, translated=translate(problem) if translate else None)


def set_error_form(scope: Scope, translate: Translate | None) -> None:
    """Have further problems of this request told in that form, None for ours, on a path that takes more than one."""
    scope[_FORM_KEY] = translate


def respond(scope: Scope, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as the answer to the request of `scope`, as the application's `ErrorForms` have it."""
    forms: ErrorForms = scope["app"].state.error_forms
    return forms.respond(scope, problem, headers)

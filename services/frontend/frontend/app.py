"""Puts the frontend together: settings, the client of inference, protections and pages."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from frontend.inference.client import InferenceClient
from frontend.presentation import failures
from frontend.presentation.failures import Failure
from frontend.settings import Settings
from frontend.state import STATE_KEY, State
from frontend.views import about, captioning, developers, health, options, script_api
from frontend.web.compression import compress_responses
from frontend.web.request_log import log_requests
from frontend.web.security import protect
from frontend.web.slots import Slots
from frontend.web.tracing import trace_requests
from frontend.web.uploads import MemoryRequest

if TYPE_CHECKING:  # an extra, which need not be there
    from opentelemetry.trace import TracerProvider

_STATIC = Path(__file__).parent / "static"
_LARGE_FORMS = 8
_YEAR_SECONDS = 365 * 24 * 3600


def create_app(settings: Settings | None = None, tracer_provider: "TracerProvider | None" = None) -> Flask:
    """The WSGI application. Connects to nothing until a page needs it."""
    settings = settings or Settings()
    # The address changes with the content, scripts import each other by relative addresses: all can be cached for ever.
    app = Flask(__name__, static_url_path=f"/static/{digest_folder(_STATIC)}")
    app.request_class = MemoryRequest
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = _YEAR_SECONDS
    app.config["MAX_CONTENT_LENGTH"] = settings.max_form_bytes
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.filters["megabytes"] = failures.format_megabytes
    app.jinja_env.globals.update(
        formats=failures.FORMATS, max_beam_width=options.MAX_BEAM_WIDTH, max_alternatives=options.MAX_ALTERNATIVES
    )
    large_forms = Slots(min(_LARGE_FORMS, max(1, settings.threads - settings.concurrent_captions)))
    app.extensions[STATE_KEY] = State(settings, InferenceClient(settings), large_forms)
    trace_requests(app, tracer_provider)
    _add_pages(app)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def _add_pages(app: Flask) -> None:
    # Functions after a request run in reverse order: compression comes last, when the headers are complete.
    compress_responses(app)
    log_requests(app)
    protect(app)
    for module in (captioning, script_api, developers, about, health):
        app.register_blueprint(module.blueprint)
    app.register_error_handler(HTTPException, _explain_http_error)


def _explain_http_error(error: HTTPException) -> ResponseReturnValue:
    """Every error that Flask raises itself as a page, or as problem+json where the script asks."""
    failure = _name_http_error(error)
    if request.path.startswith("/api/"):
        return script_api.answer_problem(failure)
    return render_template("error.html", failure=failure), failure.status


def _name_http_error(error: HTTPException) -> Failure:
    match error.code:
        case 403:
            return Failure(403, "This came from another site.", "Open this page itself and choose your photo here.")
        case 404:
            return Failure(404, "There is no such page.", "The address may be mistyped or out of date.")
        case 405:
            return Failure(405, "That doesn't work here.", "This address can't be used in this way.")
        case 413:
            return Failure(413, "That is too much at once.", "Send fewer or smaller photos.")
        case 400:
            return Failure(400, "That request makes no sense to us.", "Go back and try it again.")
        case _:
            return Failure(error.code or 500, "Something went wrong here.", "It is our mistake. Please try again.")


def digest_folder(folder: Path) -> str:
    """A short digest of every file below `folder`, names included."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]

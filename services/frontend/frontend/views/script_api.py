"""The routes for the page's own script: the inference service's answers, with messages for users.

This is no public API: developers use the inference service itself, which the API page describes.
"""

from dataclasses import asdict

from flask import Blueprint, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound, RequestEntityTooLarge

from frontend.inference.contract import Caption
from frontend.inference.errors import InferenceError
from frontend.presentation import failures
from frontend.presentation.alternatives import list_alternatives
from frontend.presentation.confidence_label import label_confidence
from frontend.presentation.examples import find_example, read_example
from frontend.presentation.failures import Failure
from frontend.state import get_state
from frontend.views.options import read_options
from frontend.web.request_log import current_request_id

blueprint = Blueprint("script_api", __name__, url_prefix="/api")


@blueprint.post("/caption")
def caption_photo() -> ResponseReturnValue:
    """Caption the photo that is the body. Query: `beam_width`, `alternatives`. Errors are problem+json."""
    limit = get_state().settings.max_photo_bytes
    request.max_content_length = limit
    try:
        get_state().client.check_reachable()
        photo = request.get_data(cache=False)
    except InferenceError as error:
        return answer_problem(failures.explain(error, max_bytes=limit))
    except RequestEntityTooLarge:
        return answer_problem(failures.too_large(limit))
    if not photo:
        return answer_problem(failures.EMPTY_PHOTO)
    try:
        options = read_options(request.args, attention=True)
        answer = get_state().client.caption(photo, options, current_request_id(), request.remote_addr or "")
    except InferenceError as error:
        current_app.logger.warning("no caption: %s", error)
        return answer_problem(failures.explain(error, max_bytes=limit, photo=photo))
    return _present(answer)


@blueprint.post("/example/<name>")
def try_example(name: str) -> ResponseReturnValue:
    """What inference answers to `POST /caption` with one of the examples, byte for byte: the API page shows it."""
    example = find_example(name)
    if example is None:
        raise NotFound
    try:
        answer = get_state().client.caption_with_defaults(
            read_example(example), current_request_id(), request.remote_addr or ""
        )
    except InferenceError as error:
        return answer_problem(failures.explain(error, max_bytes=get_state().settings.max_photo_bytes))
    return Response(answer, mimetype="application/json")


@blueprint.get("/state")
def tell_state() -> ResponseReturnValue:
    """Whether a photo would be captioned now: `ready`, and a `note` for the person where not."""
    try:
        get_state().client.check_ready(current_request_id())
    except InferenceError as error:
        return {"ready": False, "note": failures.explain_wait(error)}
    return {"ready": True, "note": ""}


def answer_problem(failure: Failure) -> ResponseReturnValue:
    """`failure` as problem+json, with `Retry-After` where trying again makes sense."""
    response = jsonify(failure.as_problem() | {"request_id": current_request_id()})
    response.status_code = failure.status
    response.mimetype = "application/problem+json"
    if failure.retry_after is not None:
        response.headers["Retry-After"] = str(failure.retry_after)
    return response


def _present(answer: Caption) -> ResponseReturnValue:
    return answer.model_dump(mode="json") | {
        "alternatives": [asdict(alternative) for alternative in list_alternatives(answer)],
        "certainty": asdict(label_confidence(answer.confidence)),
    }

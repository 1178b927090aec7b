"""The page itself: photos in by a plain form, captions out. Scripts add to it but are not needed."""

from dataclasses import dataclass
from http import HTTPStatus
from threading import Lock

from flask import Blueprint, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue

from frontend.inference.client import Options
from frontend.inference.contract import Caption
from frontend.inference.errors import BusyError, InferenceError
from frontend.presentation import failures
from frontend.presentation.alternatives import AlternativeView, list_alternatives
from frontend.presentation.confidence_label import ConfidenceLabel, label_confidence
from frontend.presentation.examples import find_example, load_examples, read_example
from frontend.presentation.failures import Failure
from frontend.state import get_state
from frontend.views.options import read_options
from frontend.views.photos import Photo, read_form_photos
from frontend.web.request_log import current_request_id

blueprint = Blueprint("captioning", __name__)

# A form is in memory several times over while it becomes a page: a large one has that to itself, and few wait for it.
_LARGE_BYTES = 2**20
_turn = Lock()
_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@dataclass(frozen=True, slots=True)
class Outcome:
    """A photo with its caption or with the reason why it has none."""

    photo: Photo
    caption: Caption | None = None
    failure: Failure | None = None

    @property
    def image_url(self) -> str | None:
        """The photo as a data: URL; none where it was too large, for it would come back larger still."""
        return None if self.failure and self.failure.status == _TOO_LARGE else self.photo.data_url

    @property
    def certainty(self) -> ConfidenceLabel | None:
        """The caption's confidence in words."""
        return label_confidence(self.caption.confidence) if self.caption else None

    @property
    def alternatives(self) -> list[AlternativeView]:
        """The other captions, as the page shows them."""
        return list_alternatives(self.caption) if self.caption else []


@blueprint.get("/")
def show_form() -> ResponseReturnValue:
    """The page with an empty form."""
    return _render_page()


@blueprint.post("/")
def caption_form() -> ResponseReturnValue:
    """The page with a caption, or a reason, for each photo of the form."""
    if (request.content_length or 0) <= _LARGE_BYTES:
        return _caption_photos()
    with get_state().large_forms.take(request.remote_addr or "") as taken:
        try:
            if not taken:
                raise BusyError
            get_state().client.check_reachable()
        except InferenceError as error:
            return _render_page(failure=failures.explain(error, max_bytes=get_state().settings.max_photo_bytes))
        with _turn:
            return make_response(_caption_photos())


def _caption_photos() -> ResponseReturnValue:
    settings = get_state().settings
    photos = _read_photos()
    if not photos:
        return _render_page(failure=failures.NO_PHOTO)
    if len(photos) > settings.max_form_photos:
        return _render_page(failure=failures.too_many_photos(settings.max_form_photos))
    options = read_options(request.form, attention=False)
    return _render_page(outcomes=[_caption(photo, options) for photo in photos], options=options)


def _read_photos() -> list[Photo]:
    if example := find_example(request.form.get("example", "")):
        return [Photo(example.file_name, read_example(example))]
    return read_form_photos(request)


def _caption(photo: Photo, options: Options) -> Outcome:
    limit = get_state().settings.max_photo_bytes
    if not photo.data:
        return Outcome(photo, failure=failures.EMPTY_PHOTO)
    if len(photo.data) > limit:
        return Outcome(photo, failure=failures.too_large(limit))
    try:
        caption = get_state().client.caption(photo.data, options, current_request_id(), request.remote_addr or "")
        return Outcome(photo, caption=caption)
    except InferenceError as error:
        current_app.logger.warning("no caption: %s", error)
        return Outcome(photo, failure=failures.explain(error, max_bytes=limit, photo=photo.data))


def _render_page(
    outcomes: list[Outcome] | None = None, failure: Failure | None = None, options: Options | None = None
) -> ResponseReturnValue:
    page = render_template(
        "captioning/page.html",
        outcomes=outcomes or [],
        failure=failure,
        options=options or Options(),
        examples=load_examples(),
        settings=get_state().settings,
    )
    return page, _choose_status(outcomes or [], failure)


def _choose_status(outcomes: list[Outcome], failure: Failure | None) -> int:
    """200 as soon as one photo has its caption."""
    if failure:
        return failure.status
    statuses = [outcome.failure.status for outcome in outcomes if outcome.failure]
    return statuses[0] if statuses and len(statuses) == len(outcomes) else 200

"""Every error answer of the service, as RFC 9457 `application/problem+json`, also where the framework raises it.

`KINDS` is the whole list; docs/api.md shows it and the OpenAPI document takes its examples from it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import Response

from photocaption.errors import (
    CaptionError,
    DeadlineExceededError,
    ImageTooLargeError,
    NotReadyError,
    QueueFullError,
    UndecodableImageError,
    UnsupportedImageError,
)
from photocaption.image.decode import UNKNOWN_FORMAT, ImageLimits
from photocaption.serving.logs import current_request_id

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:image-captions:problem:"
_NOT_READY_RETRY_AFTER = 2
_SHOWN_FAULTS = 3

# For the log alone: a client that disconnected is neither a success nor a failure of the service.
CLIENT_CLOSED_REQUEST = 499


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: `slug` names it for programs, `title` for people; `example` is a possible detail."""

    slug: str
    status: int
    title: str
    example: str

    @property
    def type(self) -> str:
        """The URI that identifies the kind."""
        return _TYPE_PREFIX + self.slug


MALFORMED = Kind(
    "malformed-request",
    400,
    "The request is malformed",
    "The part 'image' is missing: send the photo in a part of that name.",
)
INVALID_PARAMETER = Kind(
    "invalid-parameter", 400, "A query parameter is not valid", "beam_width: input should be less than or equal to 10."
)
UNAUTHORIZED = Kind(
    "unauthorized", 401, "An API key is needed", "Send an API key in the header 'Authorization: Bearer <key>'."
)
NOT_FOUND = Kind("not-found", 404, "There is nothing here", "There is nothing at /captoin.")
METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "The method is not allowed", "GET is not allowed here; use POST.")
TIMED_OUT = Kind(
    "request-timeout",
    408,
    "The request took too long to arrive",
    "The request's body did not arrive within 30 seconds.",
)
TOO_LARGE = Kind(
    "body-too-large",
    413,
    "The request is too large",
    "The request is larger than 33554432 bytes, the most that is accepted.",
)
UNSUPPORTED_TYPE = Kind(
    "unsupported-type",
    415,
    "The type is not supported",
    UNKNOWN_FORMAT,
)
UNDECODABLE = Kind(
    "undecodable-image",
    422,
    "The photo cannot be decoded",
    "The photo looks like JPEG, but it is damaged or incomplete.",
)
IMAGE_TOO_LARGE = Kind(
    "image-too-large",
    422,
    "The photo has too many pixels",
    str(ImageLimits().refuse(8000, 7000)),
)
UNSURE = Kind(
    "unsure",
    422,
    "The model is not sure enough",
    "The model is not sure enough of what this photo shows to describe it.",
)
QUEUE_FULL = Kind(
    "queue-full",
    429,
    "The service is busy",
    "The service is busy: 64 photos are waiting already. Please try again a little later.",
)
RATE_LIMITED = Kind(
    "rate-limited", 429, "Too many requests", "This API key may send 60 photos a minute. Please try again in 5 seconds."
)
HEADERS_TOO_LARGE = Kind(
    "headers-too-large",
    431,
    "The request's headers are too large",
    "The request's headers are larger than 32768 bytes.",
)
INTERNAL = Kind(
    "internal-error", 500, "Something went wrong here", "Something went wrong on our side. Please try again."
)
NOT_READY = Kind(
    "not-ready", 503, "The service is not ready", "The model is still loading. Please try again in a few seconds."
)
DEADLINE_EXCEEDED = Kind(
    "deadline-exceeded",
    504,
    "The caption took too long",
    "The photo was not captioned within 20 seconds. Please try again a little later.",
)

KINDS = (
    MALFORMED, INVALID_PARAMETER, UNAUTHORIZED, NOT_FOUND, METHOD_NOT_ALLOWED, TIMED_OUT, TOO_LARGE, UNSUPPORTED_TYPE,
    UNDECODABLE, IMAGE_TOO_LARGE, UNSURE, QUEUE_FULL, RATE_LIMITED, HEADERS_TOO_LARGE, INTERNAL, NOT_READY,
    DEADLINE_EXCEEDED,
)  # fmt: skip

# Problems of requests without a body.
OF_READING = (UNAUTHORIZED, RATE_LIMITED, INTERNAL, NOT_READY)
# Problems of any body, and of captioning a photo in another protocol.
OF_BODY = (MALFORMED, UNAUTHORIZED, TIMED_OUT, TOO_LARGE, UNSUPPORTED_TYPE, INTERNAL)
OF_CAPTION = (UNDECODABLE, IMAGE_TOO_LARGE, UNSURE, QUEUE_FULL, RATE_LIMITED, NOT_READY, DEADLINE_EXCEEDED)

_KIND_OF_ERROR: dict[type[CaptionError], Kind] = {
    UnsupportedImageError: UNSUPPORTED_TYPE,
    UndecodableImageError: UNDECODABLE,
    ImageTooLargeError: IMAGE_TOO_LARGE,
    DeadlineExceededError: DEADLINE_EXCEEDED,
}


Absent = SkipJsonSchema[None]  # of a field that is left out rather than null, as the OpenAPI document then says


class Problem(BaseModel):
    """What went wrong, for a person in `detail` and for a program in `type`."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="URI that identifies the kind of problem; it never changes.")
    title: str = Field(description="The kind of problem in a few words.")
    status: int = Field(
        ge=400, le=599, description="The HTTP status; for one photo of several, the one it would have had alone."
    )
    detail: str = Field(description="What went wrong this time, in a sentence or two that a person can be shown.")
    request_id: str | Absent = Field(None, description="Names the request in the service's logs.")
    retry_after: Annotated[int, Field(ge=0)] | Absent = Field(
        None, description="Seconds after which trying again is worth it."
    )
    id: str | Absent = Field(
        None, description="As `request_id`, where JSON was refused unread: PhotoPrism's name for it."
    )
    code: int | Absent = Field(None, description="As `status`, for PhotoPrism.")
    error: str | Absent = Field(None, description="As `detail`, for PhotoPrism.")

    @property
    def slug(self) -> str:
        """The last part of `type`, which names the kind in metrics and in other protocols."""
        return self.type.rpartition(":")[2]


class ProblemError(Exception):
    """Raised where the HTTP layer itself finds a problem with a request."""

    def __init__(
        self, kind: Kind, detail: str, *, retry_after: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after
        self.headers = dict(headers or {})


class ProblemResponse(Response):
    """A problem as the whole answer to a request."""

    def __init__(
        self, problem: Problem, headers: Mapping[str, str] | None = None, translated: dict[str, Any] | None = None
    ) -> None:
        """`translated`: the JSON to send, where it is another protocol's."""
        retry = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
        body = json.dumps(
            problem.model_dump(exclude_none=True) if translated is None else translated, ensure_ascii=False
        )
        media_type = MEDIA_TYPE if translated is None else "application/json"
        super().__init__(body, problem.status, {**retry, **(headers or {})}, media_type)


def to_problem(error: Exception) -> Problem:
    """The problem for `error`. Errors that are not meant for clients become internal ones."""
    match error:
        case ProblemError():
            return make_problem(error.kind, error.detail, retry_after=error.retry_after)
        case QueueFullError():
            return make_problem(QUEUE_FULL, str(error), retry_after=max(1, round(error.retry_after)))
        case NotReadyError():
            return make_problem(NOT_READY, str(error), retry_after=_NOT_READY_RETRY_AFTER)
        case CaptionError() if type(error) in _KIND_OF_ERROR:
            return make_problem(_KIND_OF_ERROR[type(error)], str(error))
        case _:
            return make_problem(INTERNAL, INTERNAL.example)


def make_problem(kind: Kind, detail: str, *, retry_after: int | None = None) -> Problem:
    """A problem of `kind` under the id of the current request; `retry_after` in seconds."""
    return Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=detail,
        request_id=current_request_id.get(),
        retry_after=retry_after,
    )


def lower_first(text: str) -> str:
    """The text as it stands in the middle of a sentence."""
    return text[:1].lower() + text[1:]


def describe_faults(faults: Sequence[Mapping[str, Any]]) -> str:
    """The first few of pydantic's faults, and how many more there are: a short request may have thousands."""
    shown = [f"{'.'.join(map(str, fault['loc']))}: {lower_first(fault['msg'])}" for fault in faults[:_SHOWN_FAULTS]]
    more = len(faults) - _SHOWN_FAULTS
    return "; ".join([*shown, *([f"and {more} more"] if more > 0 else [])]).removeprefix(": ")

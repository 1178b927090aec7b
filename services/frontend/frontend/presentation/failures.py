"""Messages for users about failures: what went wrong, and what to do next; page and script show the same ones."""

import math
from dataclasses import dataclass, replace

from frontend.inference.contract import Problem
from frontend.inference.errors import BusyError, DeadlineError, InferenceError, RefusedError, UnreachableError
from frontend.presentation import unsupported_files

FORMATS = "JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF"
_STARTING_RETRY_SECONDS = 3
_BUSY_RETRY_SECONDS = 2
_TOO_MANY_PIXELS = "urn:image-captions:problem:image-too-large"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no caption. `retry_after`: seconds after which the same photo is worth sending again, or None;
    `retriable`: whether a person may want to send it again at all.
    """

    status: int
    headline: str
    advice: str
    retry_after: int | None = None
    retriable: bool = True

    def as_problem(self) -> dict[str, str | int | bool]:
        """The same as RFC 9457 problem details, with `retry_after` as an extension member."""
        problem: dict[str, str | int | bool] = {
            "type": "about:blank", "title": self.headline, "status": self.status, "detail": self.advice,
            "retriable": self.retriable,
        }  # fmt: skip
        if self.retry_after is not None:
            problem["retry_after"] = self.retry_after
        return problem


NO_PHOTO = Failure(400, "There was no photo in that.", "Choose a photo first, then ask for its caption.")
EMPTY_PHOTO = Failure(
    422, "This file is empty.", "It has a name and nothing in it. Choose another copy of the photo.", retriable=False
)
_AWAY = Failure(
    503,
    "The captioner can't be reached.",
    "Your photo is fine. The captioner is usually back soon: try again in a moment.",
    1,
)
_STARTING = Failure(
    503,
    "The captioner is just starting.",
    "It is loading its model, which takes a few seconds. Then try again.",
    _STARTING_RETRY_SECONDS,
)
_BUSY = Failure(
    429,
    "Many photos are waiting right now.",
    "Your photo is fine. There should be room for it in a moment: try again then.",
    _BUSY_RETRY_SECONDS,
)
_SLOW = Failure(504, "That took too long.", "Your photo is fine, the captioner was slow. Try it again.", 5)
_BROKEN = Failure(502, "The captioner made a mistake.", "Your photo may be fine. Try again, or try another one.")
_UNAUTHORIZED = Failure(502, "This page isn't allowed in.", "Whoever runs it needs to check the key for the captioner.")


def too_large(max_bytes: int) -> Failure:
    """The photo, or the form with photos, has more bytes than we take."""
    return Failure(
        413,
        "This photo is too large.",
        f"It may have up to {format_megabytes(max_bytes)}. Save a smaller copy and try that one.",
        retriable=False,
    )


def too_many_photos(limit: int) -> Failure:
    """The form came with more photos than we take at once."""
    return Failure(413, "That is a lot of photos.", f"Send up to {limit} at a time.")


def explain(error: InferenceError, *, max_bytes: int, photo: bytes = b"") -> Failure:
    """The sentences for `error` about `photo`; `max_bytes` is the limit to name when inference found it too large."""
    match error:
        case RefusedError(problem=Problem(status=415)):
            advice = " ".join(filter(None, (unsupported_files.advise(photo), f"A photo as {FORMATS} will do.")))
            return Failure(415, "We can't read this kind of file.", advice, retriable=False)
        case RefusedError():
            return _explain_refusal(error, max_bytes)
        case UnreachableError(retry_after=seconds):
            return _retry_after(_AWAY, seconds)
        case BusyError():
            return _BUSY
        case DeadlineError():
            return _SLOW
        case _:
            return _BROKEN


def explain_wait(error: InferenceError) -> str:
    """The sentence for someone who has only opened the page."""
    match error:
        case RefusedError():
            return "The captioner is just starting. Photos you choose now will wait for it."
        case _:
            return "The captioner can't be reached right now. Photos you choose will wait for it."


def _explain_refusal(error: RefusedError, max_bytes: int) -> Failure:
    match error.problem.status:
        case 413:
            return too_large(max_bytes)
        case 422:
            return _unreadable(error.problem)
        case 429:
            return _retry_after(_BUSY, error.retry_after)
        case 503:
            return _retry_after(_STARTING, error.retry_after)
        case 504:
            return _SLOW
        case 401 | 403:
            return _UNAUTHORIZED
        case _:
            return _BROKEN


def _unreadable(problem: Problem) -> Failure:
    if problem.type == _TOO_MANY_PIXELS:
        advice = f"{problem.detail} Save a smaller copy and try that one."
        return Failure(422, "This photo has too many pixels.", advice)
    reason = problem.detail or "The file may be damaged or incomplete."
    return Failure(422, "This photo can't be opened.", f"{reason} Another copy of it may work.")


def _retry_after(failure: Failure, seconds: float | None) -> Failure:
    """The failure with another time to wait, in whole seconds; as it is where that is 0 or unknown."""
    return replace(failure, retry_after=max(1, math.ceil(seconds))) if seconds else failure


def format_megabytes(size: int) -> str:
    """`10485760` → `10 MB`, on one line wherever it stands."""
    number, unit = (size / 2**20, "MB") if size >= 2**20 else (size / 2**10, "kB")
    return f"{number:.0f}\N{NO-BREAK SPACE}{unit}"

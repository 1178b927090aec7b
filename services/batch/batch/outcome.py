"""What can come of a photo: a caption, or one of the failures that have a name."""

from batch.reading import TooLargeError, UnreadableError
from photocaption import errors

CAPTIONED = "captioned"

# The API's names for what is wrong with a photo, and two for what an API does not meet.
_KINDS: dict[type[Exception], str] = {
    errors.UnsupportedImageError: "unsupported-type",
    errors.UndecodableImageError: "undecodable-image",
    errors.ImageTooLargeError: "image-too-large",
    errors.DeadlineExceededError: "deadline-exceeded",
    errors.ImageDecoderError: "not-ready",
    TooLargeError: "file-too-large",
    UnreadableError: "unreadable",
}
FAILURES = tuple(_KINDS)
OUTCOMES = (CAPTIONED, *sorted(_KINDS.values()))


def name_failure(error: Exception) -> str:
    """The name of one of `FAILURES`, as it stands in `error_type`."""
    return next(name for kind, name in _KINDS.items() if isinstance(error, kind))

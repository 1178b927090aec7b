"""Errors between the bytes of a photo and its caption, along the dataflow.

    bundle ──▶ loaded                       BundleError: at start, for the operator
    bytes ──image──▶ pixels                 UnsupportedImageError, UndecodableImageError, ImageTooLargeError,
                                            ImageDecoderError; LongDecodingError, which stays between the two
    pixels ──scheduler──▶ worker            QueueFullError, DeadlineExceededError, NotReadyError

Every message is written for the person who sent the photo (or, for a bundle, for the operator): one sentence that says
what is wrong and, where there is one, the limit that was passed. Nothing internal goes into it. The HTTP status that
belongs to each class is decided in `photocaption.api.problems`, so that the library does not know HTTP.
"""

import traceback


class CaptionError(Exception):
    """Base of all errors that this package raises on purpose; `str(error)` is fit for the public."""


class BundleError(CaptionError):
    """The bundle is missing, damaged, incomplete or of a schema this version does not read."""


class ImageError(CaptionError):
    """The bytes sent do not give an image that can be captioned."""


class UnsupportedImageError(ImageError):
    """The bytes are not of an image format on the allowlist, judged by content."""


class UndecodableImageError(ImageError):
    """The format is on the allowlist but the bytes are truncated or damaged."""


class ImageTooLargeError(ImageError):
    """The image has more pixels, or a longer side, than the limits allow; found before decoding."""


class LongDecodingError(ImageError):
    """The image takes longer to decode than `brief` allows; decoding was not begun, or was cancelled."""


class ServiceError(CaptionError):
    """The service cannot take or finish this request now; the photo may be fine."""


class QueueFullError(ServiceError):
    """As many photos wait as the queue holds."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        """`retry_after`: seconds after which a place is likely to be free."""
        super().__init__(message)
        self.retry_after = retry_after


class DeadlineExceededError(ServiceError):
    """The photo was not captioned within its deadline, counted from arrival."""


class NotReadyError(ServiceError):
    """The model is loading, or the service is draining before it stops."""


class ImageDecoderError(NotReadyError):
    """No decoding process is available, or the one with this photo was killed from outside."""


def release_frames(error: BaseException) -> None:
    """Clear the frames of an error's traceback, none of which may still run: not of an error that several requests
    share, such as the model's.

    The frames hold the bytes of a photo, and some of them the error: a reference cycle, which would be freed only by
    the garbage collector.
    """
    chained: BaseException | None = error
    while chained is not None:
        traceback.clear_frames(chained.__traceback__)
        chained = chained.__cause__ or chained.__context__

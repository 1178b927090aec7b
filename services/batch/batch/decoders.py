"""The processes that decode photos: those of the service, with its limits, for these files are no less strange."""

from photocaption.image.decode import ImageLimits
from photocaption.image.pool import DecodePool
from photocaption.serving.settings import Settings

_SETTINGS = Settings.model_construct()  # the service's as it comes, whatever the environment says
_DEADLINE_SECONDS = 300.0  # nobody waits for a photo here, and the machine may be busy

MAX_BYTES = _SETTINGS.max_body_bytes


def open_decoders(count: int) -> DecodePool:
    """`count` of them; open it with `with`."""
    limits = ImageLimits(
        max_pixels=_SETTINGS.max_pixels, max_held_pixels=_SETTINGS.max_held_pixels, max_side=_SETTINGS.max_side
    )
    return DecodePool(
        count,
        limits,
        decode_seconds=_SETTINGS.decode_seconds,
        deadline_seconds=_DEADLINE_SECONDS,
        max_bytes=MAX_BYTES,
    )

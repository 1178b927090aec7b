"""Captions as values, for tests that need one and no model."""

from photocaption.caption import Caption, ImageInfo, Timings

ONE_PIXEL = ImageInfo(width=1, height=1, format="PNG", sha256="00")


def make_caption(text: str, image: ImageInfo = ONE_PIXEL) -> Caption:
    """A caption of `text` alone."""
    return Caption(
        caption=text,
        alt_text=text,
        confidence=0.5,
        log_probability=-1.0,
        words=(),
        image=image,
        timings=Timings(decode=0.0, encode=0.0, generate=0.0),
    )

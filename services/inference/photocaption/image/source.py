"""The forms in which a library user may give a photo: a path, its bytes, or a Pillow image."""

import io
import os
from pathlib import Path

from PIL import Image, ImageOps

Photo = str | os.PathLike[str] | bytes | bytearray | memoryview | Image.Image

_WRITTEN_AS_THEY_ARE = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


def read_photo(photo: object) -> bytes:
    """The bytes of a `Photo`; those of a Pillow image are a PNG of the image as a person sees it.

    Raises OSError where a path cannot be read, and TypeError for what is no photo.
    """
    match photo:
        case bytes():
            return photo
        case bytearray() | memoryview():
            return bytes(photo)
        case str() | os.PathLike():
            return Path(photo).read_bytes()
        case Image.Image():
            return _write_png(photo)
        case _:
            msg = f"a photo is a path, bytes or a Pillow image, not {type(photo).__name__}"
            raise TypeError(msg)


def _write_png(image: Image.Image) -> bytes:
    upright = ImageOps.exif_transpose(image)
    profile = upright.info.get("icc_profile")
    if upright.mode not in _WRITTEN_AS_THEY_ARE:
        # the profile was of the other mode's colours
        upright = upright.convert("RGB")
        profile = None
    file = io.BytesIO()
    upright.save(file, "PNG", compress_level=1, icc_profile=profile)
    return file.getvalue()

"""Reads HEIC photos with libheif and libde265, rotated and cropped as the file says.

Thumbnails, depth and brightness maps are ignored. The image is reduced a few rows at a time to save memory. libheif is
loaded for the first such photo.
"""

import io
from typing import TYPE_CHECKING

from PIL import Image

from photocaption.image.colour import to_rgb

if TYPE_CHECKING:
    from pillow_heif import HeifImage

_ROWS = 256  # at a time


class HeicImage:
    """A file's primary image, not yet decoded. Raises what libheif raises."""

    def __init__(self, data: bytes) -> None:
        self._image = _open(data)
        profile = self._image.info.get("icc_profile")
        self.profile = profile if isinstance(profile, bytes) else b""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, turned and cropped as the file says."""
        return self._image.size

    def read(self, factor: int) -> Image.Image:
        """The image, shrunk by a whole factor: each pixel is the mean of a square. Raises as libheif does."""
        content = memoryview(self._image.data)
        stride = self._image.stride
        width, height = self._image.size
        shrunk = Image.new(self._image.mode, (-(-width // factor), -(-height // factor)))
        rows = max(factor, _ROWS // factor * factor)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            band = self._read_band(content[top * stride : bottom * stride], bottom - top).reduce(factor)
            if band.mode != shrunk.mode:
                shrunk = Image.new(band.mode, shrunk.size)
            shrunk.paste(band, (0, top // factor))
        return shrunk

    def _read_band(self, content: memoryview, rows: int) -> Image.Image:
        mode = self._image.mode
        (width, _) = self._image.size
        band = Image.frombytes(mode, (width, rows), content, "raw", mode, self._image.stride)
        return to_rgb(band) if mode.startswith("I;16") else band


def _open(data: bytes) -> "HeifImage":
    import pillow_heif
    from pillow_heif import options

    options.DECODE_THREADS = 1  # photos side by side keep the processor busy enough
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    file = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
    return file[file.primary_index]

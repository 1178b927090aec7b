"""Decodes files with libvips, which shares no code with the service or Pillow."""

import pyvips
from PIL import Image

MAX_PIXELS = 50_000_000


def read_by_libvips(data: bytes) -> Image.Image | None:
    """The picture as a browser shows it on white, in sRGB; None where libvips reads none, or not all of it."""
    try:
        image = pyvips.Image.new_from_buffer(data, "", fail_on="error").autorot()
        if image.width * image.height > MAX_PIXELS:
            return None
        if image.get_typeof("icc-profile-data") or image.interpretation == "cmyk":
            image = image.icc_transform("srgb", embedded=True, input_profile="cmyk")
        if image.hasalpha():
            image = image.flatten(background=[255 * 257 if image.format == "ushort" else 255])
        pixels = image.colourspace("srgb").cast("uchar").numpy()
    except pyvips.Error:
        return None
    pixels = pixels.reshape(image.height, image.width, -1)
    return Image.fromarray(pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, 0]).convert("RGB")

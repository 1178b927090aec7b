"""Generated photos: a square of one colour on a plain ground, in any size and format."""

import io

from PIL import Image, ImageDraw
from pillow_heif import register_heif_opener

from support.tiny_bundle import COLOURS

register_heif_opener()  # for saving


def make_photo(
    colour: str, *, size: tuple[int, int] = (64, 64), ground: tuple[int, int, int] | None = None
) -> Image.Image:
    """A square of a colour of `COLOURS` that fills the middle half of the picture, on `ground` (grey, or all of that
    colour when None for black and white, whose squares would not stand out)."""
    plain = COLOURS[colour] if colour in {"white", "black"} else (128, 128, 128)
    image = Image.new("RGB", size, ground or plain)
    width, height = size
    box = (width // 4, height // 4, width * 3 // 4 - 1, height * 3 // 4 - 1)
    ImageDraw.Draw(image).rectangle(box, fill=COLOURS[colour])
    return image


def encode_photo(image: Image.Image, format: str = "PNG", **options: object) -> bytes:  # noqa: A002 (Pillow's own word)
    """The bytes of a file that holds the image."""
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def photo_bytes(colour: str, format: str = "PNG", *, size: tuple[int, int] = (64, 64)) -> bytes:  # noqa: A002
    """The bytes of a photo of a coloured square."""
    return encode_photo(make_photo(colour, size=size), format)

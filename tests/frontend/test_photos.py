"""Names are only shown, types are judged by content."""

import pytest
from support.uploads import make_photo

from frontend.views.photos import Photo, clean_name


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("dog.jpg", "dog.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\dog.jpg", "dog.jpg"),
        ("", "photo"),
        (None, "photo"),
        ("..", ".."),
        ("a\x00b\nc\u202e.jpg", "abc.jpg"),
        ("x" * 500, "x" * 120),
    ],
)
def test_a_name_is_the_last_part_of_a_path_without_tricks(given: str | None, shown: str) -> None:
    assert clean_name(given) == shown


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("GIF", "image/gif"),
        ("BMP", "image/bmp"),
        ("WEBP", "image/webp"),
        ("AVIF", "image/avif"),
    ],
)
def test_the_type_is_judged_by_content(kind: str, media_type: str) -> None:
    photo = Photo("lie.txt", make_photo(kind=kind))

    assert photo.media_type == media_type
    assert str(photo.data_url).startswith(f"data:{media_type};base64,")


@pytest.mark.parametrize("data", [b"", b"<svg onload=alert(1)>", b"<html>", b"II*\x00", b"\0\0\0\x18ftypheic"])
def test_what_browsers_cannot_show_or_could_run_is_not_put_into_the_page(data: bytes) -> None:
    assert Photo("photo.jpg", data).data_url is None

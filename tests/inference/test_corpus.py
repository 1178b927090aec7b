"""`python -m corpus` says of each file of a folder whether it is read, and as others read it."""

from pathlib import Path

import corpus
import pytest
from PIL import Image
from support.libvips import read_by_libvips
from support.photos import encode_photo, photo_bytes

pytestmark = pytest.mark.slow

LINE = encode_photo(Image.linear_gradient("L").resize((200, 1)))


def test_every_file_is_counted_and_what_others_read_otherwise_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = {
        "a.png": photo_bytes("red"),
        "b.png": LINE,
        "c.png": photo_bytes("blue"),
        "d.gif": photo_bytes("red", "GIF"),
    }
    refused = {"e.txt": b"no photo", "f.jpg": photo_bytes("red", "JPEG")[:400], "g.svg": b"<svg width='9' height='9'/>"}
    (tmp_path / "more").mkdir()
    for name, data in (photos | refused).items():
        (tmp_path / "more" / name).write_bytes(data)
    monkeypatch.setattr(
        corpus, "read_by_libvips", lambda data: read_by_libvips(photos["a.png"] if data == photos["c.png"] else data)
    )
    monkeypatch.setattr(corpus, "_read_by_imagemagick", lambda _: None)

    assert corpus.main([str(tmp_path)]) == 0

    printed = capsys.readouterr().out
    assert "PNG: 3, the slowest" in printed
    assert "       2 read alike\n       1 read otherwise\n" in printed
    assert "GIF: 1, the slowest" in printed
    assert "jpg: 1, the slowest" in printed
    assert "7 files; the service had" in printed
    named = [line.partition(":")[0] for line in printed.splitlines() if line.startswith("  more")]
    assert named == ["  more/c.png", "  more/g.svg"]

"""Captions beside photos and in them: what a person wrote stays, and so does everything else of the photo."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pillow_heif
import pytest
from PIL import Image
from support.command import run_caption
from support.photos import make_photo, photo_bytes
from support.waiting import wait_for

needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="ExifTool is not installed")

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"
_ALT_TEXT = "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}AltTextAccessibility"
_WRITER = "{http://ns.adobe.com/photoshop/1.0/}CaptionWriter"
_MADE = 1.5e9


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A red square."""
    path = tmp_path / "photos" / "red.jpg"
    path.parent.mkdir()
    path.write_bytes(photo_bytes("red", "JPEG"))
    return path


def read_xmp(packet: bytes) -> dict[str, list[str]]:
    """The texts of each property, as Python's own parser sees them."""
    properties = ET.fromstring(packet.strip(b"\0")).iter(f"{_RDF}Description")
    return {element.tag: list(map(str.strip, element.itertext())) for node in properties for element in node}


def texts_of(packet: bytes, name: str) -> str:
    return "".join(read_xmp(packet).get(name, []))


# Text files


def test_a_text_stands_beside_each_photo_and_a_second_run_writes_nothing(photo: Path, tiny_bundle: Path) -> None:
    sidecar = photo.with_suffix(".txt")
    first = run_caption(photo.parent, "--sidecar", "txt", bundle=tiny_bundle)
    written = sidecar.read_text(), sidecar.stat().st_mtime_ns
    second = run_caption(photo.parent, "--sidecar", "txt", bundle=Path("no model is needed"))

    assert (first.returncode, first.stdout, first.stderr) == (0, "", "")
    assert (second.returncode, second.stdout) == (0, "")
    assert written == ("A red square.\n", sidecar.stat().st_mtime_ns)
    assert sorted(path.name for path in photo.parent.iterdir()) == ["red.jpg", "red.txt"]


def test_a_pipe_in_the_place_of_a_text_is_a_failure(photo: Path, tiny_bundle: Path) -> None:
    os.mkfifo(photo.with_suffix(".txt"))
    options = ["--sidecar", "txt", "--bundle", str(tiny_bundle)]
    command = [sys.executable, "-m", "photocaption.cli", str(photo.parent), *options]

    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (result.returncode, result.stderr) == (2, f"caption: {photo}: is not a plain file\n")


@pytest.mark.parametrize(
    ("existing", "text"),
    [
        ("skip", b"By a person, caf\xe9."),
        ("append", b"By a person, caf\xe9.\nA red square.\n"),
        ("replace", b"A red square.\n"),
    ],
)
def test_a_text_that_is_there_is_kept_unless_asked(photo: Path, tiny_bundle: Path, existing: str, text: bytes) -> None:
    sidecar = photo.with_suffix(".txt")
    sidecar.write_bytes(b"By a person, caf\xe9.")

    for _ in range(2):
        result = run_caption(photo.parent, "--sidecar", "txt", "--existing", existing, bundle=tiny_bundle)
        assert (result.returncode, sidecar.read_bytes()) == (0, text)


def test_an_unsure_caption_goes_nowhere(photo: Path, tiny_bundle: Path) -> None:
    result = run_caption(photo, "--sidecar", "txt", "--min-confidence", "1", bundle=tiny_bundle)

    assert (result.returncode, photo.with_suffix(".txt").exists()) == (0, False)
    assert "red.jpg: unsure (" in result.stderr


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--sidecar", "txt", "--output", "out"], "take the place of --output"),
        (["--write", "--format", "csv"], "take the place of --output"),
        (["--write", "--sidecar", "txt"], "not allowed with"),
        (["--sidecar", "txt", "--existing", "renew"], "nothing says whose a text is"),
        (["-", "--write"], "need files"),
    ],
)
def test_what_does_not_go_together_is_refused(
    photo: Path, tiny_bundle: Path, options: list[str], complaint: str
) -> None:
    result = run_caption(photo, *options, bundle=tiny_bundle)

    assert result.returncode == 2
    assert complaint in result.stderr


def test_without_exiftool_nothing_is_begun(photo: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    result = run_caption(photo, "--write", bundle=tiny_bundle)

    assert result.returncode == 2
    assert "need ExifTool: apt install libimage-exiftool-perl" in result.stderr


# The photo's own metadata, and XMP files


def make_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Camera & Co"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0a comment"
    exif.get_ifd(0x8825)[1] = "N"
    return exif


@needs_exiftool
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_the_photo_gets_its_caption_and_keeps_all_else(tmp_path: Path, tiny_bundle: Path, suffix: str) -> None:
    photo = tmp_path / f"caf\u00e9 $1\n'\".{suffix}"
    profile = b"a colour profile of no use" * 9
    make_photo("red").save(photo, exif=make_exif(), icc_profile=profile, dpi=(300, 300))
    os.utime(photo, (_MADE, _MADE))
    photo.chmod(0o640)
    with Image.open(photo) as before:
        before.load()

    first = run_caption(photo, "--write", bundle=tiny_bundle)
    written = photo.read_bytes()
    second = run_caption(photo, "--write", bundle=Path("no model is needed"))

    assert (first.returncode, first.stderr, second.returncode) == (0, "", 0)
    with Image.open(photo) as after:
        after.load()
    assert after.tobytes() == before.tobytes()
    assert after.info["icc_profile"] == profile
    assert {**after.getexif(), 0x010E: None} == {**before.getexif(), 0x010E: None} | new_tags(after, before)
    assert after.getexif()[0x010E] == "A red square."
    assert after.getexif().get_ifd(0x8769) == before.getexif().get_ifd(0x8769)
    assert after.getexif().get_ifd(0x8825) == before.getexif().get_ifd(0x8825)
    packet = after.info.get("xmp") or after.info["XML:com.adobe.xmp"].encode()
    assert texts_of(packet, _DESCRIPTION) == texts_of(packet, _ALT_TEXT) == "A red square."
    assert texts_of(packet, _WRITER).startswith("image-caption:tiny 0.0.1 ")
    assert (photo.stat().st_mtime, photo.stat().st_mode & 0o777) == (_MADE, 0o640)
    assert photo.read_bytes() == written
    assert [path.name for path in tmp_path.iterdir()] == [photo.name]


@needs_exiftool
@pytest.mark.parametrize("suffix", ["heic", "heif", "hif"])
@pytest.mark.parametrize("exif", [None, make_exif().tobytes()], ids=["without EXIF", "with EXIF"])
def test_a_heic_of_several_pictures_gets_its_caption_and_keeps_all_else(
    tmp_path: Path, tiny_bundle: Path, suffix: str, exif: bytes | None
) -> None:
    photo = tmp_path / f"red.{suffix}"
    pictures = pillow_heif.from_pillow(make_photo("red"))
    pictures.add_from_pillow(make_photo("blue"))
    pictures.save(photo, format="HEIF", exif=exif, icc_profile=b"a colour profile of no use" * 9, primary_index=0)
    os.utime(photo, (_MADE, _MADE))
    before = read_heic(photo)

    first = run_caption(photo, "--write", bundle=tiny_bundle)
    written = photo.read_bytes()
    second = run_caption(photo, "--write", bundle=Path("no model is needed"))

    after = read_heic(photo)
    assert (first.returncode, first.stderr, second.returncode) == (0, "", 0)
    assert [picture.to_pillow().tobytes() for picture in after] == [p.to_pillow().tobytes() for p in before]
    assert after[0].info["icc_profile"] == before[0].info["icc_profile"]
    tags = after[0].to_pillow().getexif()
    assert tags[0x010E] == "A red square."
    if exif:
        assert tags[0x010F] == "Camera & Co"
        assert tags.get_ifd(0x8769) == make_exif().get_ifd(0x8769)
        assert tags.get_ifd(0x8825) == make_exif().get_ifd(0x8825)
    assert texts_of(read_packet(photo), _DESCRIPTION) == "A red square."
    assert after[0].info["xmp"]
    assert photo.stat().st_mtime == _MADE
    assert photo.read_bytes() == written


def read_heic(photo: Path) -> list[pillow_heif.HeifImage]:
    """Its pictures, as libheif sees them, which ExifTool does not know."""
    return list(pillow_heif.open_heif(photo.read_bytes()))


@needs_exiftool
@pytest.mark.parametrize("named", ["red.jpg", "red.heic", "red"])
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_name_may_tell_another_format(tmp_path: Path, tiny_bundle: Path, named: str, format_name: str) -> None:
    photo = tmp_path / named
    photo.write_bytes(photo_bytes("red", format_name))

    assert run_caption(photo, "--write", bundle=tiny_bundle).returncode == 0
    with Image.open(photo) as image:
        assert (image.format, image.getexif()[0x010E]) == (format_name, "A red square.")


@needs_exiftool
def test_what_exiftool_takes_for_a_film_is_a_failure_and_stays_as_it_is(tmp_path: Path, tiny_bundle: Path) -> None:
    photo = tmp_path / "red.heic"
    pillow_heif.from_pillow(make_photo("red")).save(photo)
    photo.write_bytes(photo.read_bytes().replace(b"ftypheic", b"ftypmif2", 1))
    before = photo.read_bytes()

    for existing in ("skip", "replace"):
        result = run_caption(photo, "--write", "--existing", existing, bundle=tiny_bundle)
        assert result.returncode == 2
        assert "its metadata cannot be written: ExifTool takes it for a film" in result.stderr
    assert photo.read_bytes() == before


def new_tags(after: Image.Image, before: Image.Image) -> dict[int, object]:
    """What EXIF demands of every file, and was not there; and in TIFF where things are, which has moved."""
    positions = {0x8769, 0x8825, 0x0111, 0x0117, 0x8773, 0x02BC}
    required = {0x011A, 0x011B, 0x0128, 0x0213}
    tags = after.getexif()
    return {
        tag: value
        for tag, value in tags.items()
        if tag in positions or (tag in required and tag not in before.getexif())
    }


@needs_exiftool
@pytest.mark.parametrize("beside", [False, True])
def test_a_persons_description_stays_until_it_is_asked_for(photo: Path, tiny_bundle: Path, beside: bool) -> None:
    place = ["--sidecar", "xmp"] if beside else ["--write"]
    run_caption(photo, *place, bundle=tiny_bundle)
    target = photo.with_name("red.jpg.xmp") if beside else photo
    by_a_person = target.read_bytes().replace(b"A red square.", b"By a person!!")
    assert by_a_person != target.read_bytes()

    texts = {}
    for existing in ("skip", "renew", "append", "replace"):
        target.write_bytes(by_a_person)
        for _ in range(2):
            result = run_caption(photo, *place, "--existing", existing, bundle=tiny_bundle)
            assert result.returncode == 0
        texts[existing] = texts_of(read_packet(target), _DESCRIPTION)

    assert texts["skip"] == texts["renew"] == "By a person!!"
    assert texts["append"] == "By a person!! A red square."
    assert texts["replace"] == "A red square."


def read_packet(file: Path) -> bytes:
    data = file.read_bytes()
    begin, end = data.index(b"<x:xmpmeta"), data.index(b"</x:xmpmeta>")
    return data[begin:end] + b"</x:xmpmeta>"


@needs_exiftool
def test_ours_is_renewed_when_the_photo_says_something_else(photo: Path, tiny_bundle: Path) -> None:
    options = (photo, "--sidecar", "xmp", "--existing")
    sidecar = photo.with_name("red.jpg.xmp")
    run_caption(*options, "skip", bundle=tiny_bundle)
    photo.write_bytes(photo_bytes("blue", "JPEG"))

    run_caption(*options, "renew", bundle=tiny_bundle)

    assert texts_of(read_packet(sidecar), _DESCRIPTION) == "A blue square."


@needs_exiftool
def test_what_a_camera_writes_is_no_description(photo: Path, tiny_bundle: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "OLYMPUS DIGITAL CAMERA         "
    make_photo("red").save(photo, exif=exif)

    run_caption(photo, "--write", bundle=tiny_bundle)

    with Image.open(photo) as image:
        assert image.getexif()[0x010E] == "A red square."


@needs_exiftool
def test_iptc_is_written_where_it_is(photo: Path, tiny_bundle: Path) -> None:
    record = b"\x1c\x02\x69\x00\x08Headline"
    resource = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + len(record).to_bytes(4, "big") + record + b"\0"
    segment = b"\xff\xed" + (2 + len(resource)).to_bytes(2, "big") + resource
    photo.write_bytes(photo.read_bytes().replace(b"\xff\xdb", segment + b"\xff\xdb", 1))

    run_caption(photo, "--write", bundle=tiny_bundle)

    assert b"\x1c\x02\x78\x00\x0dA red square." in photo.read_bytes()
    assert record in photo.read_bytes()


@needs_exiftool
def test_a_format_that_cannot_hold_a_description_is_a_failure_and_stays_as_it_is(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    photo = tmp_path / "red.bmp"
    photo.write_bytes(photo_bytes("red", "BMP"))
    before = photo.read_bytes()

    result = run_caption(photo, "--write", bundle=tiny_bundle)

    assert (result.returncode, photo.read_bytes()) == (2, before)
    assert (
        result.stderr
        == f"caption: {photo}: its metadata cannot be written: Writing of this type of file is not supported\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["red.bmp"]


@needs_exiftool
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="only Linux ends a program with the one that started it")
def test_exiftool_ends_with_a_run_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, pathlib; from photocaption.cli.exiftool import ExifTool; tool = ExifTool();"
        "tool._run(['-ver']); print(tool._process.pid, tool.folder, flush=True); os.kill(os.getpid(), 9)"
    )

    killed = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    process, folder = killed.stdout.split()

    shutil.rmtree(folder)
    wait_for(lambda: not is_running(int(process)), lambda: "ExifTool is still there")


def is_running(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2]
    except FileNotFoundError:
        return False

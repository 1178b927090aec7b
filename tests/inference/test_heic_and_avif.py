"""HEIC and AVIF, as phones write them: the pixels that were written come out, and nothing else of the file matters."""

import contextlib
import io
import random
import struct
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
import pyvips
from PIL import Image, ImageCms
from support.hostile_images import make_boxed_seeds, mutate
from support.odd_files import avif_seen_through, box, exif_of, in_boxes
from support.photos import encode_photo
from support.profiles import profile_of_swapped_colours

from photocaption.caption import ImageProperties
from photocaption.errors import ImageError, ImageTooLargeError, UndecodableImageError, UnsupportedImageError
from photocaption.image.avif import read_avif
from photocaption.image.decode import ImageLimits, decode, find_time_factor
from photocaption.image.pool import DecodePool
from photocaption.image.worker import Target

BOTH = pytest.mark.parametrize("format_name", ["HEIF", "AVIF"])
TARGET = Target(width=32, height=32, canonical_size=24, sufficient_side=36)
WIDTH, HEIGHT = 192, 128


def make_picture() -> Image.Image:
    """Smooth, so that coding hardly changes it."""
    rows, columns, channels = np.mgrid[:HEIGHT, :WIDTH, :3]
    return Image.fromarray((64 + rows * (channels != 1) * 0.7 + columns * (channels != 2) * 0.5).astype(np.uint8))


FAST: dict[str, dict[str, Any]] = {"HEIF": {"enc_params": {"preset": "ultrafast"}}, "AVIF": {"speed": 10}}
PICTURE = make_picture()
FILES = {name: encode_photo(PICTURE, name, quality=95) for name in ("HEIF", "AVIF")}

LARGE = PICTURE.resize((WIDTH * 3, HEIGHT * 3))
LARGE_FILES = {name: encode_photo(LARGE, name, **FAST[name]) for name in FILES}


def difference(picture: Image.Image, expected: Image.Image) -> float:
    """The mean, of 255."""
    assert picture.size == expected.size
    values = [np.asarray(image.convert("RGB"), np.float64) for image in (picture, expected)]
    return float(np.abs(values[0] - values[1]).mean())


def claim_size(data: bytes, width: int, height: int) -> bytes:
    place = data.index(b"ispe") + 8
    return data[:place] + struct.pack(">II", width, height) + data[place + 8 :]


class TestPixels:
    @BOTH
    def test_they_come_out_as_they_were_written(self, format_name: str) -> None:
        picture, info = decode(FILES[format_name])

        assert difference(picture, PICTURE) < 2
        assert (info.width, info.height) == (WIDTH, HEIGHT)
        assert info.format == {"HEIF": "HEIC", "AVIF": "AVIF"}[format_name]

    def test_avif_is_what_another_reader_reads(self) -> None:
        pixels: npt.NDArray[np.uint8] = pyvips.Image.new_from_buffer(FILES["AVIF"], "").numpy()

        assert difference(decode(FILES["AVIF"])[0], Image.fromarray(pixels)) < 1

    @BOTH
    @pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
    def test_every_mode(self, format_name: str, mode: str) -> None:
        data = encode_photo(PICTURE.convert(mode), format_name, quality=95)

        assert difference(decode(data)[0], PICTURE.convert(mode)) < 2

    def test_ten_bits(self) -> None:
        grey = np.asarray(PICTURE.convert("L"), np.uint16) * 257
        data = encode_photo(Image.fromarray(grey), "HEIF", quality=95)

        for side in (None, 40):
            picture = decode(data, sufficient_side=side)[0]
            assert difference(picture, PICTURE.convert("L").reduce(WIDTH // picture.width)) < 3

    @BOTH
    def test_what_is_transparent_is_white(self, format_name: str) -> None:
        data = encode_photo(Image.new("RGBA", (64, 64), (0, 0, 0, 0)), format_name)

        assert decode(data)[0].getpixel((9, 9)) == (255, 255, 255)

    def test_tiles_as_phones_write_them(self) -> None:
        data = encode_photo(PICTURE, "HEIF", quality=95, tile_size=64)

        assert data.count(b"infe") == 7  # the grid and its tiles
        assert difference(decode(data)[0], PICTURE) < 2

    @BOTH
    @pytest.mark.parametrize("side", [20, 40, 60, 127, 128, 300])
    def test_shrinking_takes_the_mean_of_squares(self, format_name: str, side: int) -> None:
        large = LARGE_FILES[format_name]
        whole, factor = decode(large)[0], max(1, LARGE.height // side)

        assert difference(decode(large, sufficient_side=side)[0], whole.reduce(factor)) == 0

    @BOTH
    def test_colours_are_converted_by_their_profile(self, format_name: str) -> None:
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        assert decode(encode_photo(PICTURE, format_name, icc_profile=profile.tobytes()))[0]  # of no use: left alone
        narrow = encode_photo(PICTURE, "PNG", icc_profile=profile_of_swapped_colours())
        data = encode_photo(PICTURE, format_name, quality=95, icc_profile=profile_of_swapped_colours())

        assert difference(decode(narrow)[0], PICTURE) > 4
        assert difference(decode(data)[0], decode(narrow)[0]) < 3


class TestAperture:
    """What of an AVIF is meant to be seen, in whole pixels of it; HEIC's decoder takes care of that itself."""

    @pytest.mark.parametrize("side", [None, 20])
    @pytest.mark.parametrize(
        ("aperture", "seen"),
        [
            ((192, 1, 128, 1, 0, 1, 0, 1), (0, 0, 192, 128)),
            ((100, 1, 60, 1, 0, 1, 0, 1), (46, 34, 146, 94)),
            ((100, 1, 60, 1, -46, 1, 34, 1), (0, 68, 100, 128)),
            ((302, 2, 122, 2, -41, 2, 67, 2), (0, 67, 151, 128)),
        ],
    )
    def test_what_lies_outside_is_not_seen(
        self, aperture: tuple[int, ...], seen: tuple[int, int, int, int], side: int | None
    ) -> None:
        picture, info = decode(avif_seen_through(FILES["AVIF"], aperture), sufficient_side=side)
        expected = PICTURE.crop(seen)

        assert (info.width, info.height) == expected.size
        assert difference(picture, expected.reduce(max(1, min(expected.size) // (side or 999)))) < 2

    def test_another_reader_agrees(self) -> None:
        data = avif_seen_through(FILES["AVIF"], (100, 1, 60, 1, -46, 1, 34, 1))

        assert difference(decode(data)[0], Image.fromarray(pyvips.Image.new_from_buffer(data, "").numpy())) < 1

    @pytest.mark.parametrize("orientation", range(2, 9))
    def test_it_is_taken_before_the_picture_is_turned(self, orientation: int) -> None:
        turned = encode_photo(PICTURE, "AVIF", quality=95, exif=exif_of(orientation))

        picture, info = decode(avif_seen_through(turned, (100, 1, 60, 1, 0, 1, 0, 1)))
        whole = decode(turned)[0]

        across, down = (whole.width - picture.width) // 2, (whole.height - picture.height) // 2
        assert {info.width, info.height} == {100, 60}
        assert difference(picture, whole.crop((across, down, across + info.width, down + info.height))) == 0

    @pytest.mark.parametrize(
        "aperture",
        [
            (193, 1, 128, 1, 0, 1, 0, 1),
            (100, 1, 60, 1, 47, 1, 0, 1),
            (0, 1, 60, 1, 0, 1, 0, 1),
            (101, 1, 60, 1, 0, 1, 0, 1),
            (100, 3, 60, 1, 0, 1, 0, 1),
            (100, 0, 60, 1, 0, 1, 0, 1),
            (2**32 - 1, 1, 2**32 - 1, 1, -(2**31), 1, 2**31 - 1, 1),
        ],
    )
    def test_one_that_is_no_part_of_the_picture_does_not_matter(self, aperture: tuple[int, ...]) -> None:
        assert difference(decode(avif_seen_through(FILES["AVIF"], aperture))[0], PICTURE) < 2

    def test_damage_to_it_never_refuses_a_picture_nor_fails(self) -> None:
        data = avif_seen_through(FILES["AVIF"], (100, 1, 60, 1, 0, 1, 0, 1))
        begin, end = data.index(b"iprp"), data.index(b"mdat")
        for place in range(begin, end):
            for value in (0, 1, 0x7F, 0xFF):
                with contextlib.suppress(ImageError):
                    read_avif(data[:place] + bytes([value]) + data[place + 1 :])


class TestMetadata:
    def test_what_brightens_a_picture_is_not_looked_at(self) -> None:
        data = FILES["AVIF"].replace(b"miafMA1B", b"miaftmap")  # announced, and not there

        assert difference(decode(data)[0], PICTURE) < 2

    @BOTH
    def test_exif_has_no_say_in_how_a_picture_is_turned(self, format_name: str) -> None:
        data = encode_photo(PICTURE, format_name, exif=exif_of(6, tag=0x0115))  # encoders take an orientation out
        turned = data.replace(b"\x01\x15\0\3", b"\x01\x12\0\3")
        assert turned != data

        assert decode(turned)[0].size == PICTURE.size

    @BOTH
    @pytest.mark.parametrize("junk", [b"\xff", b"\0", b"II*\0"])
    def test_what_pixels_do_not_need_never_refuses_them(self, format_name: str, junk: bytes) -> None:
        exif = exif_of(6, tag=0x0115)
        data = encode_photo(PICTURE, format_name, exif=exif, xmp=b"<x:xmpmeta/>" * 9)
        exif = exif.removeprefix(b"Exif\0\0")
        broken = data.replace(exif, (junk * len(exif))[: len(exif)]).replace(b"xmpmeta", b"\xff" * 7)
        assert broken != data

        assert difference(decode(broken)[0], decode(data)[0]) == 0

    @BOTH
    def test_what_follows_a_picture_does_not_matter(self, format_name: str) -> None:
        film = box(b"mpvd", b"\xa5" * 2_000_000)

        assert difference(decode(FILES[format_name] + film)[0], PICTURE) < 2

    @BOTH
    @pytest.mark.parametrize("brand", [b"mif1", b"mif2", b"miaf"])
    def test_a_file_is_known_by_any_brand_that_names_it(self, format_name: str, brand: bytes) -> None:
        data = FILES[format_name]

        assert difference(decode(data[:8] + brand + data[12:])[0], PICTURE) < 2


class TestRefusals:
    @pytest.mark.parametrize("brand", [b"isom", b"mp42", b"qt  ", b"crx ", b"jp2 "])
    def test_films_and_raw_photos_in_boxes_are_no_pictures(self, brand: bytes) -> None:
        with pytest.raises(UnsupportedImageError, match="HEIC, AVIF"):
            decode(box(b"ftyp", brand + bytes(4) + brand) + bytes(500))

    @pytest.mark.parametrize(
        ("coding", "name"),
        [(b"av01", "AV1"), (b"vvc1", "VVC"), (b"jpeg", "JPEG"), (b"j2k1", "JPEG 2000"), (b"avc1", "AVC")],
    )
    def test_codings_that_are_not_read_are_named(self, coding: bytes, name: str) -> None:
        with pytest.raises(UnsupportedImageError, match=f"HEIC of a kind that is not read .coding {name}."):
            decode(FILES["HEIF"].replace(b"hvc1", coding))

    def test_a_film_without_a_photo_is_named(self) -> None:
        with pytest.raises(UnsupportedImageError, match="a film"):
            decode(box(b"ftyp", b"hevc" + bytes(4) + b"msf1") + box(b"moov", bytes(100)))

    @BOTH
    @pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.99])
    def test_a_picture_that_is_cut_off_is_called_damaged(self, format_name: str, share: float) -> None:
        data = FILES[format_name]

        with pytest.raises(UndecodableImageError, match="damaged or incomplete"):
            decode(data[: max(40, int(len(data) * share))])

    @pytest.mark.parametrize(("format_name", "weight"), [("HEIF", 0.5), ("AVIF", 1)])
    def test_what_has_to_be_held_is_bounded(self, format_name: str, weight: float) -> None:
        held = int(WIDTH * HEIGHT * weight)
        decode(FILES[format_name], ImageLimits(max_held_pixels=held))

        with pytest.raises(ImageTooLargeError, match=f"has {WIDTH} × {HEIGHT} pixels"):
            decode(FILES[format_name], ImageLimits(max_held_pixels=held - 1))

    @BOTH
    @pytest.mark.parametrize("size", [(20_001, 10), (16_000, 4_000), (2**31, 2**31)])
    def test_a_size_that_is_claimed_is_refused_before_anything_is_decoded(
        self, format_name: str, size: tuple[int, int]
    ) -> None:
        begun = time.process_time()

        with pytest.raises(ImageError):
            decode(claim_size(FILES[format_name], *size))

        assert time.process_time() - begun < 0.2

    def test_a_picture_much_larger_than_it_claims_is_refused(self) -> None:
        data = claim_size(encode_photo(Image.new("RGB", (640, 640)), "HEIF", quality=20), 64, 64)

        with pytest.raises(ImageError):
            decode(data)

    @pytest.mark.parametrize(
        "flood",
        [
            box(b"free") * 500_000,
            box(b"meta", bytes(4) + box(b"free") * 500_000),
            box(b"meta", bytes(4) + box(b"iinf", bytes(6) + box(b"infe", b"\2" + bytes(11)) * 500_000)),
            b"\0\0\0\1free" + bytes(8),
        ],
        ids=["boxes", "inner boxes", "items", "a box without a size"],
    )
    def test_boxes_without_end_are_refused_at_once(self, flood: bytes) -> None:
        begun = time.process_time()

        for brand in (b"heic", b"avif"):
            with pytest.raises(UndecodableImageError):
                decode(in_boxes(brand, flood))

        assert time.process_time() - begun < 0.5


def test_they_may_take_their_decoders_longer() -> None:
    assert [find_time_factor(data) for data in (*FILES.values(), encode_photo(PICTURE))] == [3, 3, 1]


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodePool]:
    limits = ImageLimits()
    with DecodePool(1, limits, decode_seconds=1, deadline_seconds=60, max_bytes=2**20) as pool:
        yield pool


@pytest.mark.slow
def test_of_ten_bits_as_many_pixels_fit_as_the_documents_say(pool: DecodePool) -> None:
    fits, too_large = (encode_ten_bits(5184, height) for height in (3888, 7500))

    assert pool.decode(fits, TARGET)[1] == ImageProperties(5184, 3888, "HEIC")
    with pytest.raises(ImageTooLargeError, match=r"40 of a HEIC \(about half with 10 bits\)"):
        pool.decode(too_large, TARGET)


def encode_ten_bits(width: int, height: int) -> bytes:
    """A HEIC as cameras write them: one image of 10 bits, with the colour of every second pixel."""
    picture = pillow_heif.from_bytes("RGB;16", (width, height), bytes(6 * width * height))
    stream = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", False)
        picture.save(stream, format="HEIF", quality=30, chroma="422", enc_params={"preset": "ultrafast"})
    return stream.getvalue()


@pytest.mark.slow
def test_mutations_are_refused_or_decoded_and_crash_nothing(pool: DecodePool) -> None:
    pool.decode(FILES["HEIF"], TARGET)
    process, chance = pool.process_ids, random.Random(0)
    seeds = make_boxed_seeds()
    for number in range(20 * len(seeds)):
        with contextlib.suppress(ImageError):
            pool.decode(mutate(seeds[number % len(seeds)], chance), TARGET)

    assert pool.process_ids == process

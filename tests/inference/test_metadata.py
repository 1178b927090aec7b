"""What pixels do not need never refuses them, and what is cut off is never taken for whole."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from support.odd_files import exif_of, jpeg_segment, png_chunk
from support.photos import encode_photo

from photocaption.errors import ImageError, UndecodableImageError, UnsupportedImageError
from photocaption.image.decode import decode

FILLER = b"\xa5" * 400


def make_picture(width: int = 60, height: int = 40) -> Image.Image:
    rows, columns, channels = np.mgrid[:height, :width, :3]
    return Image.fromarray(((rows * 3 + columns * 2 + channels * 70) % 256).astype(np.uint8))


PICTURE = make_picture()
JPEG = encode_photo(PICTURE, "JPEG", quality=95)
PROGRESSIVE = encode_photo(PICTURE, "JPEG", quality=95, progressive=True)
RESTARTED = encode_photo(PICTURE, "JPEG", quality=95, restart_marker_rows=1)
PNG = encode_photo(PICTURE, "PNG")


def exif_pointing_to(place: int) -> bytes:
    """EXIF metadata with an orientation, whose directories below are at an offset, in filler."""
    tags = [(0x0112, 3, 1, 1 << 16), (0x8769, 4, 1, place), (0x8825, 4, 1, place), (0xA005, 4, 1, place)]
    entries = b"".join(struct.pack(">HHII", *tag) for tag in tags)
    return b"Exif\0\0" + struct.pack(">2sHIH", b"MM", 42, 8, len(tags)) + entries + bytes(4) + FILLER


class TestJpeg:
    @pytest.mark.parametrize(
        "segment",
        [
            jpeg_segment(0xE1, exif_pointing_to(100)),
            jpeg_segment(0xE1, exif_pointing_to(2**32 - 1)),
            jpeg_segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x20" + FILLER),
            jpeg_segment(0xE1, b"Exif\0\0"),
            jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<broken"),
            jpeg_segment(0xE0, b"JFIF\0"),
            jpeg_segment(0xE0, b"JFXX"),
            jpeg_segment(0xE2, b"ICC_PROFILE\0"),
            jpeg_segment(0xE2, b"ICC_PROFILE\0\x02\x09" + FILLER),
            jpeg_segment(0xE2, b"MPF\0" + FILLER),
            jpeg_segment(0xE2, b"FPXR\0"),
            jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\x04"),
            jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed\x00\x00\x00\x00\x00\x01\x00"),
            jpeg_segment(0xEE, b"Adobe"),
            jpeg_segment(0xEE, b"Adobe\0\x64\0\0"),
            jpeg_segment(0xFE, b"\xff" * 50),
        ],
    )
    @pytest.mark.parametrize("jpeg", [JPEG, JPEG[:2] + JPEG[20:]], ids=["with density", "without density"])
    def test_broken_segments_do_not_matter(self, jpeg: bytes, segment: bytes) -> None:
        assert decode(jpeg[:2] + segment + jpeg[2:])[0].tobytes() == Image.open(io.BytesIO(JPEG)).tobytes()

    @pytest.mark.parametrize("cut", [1, 2])
    @pytest.mark.parametrize("jpeg", [JPEG, PROGRESSIVE, RESTARTED], ids=["baseline", "progressive", "restarts"])
    @pytest.mark.parametrize("side", [None, 20])
    def test_a_missing_end_does_not_matter(self, jpeg: bytes, cut: int, side: int | None) -> None:
        whole, cut_off = decode(jpeg, sufficient_side=side)[0], decode(jpeg[:-cut], sufficient_side=side)[0]

        assert cut_off.tobytes() == whole.tobytes()

    @pytest.mark.parametrize("side", [None, 100])
    def test_the_last_square_may_lack_something(self, side: int | None) -> None:
        jpeg = encode_photo(make_picture(640, 480), "JPEG", quality=95)
        whole = np.asarray(decode(jpeg, sufficient_side=side)[0], np.int16)

        cut_off = np.asarray(decode(jpeg[:-7], sufficient_side=side)[0], np.int16)

        assert ((cut_off != whole).any(axis=2)).sum() * 1000 <= whole.size // 3
        with pytest.raises(UndecodableImageError):
            decode(jpeg[:-300], sufficient_side=side)

    @pytest.mark.parametrize("jpeg", [JPEG, RESTARTED], ids=["baseline", "restarts"])
    def test_a_picture_that_lacks_pixels_is_refused_wherever_it_was_cut(self, jpeg: bytes) -> None:
        scan = jpeg.index(b"\xff\xda")
        whole = decode(jpeg)[0].tobytes()

        refused = 0
        for length in range(scan, len(jpeg) - 2):
            try:
                assert decode(jpeg[:length])[0].tobytes() == whole  # only bits that fill the last byte were cut off
            except UndecodableImageError:
                refused += 1

        assert refused > len(jpeg) - scan - 6

    @pytest.mark.parametrize(
        ("frame", "bits", "channels", "name"),
        [
            (0xC1, 12, 3, "12 bits a colour"),
            (0xC3, 8, 3, "lossless"),
            (0xC5, 8, 3, "hierarchical"),
            (0xC9, 8, 3, "arithmetic"),
            (0xCA, 8, 3, "arithmetic"),
            (0xC0, 8, 2, "2 channels"),
        ],
    )
    def test_kinds_that_are_not_read_are_named(self, frame: int, bits: int, channels: int, name: str) -> None:
        begin = JPEG.index(b"\xff\xc0")
        head = bytes([0xFF, frame]) + JPEG[begin + 2 : begin + 4] + bytes([bits])
        jpeg = JPEG[:begin] + head + JPEG[begin + 5 : begin + 9] + bytes([channels]) + JPEG[begin + 10 :]

        with pytest.raises(UnsupportedImageError, match=name):
            decode(jpeg)


class TestPng:
    @pytest.mark.parametrize(
        "chunk",
        [
            png_chunk(b"pHYs", bytes(9))[:-4] + b"oops",
            png_chunk(b"pHYs", b"\0"),
            png_chunk(b"sRGB"),
            png_chunk(b"gAMA", b"\0"),
            png_chunk(b"cHRM", b"\0\1\2"),
            png_chunk(b"iCCP", b"broken"),
            png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(20_000_000))),
            png_chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(3_000_000))),
            png_chunk(b"zTXt", b"a\0\0not compressed"),
            png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(90_000_000))),
            png_chunk(b"tEXt", b"x" * 70_000),
            png_chunk(b"tEXt", b"\0" * 5) * 1000,
            png_chunk(b"tRNS", b"\0"),
            png_chunk(b"tRNS", bytes(6))[:-4] + b"oops",
            png_chunk(b"eXIf", b"MM\0*\0\0\0\x09" + FILLER),
            png_chunk(b"acTL", b"\0"),
            png_chunk(b"fcTL", b"\0"),
            png_chunk(b"PLTE", b"\0")[:-4] + b"oops",
            png_chunk(b"unKn", FILLER)[:-4] + b"oops",
        ],
        ids=lambda chunk: chunk[4:8].decode(),
    )
    def test_broken_chunks_do_not_matter(self, chunk: bytes) -> None:
        assert decode(PNG[:33] + chunk + PNG[33:])[0].tobytes() == PICTURE.tobytes()

    def test_a_missing_end_does_not_matter(self) -> None:
        assert decode(PNG[:-12])[0].tobytes() == PICTURE.tobytes()

    @pytest.mark.parametrize("length", [10, 33, 50, 200])
    def test_a_picture_that_lacks_pixels_is_refused(self, length: int) -> None:
        with pytest.raises(UndecodableImageError):
            decode(PNG[:length])

    def test_a_header_or_palette_with_a_wrong_checksum_is_refused(self) -> None:
        palette = encode_photo(PICTURE.convert("P"))
        place = palette.index(b"PLTE") + 4

        for data in (PNG[:29] + b"oops" + PNG[33:], palette[:place] + b"\1\2\3" + palette[place + 3 :]):
            with pytest.raises(ImageError):
                decode(data)

    def test_transparency_that_is_sound_counts(self) -> None:
        photo = PICTURE.convert("P", palette=Image.Palette.ADAPTIVE)
        data = encode_photo(photo, transparency=bytes(photo.getpalette() or b"")[:10])

        assert decode(data)[0].tobytes() != decode(encode_photo(photo))[0].tobytes()


class TestGif:
    @pytest.mark.parametrize("background", [0, 5])
    @pytest.mark.parametrize("version", [b"GIF87a", b"GIF89a"])
    @pytest.mark.parametrize("place", [(0, 0), (7, 9), (80, 70)])
    def test_what_lies_outside_the_first_frame_is_white(
        self, background: int, version: bytes, place: tuple[int, int]
    ) -> None:
        photo = PICTURE.convert("P", palette=Image.Palette.ADAPTIVE)
        gif = encode_photo(photo, "GIF")
        frame = gif.index(b"\x2c\0\0\0\0")
        screen = struct.pack("<HHBB", 100, 90, gif[10], background)
        data = version + screen + gif[12:frame] + b"," + struct.pack("<HH", *place) + gif[frame + 5 :]
        seen = Image.new("RGB", (max(100, place[0] + 60), max(90, place[1] + 40)), "white")
        seen.paste(photo.convert("RGB"), place)

        image, info = decode(data)

        assert (info.width, info.height) == image.size == seen.size
        assert image.tobytes() == seen.tobytes()


class TestWebp:
    def test_broken_metadata_does_not_matter(self) -> None:
        data = encode_photo(
            PICTURE, "WEBP", lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\x09" + FILLER, icc_profile=FILLER
        )

        assert decode(data)[0].tobytes() == PICTURE.tobytes()

    def test_the_orientation_counts(self) -> None:
        data = encode_photo(PICTURE, "WEBP", lossless=True, exif=exif_of(6))

        assert decode(data)[0].tobytes() == PICTURE.transpose(Image.Transpose.ROTATE_270).tobytes()


@pytest.mark.parametrize(
    ("masks", "bits", "compression", "name"),
    [
        ((0xFF, 0x0F00, 0xF000), 32, 3, "bitfields"),
        ((0, 0, 0), 24, 5, "compression"),
        ((0, 0, 0), 64, 0, "pixel depth"),
    ],
)
def test_kinds_of_bmp_that_are_not_read_are_named(
    masks: tuple[int, int, int], bits: int, compression: int, name: str
) -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, bits, compression, 0, 0, 0, 0, 0) + struct.pack("<3I", *masks)
    data = b"BM" + struct.pack("<IHHI", 66 + 512, 0, 0, 66) + header + bytes(512)

    with pytest.raises(UnsupportedImageError, match=name):
        decode(data)


@pytest.mark.parametrize("idat_bytes", [64, 10**6])
def test_a_png_that_lacks_pixels_is_damaged(idat_bytes: int) -> None:
    """Cut within its only chunk of pixels, or between two of them."""
    noise = Image.frombytes("RGB", (64, 64), np.random.default_rng(1).bytes(64 * 64 * 3))
    stream = io.BytesIO()
    noise.save(stream, "PNG")
    whole = stream.getvalue()
    begin = whole.index(b"IDAT") - 4
    (length,) = struct.unpack_from(">I", whole, begin)
    pixels = whole[begin + 8 : begin + 8 + length]
    chunks = [png_chunk(b"IDAT", pixels[at : at + idat_bytes]) for at in range(0, length, idat_bytes)]
    cut = whole[:begin] + (b"".join(chunks[:-1]) if len(chunks) > 1 else chunks[0][: length // 2])

    with pytest.raises(UndecodableImageError):
        decode(cut)

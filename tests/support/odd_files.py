"""Builds files that no camera writes: floods of segments, chunks, blocks and tags, and pictures that lie about their
size."""

import io
import struct
import zlib

from PIL import Image

from support.photos import encode_photo


def png_chunk(kind: bytes, content: bytes = b"") -> bytes:
    """A chunk of a PNG file with a correct checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims a size and whose data does not have it."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"\0" * 100)) + png_chunk(b"IEND")


def png_flooded(chunks: int) -> bytes:
    """A PNG with that many empty chunks that nobody knows."""
    png = encode_photo(Image.new("RGB", (8, 8)))
    return png[:33] + png_chunk(b"abCd") * chunks + png[33:]


def png_beginning_with(*chunks: bytes) -> bytes:
    """A PNG with these chunks before its pixels."""
    png = encode_photo(Image.new("RGB", (8, 4)))
    return png[:33] + b"".join(chunks) + png[33:]


def webp_ending_with(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP with these chunks, a kind and an even number of bytes each, behind its pixels."""
    webp = encode_photo(Image.new("RGB", (8, 4)), "WEBP", exif=exif_of(1))
    webp = webp[: webp.index(b"EXIF")] + b"".join(kind + struct.pack("<I", len(data)) + data for kind, data in chunks)
    return webp[:4] + struct.pack("<I", len(webp) - 8) + webp[8:]


def tiff_in_one_tile(side: int, *, seen: int) -> bytes:
    """A TIFF of `seen` pixels a side in a tile that has `side` of them, all black."""
    tile = zlib.compress(bytes(side * side), 9)
    tags = ((256, seen), (257, seen), (258, 8), (259, 8), (262, 1), (277, 1), (322, side), (323, side))
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in (*tags, (324, 8), (325, len(tile)))]
    head = struct.pack("<2sHI", b"II", 42, 8 + len(tile)) + tile
    return head + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)


def bmp_in_short_runs(width: int, height: int) -> bytes:
    """A grey BMP, run-length coded in runs of one pixel."""
    pixels = (b"\1\x80" * width + b"\0\0") * height + b"\0\1"
    palette = b"".join(bytes([value, value, value, 0]) for value in range(256))
    begin = 54 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", begin + len(pixels), 0, 0, begin)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(pixels), 0, 0, 256, 0) + palette + pixels


def jpeg_flooded(segments: int, segment: bytes = b"\xff\xfe\x00\x02") -> bytes:
    """A JPEG with that many empty comments, or other segments, after its first segment."""
    jpeg = encode_photo(Image.new("RGB", (8, 8)), "JPEG")
    return jpeg[:20] + segment * segments + jpeg[20:]


def jpeg_marked(picture: Image.Image, *marks: bytes, keep_rgb: bool) -> bytes:
    """A JPEG in red, green and blue or in YCbCr, with other marks, segments of their own, of which of the two it is."""
    jpeg = encode_photo(picture, "JPEG", keep_rgb=keep_rgb)
    (size,) = struct.unpack(">H", jpeg[4:6])
    return jpeg[:2] + b"".join(marks) + jpeg[4 + size :]


def jpeg_segment(kind: int, content: bytes) -> bytes:
    """A segment of a JPEG file."""
    return struct.pack(">BBH", 0xFF, kind, 2 + len(content)) + content


def jpeg_scanned_again(times: int, size: tuple[int, int] = (1000, 1000)) -> bytes:
    """A progressive JPEG that repeats its last scan, each time going through the whole picture in a few bytes."""
    jpeg = encode_photo(Image.new("L", size, 128), "JPEG", progressive=True)
    return jpeg[:-2] + jpeg[jpeg.rfind(b"\xff\xda") : -2] * times + b"\xff\xd9"


def gif_flooded(blocks: int) -> bytes:
    """A GIF with that many empty comments before its picture."""
    gif = encode_photo(Image.new("L", (8, 8)), "GIF")
    header_size = 13 + 3 * (2 << (gif[10] & 7))
    return gif[:header_size] + b"!\xfe\x00" * blocks + gif[header_size:]


def tiff_flooded(tags: int, *, big: bool = False) -> bytes:
    """A TIFF, or BigTIFF, whose only directory has that many tags."""
    entry, count, start = ("<HHQ8s", "<Q", struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16)) if big else (
        "<HHI4s", "<H", struct.pack("<2sHI", b"II", 42, 8)
    )  # fmt: skip
    entries = b"".join(struct.pack(entry, 300 + tag % 60_000, 3, 1, b"\0") for tag in range(tags))
    return start + struct.pack(count, tags) + entries + bytes(8)


def exif_flooded(tags: int) -> bytes:
    """A JPEG without a density, for which decoders look in its EXIF metadata, which has that many tags."""
    jpeg = encode_photo(Image.new("RGB", (8, 8)), "JPEG")
    exif = b"Exif\0\0" + tiff_flooded(tags)
    pieces = [exif[begin : begin + 60_000].removeprefix(b"Exif\0\0") for begin in range(0, len(exif), 60_000)]
    segments = [jpeg_segment(0xE1, b"Exif\0\0" + piece) for piece in pieces]
    return jpeg[:2] + b"".join(segments) + jpeg[20:]


def exif_of(orientation: int, tag: int = 0x0112) -> bytes:
    """EXIF metadata that gives an orientation, or another number."""
    exif = Image.Exif()
    exif[tag] = orientation
    return exif.tobytes()


def box(kind: bytes, content: bytes = b"") -> bytes:
    """A box of a HEIC or AVIF file."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


def in_boxes(brand: bytes, content: bytes) -> bytes:
    """What begins like a HEIC or AVIF file."""
    return box(b"ftyp", brand + bytes(4) + b"mif1" + brand) + content


def animation(format_name: str, colours: list[str]) -> bytes:
    """A picture with a frame of each colour."""
    first, *others = [Image.new("RGB", (16, 16), colour) for colour in colours]
    stream = io.BytesIO()
    first.save(stream, format_name, save_all=True, append_images=others, duration=100)
    return stream.getvalue()


def avif_seen_through(avif: bytes, aperture: tuple[int, ...]) -> bytes:
    """An AVIF of one picture with a clean aperture: the numerators and denominators of its size and of its offsets."""
    clean = box(b"clap", struct.pack(">IIIIiIiI", *aperture))
    meta, ipco, ipma, iloc = (avif.index(kind) - 4 for kind in (b"meta", b"ipco", b"ipma", b"iloc"))
    end = ipco + int.from_bytes(avif[ipco : ipco + 4])
    properties = avif[ipco:end]
    kinds = []
    place = 8
    while place < len(properties):
        kinds.append(properties[place + 4 : place + 8])
        place += int.from_bytes(properties[place : place + 4])
    number = bytes([0x80 | (len(kinds) + 1)])  # essential
    association = ipma + 19 + avif[ipma + 18]
    grown = bytearray(avif)
    grown[association:association] = number
    grown[ipma + 18] += 1
    grown[end:end] = clean
    _grow(grown, ipma + len(clean), 1)
    _grow(grown, ipco, len(clean))
    _grow(grown, avif.index(b"iprp") - 4, len(clean) + 1)
    _grow(grown, meta, len(clean) + 1)
    _grow(grown, iloc + 22, len(clean) + 1)  # the only offset
    return bytes(grown)


def _grow(data: bytearray, place: int, more: int) -> None:
    struct.pack_into(">I", data, place, more + int.from_bytes(data[place : place + 4]))

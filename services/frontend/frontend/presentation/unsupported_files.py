"""Advice for files that are not photos of an accepted format, by their kind."""

_HEIC = (
    "It looks like HEIC, as iPhones take photos. Save it as JPEG: open it in a photo program and export it, or set the \
phone to Settings, Camera, Formats, Most Compatible."
)
_AVIF = "It looks like AVIF. Open it in a browser or a photo program, and save it as JPEG or PNG."
_VIDEO = "It looks like a video. Take a screenshot of the moment that you mean, and send that."
_PDF = "It looks like a PDF. Take a screenshot of the photo in it, or export the page as JPEG or PNG."
_DRAWING = "It looks like an SVG drawing. Export it as PNG."
_ARCHIVE = "It looks like an archive or an office document. Take the photos out of it, and send those."
_TEXT = "It looks like text."

_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"), _HEIC),
    **dict.fromkeys((b"avif", b"avis"), _AVIF),
}
_TEXT_BYTES = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0D} | frozenset(range(0x80, 0x100))


def advise(data: bytes) -> str:
    """What bytes that are no photo look like and what to do with them; empty where they look like nothing known."""
    start = data[:512]
    if start[4:8] == b"ftyp":
        return _BRANDS.get(start[8:12], _VIDEO)
    if start.startswith(b"%PDF"):
        return _PDF
    if start.startswith(b"PK\x03\x04"):
        return _ARCHIVE
    if b"<svg" in start:
        return _DRAWING
    return _TEXT if start and _TEXT_BYTES.issuperset(start) else ""

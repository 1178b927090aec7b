"""The first directory of a TIFF structure: counted before anybody believes it, and asked for the orientation."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.odd_files import exif_of, tiff_flooded

from inference.image.exif import count_tags, read_orientation


def nested(order: str, *, below: int) -> bytes:
    """A directory with one tag, which leads to another directory of `below` tags."""
    start = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8)
    first = struct.pack(f"{order}HHHII", 1, 0x8769, 4, 1, 30) + bytes(8)
    return start + first[: 30 - len(start)].ljust(30 - len(start), b"\0") + struct.pack(f"{order}H", below)


@pytest.mark.parametrize("tags", [0, 1, 100, 5000])
@pytest.mark.parametrize("big", [False, True])
def test_the_tags_that_a_directory_claims_are_counted(tags: int, big: bool) -> None:
    assert count_tags(tiff_flooded(tags, big=big)) == tags


@pytest.mark.parametrize("order", "<>")
def test_the_tags_of_directories_below_count_too(order: str) -> None:
    assert count_tags(nested(order, below=3000)) == 3001


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_found(orientation: int) -> None:
    assert read_orientation(exif_of(orientation).removeprefix(b"Exif\0\0")) == orientation


@given(data=st.binary(max_size=100), start=st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"]))
def test_junk_is_never_an_error(data: bytes, start: bytes) -> None:
    assert count_tags(start + data) >= 0
    assert read_orientation(start + data) >= 1

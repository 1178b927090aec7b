"""The first directory of a TIFF structure: counted before anybody believes it, and asked for the orientation."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.odd_files import exif_of, tiff_flooded

from photocaption.image.exif import count_tags, read_orientation


def first_directory(order: str, *, claimed: int, tag: bytes = bytes(12)) -> bytes:
    """A directory that claims so many tags and has one."""
    return struct.pack(f"{order}2sHIH", {"<": b"II", ">": b"MM"}[order], 42, 8, claimed) + tag + bytes(4)


@pytest.mark.parametrize("tags", [0, 1, 100, 5000])
@pytest.mark.parametrize("big", [False, True])
def test_the_tags_that_a_directory_claims_are_counted(tags: int, big: bool) -> None:
    assert count_tags(tiff_flooded(tags, big=big)) == tags


@pytest.mark.parametrize("order", "<>")
def test_no_more_tags_are_believed_than_fit_into_the_data(order: str) -> None:
    assert count_tags(first_directory(order, claimed=60_000)) == 1


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("kind", "code"), [(1, "B3x"), (3, "H2x"), (4, "I"), (6, "b3x"), (8, "h2x"), (9, "i")])
def test_an_orientation_counts_in_any_size_of_number(order: str, kind: int, code: str) -> None:
    data = first_directory(order, claimed=1, tag=struct.pack(f"{order}HHI{code}", 0x0112, kind, 1, 6))

    assert read_orientation(data) == 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_found(orientation: int) -> None:
    assert read_orientation(exif_of(orientation).removeprefix(b"Exif\0\0")) == orientation


@given(data=st.binary(max_size=100), start=st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"]))
def test_junk_is_never_an_error(data: bytes, start: bytes) -> None:
    assert 0 <= count_tags(start + data) <= len(start + data) // 12
    assert read_orientation(start + data) in range(1, 9)

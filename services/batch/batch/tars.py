"""The photos in a tar of samples, as WebDataset has them: parts of a sample lie together and share a name up to a dot.

    000001.jpg 000001.json │ 000002.jpg 000002.json │ …

A tar says nowhere what is in it: its headers are read from one to the next. Where it ends too early, or the parts of a
sample lie apart, which says that somebody mixed two of them up, the photos concerned are listed with what is wrong.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import BinaryIO

from batch.listing import File
from batch.photo import Photo, make_id
from batch.storage import open_ahead

_CUT = "The archive ends before the photo does."
_CUT_BETWEEN = "The archive ends without a mark of its end: what came after is lost."
_APART = "The parts of the sample do not lie together."


def list_samples(file: File, suffixes: frozenset[str]) -> Iterator[Photo]:
    """The photos of a tar, by the suffixes of their names, in order. Raises OSError and tarfile.TarError."""
    photos: list[tuple[str, Photo]] = []
    apart: set[str] = set()
    done: set[str] = set()
    last = ""
    with open_ahead(file.uri) as stream, tarfile.open(fileobj=stream, mode="r:", errors="backslashreplace") as tar:
        for member in _read_members(tar, file):
            key = _key(member.name)
            if key != last:
                done.add(last)
                apart.update({key} & done)
                last = key
            if PurePosixPath(member.name).suffix.lower() in suffixes:
                photos.append((key, _describe(file, member)))
        whole = _has_end(stream, tar, file)
    yield from (replace(photo, fault=_APART) if key in apart else photo for key, photo in photos)
    if not whole and not (photos and photos[-1][1].fault == _CUT):
        yield Photo(make_id(file.uri, file.size), file.uri, "tar", file.uri, fault=_CUT_BETWEEN)


def _read_members(tar: tarfile.TarFile, file: File) -> Iterator[tarfile.TarInfo]:
    """The plain files; the last of a tar that is cut may be less than it says."""
    while True:
        try:
            member = tar.next()
        except tarfile.ReadError:
            return
        if member is None:
            return
        if member.isreg() and not member.issparse():
            yield member
        if member.offset_data + member.size > file.size:
            return


def _key(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    return folder + slash + base.partition(".")[0]


def _describe(file: File, member: tarfile.TarInfo) -> Photo:
    uri = f"{file.uri}#{member.name}"
    cut = member.offset_data + member.size > file.size
    name = make_id(uri, member.size, member.mtime)
    return Photo(name, uri, "tar", file.uri, member.offset_data, member.size, _CUT if cut else None)


def _has_end(stream: BinaryIO, tar: tarfile.TarFile, file: File) -> bool:
    if tar.offset >= file.size:
        return False
    stream.seek(tar.offset)
    return stream.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)

"""Writes TIFF files by hand, so that the values in them are known without any program that reads them."""

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]

_CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}


def tiff_of(
    values: Values,
    photometric: int,
    *,
    order: str = "<",
    bits: int | None = None,
    planar: bool = False,
    deflated: bool = False,
    rows_per_strip: int = 7,
    tags: dict[int, tuple[int, list[int]]] | None = None,
    big: bool = False,
) -> bytes:
    """A TIFF of `values` [height, width, channels], whose type gives the size and format of a value.

    `bits`: of a value, where that is less than its type has; `tags`: further tags, as kind and numbers; `big`: a
    BigTIFF, with offsets of 64 bits.
    """
    height, width, channels = values.shape
    size = bits or values.dtype.itemsize * 8
    sample_format = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    strips = _cut(
        values.astype(np.dtype(order + values.dtype.str[1:])),
        size,
        planar,
        rows_per_strip,
    )
    if deflated:
        strips = [zlib.compress(strip) for strip in strips]
    entries: dict[int, tuple[int, list[int]]] = {
        256: (3, [width]), 257: (3, [height]), 258: (3, [size] * channels), 259: (3, [8 if deflated else 1]),
        262: (3, [photometric]), 273: (4, [0] * len(strips)), 277: (3, [channels]), 278: (3, [rows_per_strip]),
        279: (4, [len(strip) for strip in strips]), 284: (3, [2 if planar else 1]),
        339: (3, [sample_format] * channels),
        **(tags or {}),
    }  # fmt: skip
    return _assemble(order, entries, strips, big=big)


def _cut(values: Values, bits: int, planar: bool, rows: int) -> list[bytes]:
    planes = [values[:, :, [channel]] for channel in range(values.shape[2])] if planar else [values]
    return [
        b"".join(_pack(row, bits) for row in plane[top : top + rows])
        for plane in planes
        for top in range(0, plane.shape[0], rows)
    ]


def _pack(row: Values, bits: int) -> bytes:
    """A row of values, each row beginning with a byte of its own."""
    if bits >= 8 and bits == row.dtype.itemsize * 8:
        return row.tobytes()
    text = "".join(f"{value:0{bits}b}" for value in row.ravel().tolist())
    text += "0" * (-len(text) % 8)
    return bytes(int(text[begin : begin + 8], 2) for begin in range(0, len(text), 8))


def _assemble(order: str, entries: dict[int, tuple[int, list[int]]], strips: list[bytes], *, big: bool) -> bytes:
    offset, count, size = ("Q", "Q", 8) if big else ("I", "H", 4)
    data = struct.pack(order + "2sH", b"II" if order == "<" else b"MM", 43 if big else 42)
    data += struct.pack(order + "HH", 8, 0) * big + bytes(size)
    offsets = []
    for strip in strips:
        offsets.append(len(data))
        data += strip + bytes(len(strip) % 2)
    entries[273] = (16 if big else 4, offsets)
    directory = b""
    for tag, (kind, numbers) in sorted(entries.items()):
        content = struct.pack(f"{order}{len(numbers)}{_CODES[kind]}", *numbers)
        if len(content) > size:
            data, content = data + content + bytes(len(content) % 2), struct.pack(order + offset, len(data))
        directory += struct.pack(order + "HH" + offset, tag, kind, len(numbers)) + content.ljust(size, b"\0")
    directory = struct.pack(order + count, len(entries)) + directory + bytes(size)
    head = 8 if big else 4
    return data[:head] + struct.pack(order + offset, len(data)) + data[head + size :] + directory

"""Finds out whether an ONNX file keeps weights in other files, which ONNX Runtime would read from wherever they are.

Walks through the Protocol Buffers of an ONNX model as far as tensors can be: https://github.com/onnx/onnx, onnx.proto.
"""

from collections.abc import Iterator

_VARINT = 0
_FIXED64 = 1
_BYTES = 2
_FIXED32 = 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}
_TENSOR = "tensor"
# By message: which fields hold messages with tensors in them.
_INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: _TENSOR, 6: "graph", 10: _TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: _TENSOR, 2: _TENSOR},
}
_EXTERNAL_DATA = 13
_DATA_LOCATION = 14


def has_external_data(model: bytes) -> bool:
    """Whether any tensor of a serialised model says that its data is elsewhere. Raises ValueError for what is none."""
    waiting = [("model", memoryview(model))]
    while waiting:
        kind, message = waiting.pop()
        for number, content in _walk_fields(message):
            if kind == _TENSOR:
                if number in (_EXTERNAL_DATA, _DATA_LOCATION):  # where it is here, nobody writes that it is
                    return True
            elif number in _INSIDE[kind] and content is not None:
                waiting.append((_INSIDE[kind][number], content))
    return False


def _walk_fields(message: memoryview) -> Iterator[tuple[int, memoryview | None]]:
    """Number and, where it has bytes, content of each field."""
    position = 0
    while position < len(message):
        tag, position = _read_varint(message, position)
        number = tag >> 3
        kind = tag & 7
        if kind == _BYTES:
            size, position = _read_varint(message, position)
            yield number, message[position : position + size]
        elif kind == _VARINT:
            size = 0
            _, position = _read_varint(message, position)
            yield number, None
        else:
            size = _SIZES.get(kind, len(message))
            yield number, None
        position += size
        if position > len(message):
            raise ValueError("a field that does not end, or of no known kind")


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # the last one
            return value & 0xFFFFFFFFFFFFFFFF, position
    raise ValueError("a number that does not end")

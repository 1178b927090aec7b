"""`python -m support.misbehaving_decoder`: the process that decodes, with decoders that do what the file says."""

import os
import sys
import time

from PIL import Image

from photocaption.caption import ImageProperties
from photocaption.image import decode, worker
from photocaption.image.decode import ImageLimits
from support.photos import photo_bytes

_decode = decode.decode
_LIMITS = ImageLimits()


def _misbehave(
    data: bytes, limits: ImageLimits = _LIMITS, *, sufficient_side: int | None = None, brief: bool = False
) -> tuple[Image.Image, ImageProperties]:
    if data == b"run away":
        while True:
            sum(range(10**9))  # in C, where Python's own handlers of signals are not called
    if data == b"sleep":
        time.sleep(60)
    if data == b"crash":
        os.abort()
    if data == b"swallow memory":
        bytearray(2**34)
    if data == b"leave":
        os._exit(3)
    if data == b"talk":
        os.write(sys.stderr.fileno(), b"a warning of a library in C\n")
        data = photo_bytes("red")
    return _decode(data, limits, sufficient_side=sufficient_side, brief=brief)


if __name__ == "__main__":
    decode.decode = _misbehave
    worker.main()

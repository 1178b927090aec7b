"""`python -m photocaption.image.worker`: decodes photos for `image.pool`, which starts it, and may kill it.

    request ──socket──▶ check, decode, resize ──socket──▶ pixels, or what is wrong with the photo

It imports only Pillow, holds one photo at a time, and ends when its socket is closed. The kernel enforces the limits,
because Python cannot interrupt a decoder written in C: a timer's signal ends the process after too much processor time,
and the address space is limited. It writes no files, and messages of C libraries about files are discarded.
"""

import dataclasses
import json
import os
import resource
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from photocaption.errors import ImageError, ImageTooLargeError
from photocaption.image import decode
from photocaption.image.decode import ImageLimits
from photocaption.image.ipc import receive, send
from photocaption.image.resize import resize

TOO_SLOW_SIGNAL = signal.SIGPROF

_BRIEF_SHARE = 0.25  # of the time that a photo may take: what brief work may, twice as long as such photos do

_STATM = Path("/proc/self/statm")  # the size of the address space, in pages, comes first


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Limits of decoding a photo: `image`, of its size; `decode_seconds`, of processor time; `memory`, in bytes beside
    the program's own.
    """

    image: ImageLimits
    decode_seconds: float
    memory: int

    def dump(self) -> str:
        """As JSON, for the command line of the process."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def parse(cls, text: str) -> "DecodeLimits":
        """The limits that `dump` wrote."""
        fields = json.loads(text)
        return cls(ImageLimits(**fields["image"]), fields["decode_seconds"], fields["memory"])


@dataclass(frozen=True, slots=True)
class Target:
    """The size to decode a photo for: see `resize.InputSpec`, and `sufficient_side` and `brief` of `decode.decode`."""

    width: int
    height: int
    canonical_size: int | None
    sufficient_side: int
    brief: bool = False


def main() -> None:
    """Serve the socket that the first argument names, under the limits of the second."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    limits = DecodeLimits.parse(sys.argv[2])
    # Signals to the process group are for the service, which still needs its decoders while it drains.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    _limit(limits.memory)
    send(connection, {}, b"")  # ready
    while (request := receive(connection)) is not None:
        fields, data = request
        _answer(connection, data, Target(**fields), limits)


def _limit(memory: int) -> None:
    if _STATM.exists():
        address_space = int(_STATM.read_text(encoding="ascii").split()[0]) * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(connection: socket.socket, data: bytes, target: Target, limits: DecodeLimits) -> None:
    share = _BRIEF_SHARE if target.brief else decode.find_time_factor(data)
    signal.setitimer(signal.ITIMER_PROF, limits.decode_seconds * share)
    try:
        image, info = decode.decode(data, limits.image, sufficient_side=target.sufficient_side, brief=target.brief)
        resized = resize(image, target)
    except ImageError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
        content = b""
    except MemoryError:
        answer = {"error": ImageTooLargeError.__name__, "message": "The photo takes too much memory."}
        content = b""
    else:
        answer = dataclasses.asdict(info)
        content = resized.tobytes()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    send(connection, answer, content)


if __name__ == "__main__":
    main()

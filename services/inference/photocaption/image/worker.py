"""`python -m photocaption.image.worker`: decodes photos for `image.pool`, which starts it, and may kill it.

    request ──socket──▶ check, decode, resize ──socket──▶ pixels, or what is wrong with the photo

It imports Pillow and nothing else, holds one photo at a time, and ends when its socket does. What a photo may
cost is set here and kept by the kernel, for a decoder written in C does not listen to Python: processor time by a timer
whose signal ends the process, memory by a limit on the address space. It writes no files, and says nothing: what C
libraries think of a stranger's file goes nowhere.
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

_STATM = Path("/proc/self/statm")  # the size of the address space, in pages, comes first


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a photo may be and cost: its `limits`, `seconds` of processor time, `memory` in bytes beside the program."""

    limits: ImageLimits
    seconds: float
    memory: int

    def dump(self) -> str:
        """As a program's argument."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def parse(cls, text: str) -> "Allowance":
        """What `dump` made."""
        fields = json.loads(text)
        return cls(ImageLimits(**fields["limits"]), fields["seconds"], fields["memory"])


@dataclass(frozen=True, slots=True)
class Target:
    """What a photo is decoded for: see `resize.InputSpec`, and `sufficient_side` and `brief` of `decode.decode`."""

    width: int
    height: int
    canonical_size: int | None
    sufficient_side: int
    brief: bool = False


def main() -> None:
    """Serve the socket that the first argument names, under the allowance of the second."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    allowance = Allowance.parse(sys.argv[2])
    # Signals to the group are for the service, which still needs us while it drains.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    _limit(allowance.memory)
    send(connection, {}, b"")  # ready
    while (request := receive(connection)) is not None:
        fields, data = request
        _answer(connection, data, Target(**fields), allowance)


def _limit(memory: int) -> None:
    if _STATM.exists():
        address_space = int(_STATM.read_text(encoding="ascii").split()[0]) * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(connection: socket.socket, data: bytes, target: Target, allowance: Allowance) -> None:
    signal.setitimer(signal.ITIMER_PROF, allowance.seconds * decode.get_patience(data))
    try:
        picture, info = decode.decode(
            data, allowance.limits, sufficient_side=target.sufficient_side, brief=target.brief
        )
        resized = resize(picture, target)
    except ImageError as error:
        answer, content = {"error": type(error).__name__, "message": str(error)}, b""
    except MemoryError:
        answer, content = {"error": ImageTooLargeError.__name__, "message": "The picture takes too much memory."}, b""
    else:
        answer, content = dataclasses.asdict(info), resized.tobytes()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    send(connection, answer, content)


if __name__ == "__main__":
    main()

"""Reads and writes metadata of files with the program ExifTool.

It is started once and gets its commands over a pipe. It works on copies in a folder of its own, so that it never sees
the names of photos.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Self

from photocaption.cli.destination import DestinationError

_READY = b"{ready1}\n"
# Without it, ExifTool would outlive a run that is killed.
_KILL_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")


class ExifTool:
    """One process and its folder, for one thread at a time."""

    def __init__(self) -> None:
        program = shutil.which("exiftool")
        if program is None:
            msg = "--write and --sidecar xmp need ExifTool: apt install libimage-exiftool-perl, or https://exiftool.org"
            raise DestinationError(msg)
        guard = _KILL_WITH_PARENT if shutil.which(_KILL_WITH_PARENT[0]) else ()
        self.folder = Path(tempfile.mkdtemp(prefix="caption-"))
        self._process = subprocess.Popen(  # noqa: S603
            [*guard, program, "-config", "", "-stay_open", "True", "-@", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    @property
    def alive(self) -> bool:
        """Whether the process is still running."""
        return self._process.poll() is None

    def close(self) -> None:
        """Kill the process and remove its folder."""
        self._process.kill()
        self._process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def read(self, file: Path, tags: Sequence[str]) -> dict[str, str]:
        """The values of these tags in a file of its folder, by their groups and names. Raises OSError."""
        answer = self._run(["-q", "-q", "-j", "-G1", *(f"-{tag}" for tag in tags), str(file)])
        try:
            (values,) = json.loads(answer or "[{}]", parse_int=str, parse_float=str)  # texts of digits come as numbers
        except ValueError:
            raise OSError(None, f"its metadata cannot be read: {_find_error(answer)}", str(file)) from None
        return {name: str(value) for name, value in values.items()}

    def write(self, file: Path, values: Mapping[str, str]) -> None:
        """Set these tags in a file of its folder, and make it if need be; tags that its format lacks are left out.
        Raises OSError."""
        texts = [f"-{tag}={escape(value, quote=False).replace(chr(10), '&#xa;')}" for tag, value in values.items()]
        answer = self._run(["-E", "-m", "-overwrite_original", *texts, str(file)])
        if b"1 image files updated" not in answer and b"1 image files created" not in answer:
            raise OSError(None, f"its metadata cannot be written: {_find_error(answer)}", str(file))

    def _run(self, arguments: Sequence[str]) -> bytes:
        """Its answer. Raises OSError where it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n".join([*arguments, "-execute1\n"]).encode())
        self._process.stdin.flush()
        lines: list[bytes] = []
        while (line := self._process.stdout.readline()) != _READY:
            if not line:
                raise OSError(None, "ExifTool has ended", "exiftool")
            lines.append(line)
        return b"".join(lines)


class ExifTools:
    """As many processes as threads use at the same time. Open it with `with`."""

    def __init__(self) -> None:
        self._free: SimpleQueue[ExifTool] = SimpleQueue()
        self._all: list[ExifTool] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for tool in self._all:
            tool.close()

    @contextmanager
    def take(self) -> Iterator[ExifTool]:
        """A process for exclusive use until the block ends. Raises DestinationError where it is not installed."""
        try:
            tool = self._free.get_nowait()
        except Empty:
            tool = ExifTool()
            self._all.append(tool)
        try:
            yield tool
        finally:
            if tool.alive:
                self._free.put(tool)


def _find_error(answer: bytes) -> str:
    """Its error message, without the name of the copy."""
    message = answer.decode(errors="replace").partition("Error: ")[2].partition(" - ")[0]
    return message.strip() or "ExifTool does not say why"

"""Runs the program `caption` within the test's own process, which is faster than to start one."""

import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from photocaption.cli import main


def run_caption(*arguments: str | Path, bundle: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """What the program with this bundle and input ends with and says."""
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    with (
        mock.patch.dict("os.environ", CAPTION_BUNDLE=str(bundle)),
        mock.patch.multiple(sys, stdin=io.TextIOWrapper(io.BytesIO(stdin)), stdout=output, stderr=errors),
    ):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:  # as argparse does
            status = int(end.code or 0)
        return subprocess.CompletedProcess(arguments, status, _read(output), _read(errors))


def _read(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return os.fsdecode(bytes(stream.buffer.read()))

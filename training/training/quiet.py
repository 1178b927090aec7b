"""Keeps off the terminal what libraries write to the standard error about themselves, and have no setting for."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# What TensorFlow logs before TF_CPP_MIN_LOG_LEVEL counts, and that there is no GPU.
_START = r"/^WARNING: All log messages before absl::InitializeLog/d; /^I0000 /d; /failed call to cuInit/d"


@contextmanager
def sift_errors(noise: str) -> Iterator[None]:
    """Send what is written to the standard error through sed with the commands `noise`, also what programs write that
    are started meanwhile. It is shown at the end, also where this process does not live until then.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with subprocess.Popen(  # noqa: S603
        ["sed", noise],  # noqa: S607  # wherever this system has it
        stdin=subprocess.PIPE,
        stdout=terminal,
    ) as sieve:
        assert sieve.stdin is not None
        os.dup2(sieve.stdin.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)


def start_keras() -> None:
    """Import Keras, which imports its backend and looks for devices."""
    with sift_errors(_START):
        import keras

        keras.distribution.list_devices()

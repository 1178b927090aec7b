"""Tries a bundle in a process of its own before it replaces one that serves: loading it may never end.

    python -m photocaption.serving.rehearsal BUNDLE RUNTIME SECONDS

The process captions a photo within the given seconds. It is the first that the system kills when memory gets short.
"""

import contextlib
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

from photocaption.captioner import Captioner
from photocaption.errors import BundleError, CaptionError
from photocaption.serving.service import grey_photo
from photocaption.serving.settings import Settings, variable_name

_OOM_SCORE = Path("/proc/self/oom_score_adj")


def rehearse(settings: Settings) -> None:
    """Raise BundleError unless the bundle of the settings can be loaded and used, in the time that that may take."""
    bundle = str(settings.bundle)
    seconds = math.ceil(settings.load_seconds)
    command = [sys.executable, "-m", "photocaption.serving.rehearsal", bundle, settings.runtime, str(seconds)]
    environment = {**os.environ, variable_name("engine"): settings.engine}
    done = subprocess.run(  # noqa: S603  # our own program
        command, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode == -signal.SIGALRM:
        raise BundleError(f"{bundle}: was not loaded and tried within {seconds} seconds")
    if done.returncode:
        *_, reason = done.stderr.strip().splitlines() or [f"cannot be used (exit code {done.returncode})"]
        raise BundleError(reason)


def main(bundle: str, runtime: str, seconds: str) -> int:
    """Load the bundle and caption a photo; returns the exit code."""
    signal.alarm(int(seconds))  # ends it also in the middle of a library's code, and without a service that waits
    with contextlib.suppress(OSError):
        _OOM_SCORE.write_text("1000", encoding="ascii")
    try:
        Captioner.load(Path(bundle), runtime="tensorflow" if runtime == "tensorflow" else "onnx").caption(grey_photo())
    except CaptionError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

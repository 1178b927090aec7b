"""What libraries write about themselves stays off the terminal, and nothing else does."""

import os
import subprocess
import sys

import pytest

from training.evaluation.metrics import tokenise_for_scoring
from training.progress import filter_stderr


def test_noise_is_taken_out_and_the_rest_comes_through(capfd: pytest.CaptureFixture[str]) -> None:
    with filter_stderr("/^noise/d"):
        subprocess.run(["sh", "-c", "echo noise of a program >&2; echo a warning >&2"], check=True)
        os.write(2, b"noise of ours\n")
    os.write(2, b"noise that comes later\n")

    assert capfd.readouterr().err == "a warning\nnoise that comes later\n"


def test_last_words_come_through() -> None:
    code = "import os\nfrom training.progress import filter_stderr\nwith filter_stderr('/^noise/d'):\n"
    code += "    os.write(2, b'noise\\nno such instruction')\n    os.abort()"

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ended.stderr == "no such instruction"


def test_the_tokeniser_keeps_its_speed_to_itself(capfd: pytest.CaptureFixture[str]) -> None:
    assert tokenise_for_scoring({"dog": ["A dog runs."]}) == {"dog": ["a dog runs"]}

    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_keras_starts_in_silence() -> None:
    code = "import training.cli\nfrom training.progress import start_keras\nstart_keras()\nimport keras\n"
    code += "keras.ops.ones(1) + 1"

    started = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert started.stderr == ""

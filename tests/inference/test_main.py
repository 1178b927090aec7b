"""`python -m photocaption`: starts that fail say why in one line, with an exit code."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.service_process import ServiceProcess

pytestmark = pytest.mark.slow


def last_words(service: ServiceProcess) -> tuple[int, str]:
    """The exit code, and the one line for the operator."""
    code = service.wait()
    assert len(service.errors) == 1, service.errors
    return code, service.errors[0]


def test_a_wrong_setting_is_named(tiny_bundle: Path) -> None:
    service = ServiceProcess(tiny_bundle, queue_size="many")

    code, line = last_words(service)

    assert code == 2
    assert line.startswith("photocaption: CAPTION_QUEUE_SIZE: ")


@pytest.mark.parametrize("module", ["photocaption", "frontend"])
def test_arguments_are_refused_instead_of_ignored(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert done.stderr.startswith(f"{module}: takes no arguments")
    assert done.stderr.count("\n") == 1


def test_a_missing_bundle_is_named(tmp_path: Path) -> None:
    code, line = last_words(ServiceProcess(tmp_path / "nowhere"))

    assert code == 1
    assert "nowhere" in line


def test_a_flipped_bit_in_the_bundle_is_refused_with_the_file_s_name(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "flipped")
    encoder = bundle / "encoder.onnx"
    content = bytearray(encoder.read_bytes())
    content[len(content) // 2] ^= 1
    encoder.write_bytes(content)

    code, line = last_words(ServiceProcess(bundle))

    assert code == 1
    assert "encoder.onnx" in line


def test_an_address_in_use_is_named(tiny_bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = last_words(ServiceProcess(tiny_bundle, port=port))

    assert code == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in line


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread's memory does not come from this limit")
def test_too_few_threads_are_named(tiny_bundle: Path) -> None:
    environment = os.environ | {
        "CAPTION_BUNDLE": str(tiny_bundle),
        "CAPTION_PORT": "0",
        "CAPTION_THREADS": "64",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    little = (
        'ulimit -s 1048576 && ulimit -v 33554432 && exec "$0" -m photocaption'  # some 30 threads of a gigabyte each
    )

    done = subprocess.run(
        ["sh", "-c", little, sys.executable], env=environment, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 1
    assert "encoder.onnx: wants 64 threads, more than" in done.stderr
    assert done.stderr.count("\n") == 1


def test_everything_logged_is_json(tiny_bundle: Path) -> None:
    with ServiceProcess(tiny_bundle) as service:
        service.wait_until_ready()
        service.terminate()
        assert service.wait() == 0

    messages = [json.loads(line)["message"] for line in service.log]
    assert messages == ["listening", "ready", "draining"]
    assert service.errors == []

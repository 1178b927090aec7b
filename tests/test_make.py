"""What a newcomer meets first: the messages of `make` and of `make run`, before anything is installed or started."""

import importlib.util
import json
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "tools" / "run.py"


def _make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def _run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RUN), "--inference", "/nowhere/python", "--frontend", "/nowhere/python"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def run_program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_program", RUN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("target", ["train", "end-to-end", "evaluate", "report"])
def test_a_missing_dataset_is_said_before_anything_is_installed(target: str, tmp_path: Path) -> None:
    made = _make(target, f"VENVS={tmp_path}/venv")

    assert made.returncode != 0
    assert f"make {target} DATASET=" in made.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_missing_place_for_the_bundle_is_said_too() -> None:
    assert "OUT=artifacts/mine" in _make("train", "DATASET=photos").stderr


@pytest.mark.parametrize("target", ["end-to-end", "evaluate", "report"])
def test_several_datasets_are_several_options_and_a_folder_may_have_blanks(target: str, tmp_path: Path) -> None:
    (tmp_path / "my photos").mkdir()

    words = ["-n", target, "OUT=made", f"VENVS={tmp_path}/venv"]
    several = _make(*words, f"DATASET={tmp_path}/one {tmp_path}/two").stdout
    one = _make(*words, f"DATASET={tmp_path}/my photos").stdout

    assert f'--dataset "{tmp_path}/one" --dataset "{tmp_path}/two" ' in several
    assert f'--dataset "{tmp_path}/my photos" ' in one


def test_a_batch_run_says_what_it_lacks_before_anything_is_installed(tmp_path: Path) -> None:
    without_input = _make("batch", f"VENVS={tmp_path}/venv")
    without_output = _make("batch", "INPUT=my photos", f"VENVS={tmp_path}/venv")

    assert "make batch INPUT=path/to/photos OUTPUT=captions" in without_input.stderr
    assert 'make batch INPUT="my photos" OUTPUT=captions' in without_output.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def used_clone(tmp_path: Path) -> Path:
    """A clone in which every target has left something."""
    for made in (
        ".venv/dev", ".mypy_cache", ".cache/weights", "runs/first", "dist", "tools/__pycache__", "tests/__pycache__",
        "services/inference/photocaption.egg-info", "services/frontend", "services/batch", "training",
        "artifacts/mine",
    ):  # fmt: skip
        (tmp_path / made).mkdir(parents=True)
    return tmp_path


def _clean(target: str, clone: Path) -> tuple[str, set[str]]:
    """What `make` says, and the folders that it leaves, but for those that a clone has."""
    made = subprocess.run(
        ["make", "-f", str(ROOT / "Makefile"), target],
        cwd=clone,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    folders = {str(path.relative_to(clone)) for path in clone.rglob("*") if not any(path.iterdir())}
    packages = {"services/inference", "services/frontend", "services/batch", "training"}
    return made.stdout, folders - packages - {"tests", "tools"}


def test_clean_says_what_it_leaves_and_what_removes_that(used_clone: Path) -> None:
    said, left = _clean("clean", used_clone)

    assert left == {".cache/weights", "runs/first", "artifacts/mine"}
    assert "left .cache: " in said
    assert "left runs: " in said
    assert "make clean-all removes them too" in said


def test_clean_all_leaves_only_bundles(used_clone: Path) -> None:
    _, left = _clean("clean-all", used_clone)

    assert left == {"artifacts/mine"}


def test_an_old_python_is_told_what_to_do(tmp_path: Path) -> None:
    old = tmp_path / "python3.10"
    old.write_text("#!/bin/sh\n[ $1 = --version ] && echo Python 3.10.12\nexit 1\n")
    old.chmod(0o755)

    made = _make("run", f"PYTHON={old}", f"VENVS={tmp_path}/venv")

    assert made.returncode != 0
    assert "needs Python 3.11 or newer" in made.stdout
    assert "Python 3.10.12: PYTHON=python3.12 make run" in made.stdout
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("taken", ["CAPTION_PORT", "FRONTEND_PORT"])
def test_a_port_that_is_taken_is_named_with_its_setting_and_nothing_is_started(taken: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, socket.create_server(("127.0.0.1", 0)) as spare:
        free = spare.getsockname()[1]
        spare.close()
        ports = {"CAPTION_PORT": str(free), "FRONTEND_PORT": str(free + 1), taken: str(other.getsockname()[1])}
        ran = _run(ports)

    assert ran.returncode == 1
    assert ran.stdout == ""
    assert f"port {ports[taken]}, for " in ran.stderr
    assert f"{taken}={int(ports[taken]) + 1} make run" in ran.stderr


def test_what_is_no_port_is_named() -> None:
    assert "FRONTEND_PORT is 'http', but must be a port" in _run({"FRONTEND_PORT": "http"}).stderr


def test_a_request_is_one_short_line_for_a_person(run_program: ModuleType) -> None:
    entry = {
        "time": "2026-01-02T03:04:05.678+00:00", "level": "info", "message": "request", "method": "POST",
        "path": "/caption", "status": 200, "duration_ms": 83.4,
    }  # fmt: skip

    line = run_program.shorten("API", json.dumps(entry))

    assert line.endswith("04:05  API   POST /caption  200  83 ms")
    assert run_program.shorten("API", json.dumps(entry | {"path": "/health/live"})) is None


def test_a_terminal_is_shown_nothing_that_it_would_obey(
    run_program: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {
        "time": "2026-01-02T03:04:05.678+00:00", "level": "info", "message": "request", "method": "GET",
        "path": "/\x1b]0;a\x07\r\x9b2J\u202e\xe4", "status": 404, "duration_ms": 1,
    }  # fmt: skip

    run_program._relay("page", [json.dumps(entry), "\x1b[2J\n", "Traceback\n\tin a line\n"])

    shown = capsys.readouterr().out
    assert "GET /\\x1b]0;a\\x07\\r\\x9b2J\\u202e\xe4  404" in shown
    assert shown.endswith("\n\\x1b[2J\nTraceback\n\tin a line\n")


def test_warnings_and_what_is_no_json_are_shown_and_other_news_is_not(run_program: ModuleType) -> None:
    entry = {"time": "2026-01-02T03:04:05.678+00:00", "level": "warning", "message": "no spans are sent"}

    assert run_program.shorten("page", json.dumps(entry)).endswith("page  warning: no spans are sent")
    assert run_program.shorten("page", json.dumps(entry | {"level": "info"})) is None
    assert run_program.shorten("page", "Traceback\n") == "Traceback"

"""One stack for all tests of docker-compose.yml, from images built here; what they measured is printed at the end.

They change this machine (images, containers) and take minutes, so they run only when asked for: `make test-compose`.
"""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.compose import ROOT, Stack, run_stack
from support.container_engine import find_compose_commands, has_engine, weigh_image
from support.photos import photo_bytes
from support.report import Report
from support.stand_ins import PROMETHEUS, PROXY, PYTHON, provide_image
from support.tiny_bundle import write_tiny_bundle
from support.waiting import wait_for

_REPORT = pytest.StashKey[Report]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_REPORT] = Report()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash[_REPORT].summarise()
    if lines:
        terminalreporter.section("docker compose")
    for line in lines:
        terminalreporter.line(line)


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Report:
    """What people are to read at the end."""
    return pytestconfig.stash[_REPORT]


@pytest.fixture(scope="session")
def compose_commands() -> list[list[str]]:
    """Every compose on this machine; skips where the tests were not asked for."""
    if not os.environ.get("TEST_COMPOSE"):
        pytest.skip("builds images and starts containers: run `make test-compose`")
    assert has_engine(), "no container engine answers: see tests/e2e/compose/start_engine.sh"
    commands = find_compose_commands()
    assert commands, "there is an engine, but neither `docker compose` nor `docker-compose`"
    return commands


@pytest.fixture(scope="session")
def stack(
    compose_commands: list[list[str]], tmp_path_factory: pytest.TempPathFactory, report: Report
) -> Iterator[Stack]:
    """The stack, up and ready. Tests may scale it and replace its bundle; they leave it ready."""
    for tag in (PYTHON, PROXY, PROMETHEUS):
        provide_image(tag, tmp_path_factory.mktemp("stand-in"))
    artifacts = tmp_path_factory.mktemp("artifacts")
    _put_bundle(artifacts / "default")
    with run_stack(compose_commands[0], artifacts, project="caption-test", CAPTION_THREADS="1") as stack:
        start = time.monotonic()
        stack.compose("build")
        report.note(f"both images built in {time.monotonic() - start:.0f} s")
        for name in ("caption-inference", "caption-frontend"):
            size = weigh_image(name)
            report.note(f"image {name}: {size} MB, {size - weigh_image(PYTHON)} MB of it ours")
        start = time.monotonic()
        stack.compose("up", "--detach", "--no-build")
        wait_for(stack.is_ready, lambda: stack.compose("logs"))
        report.note(f"time to ready, from `up`: {time.monotonic() - start:.1f} s")
        stack.wait_until_healthy()
        model = stack.caption(photo_bytes("red"))["model"]
        report.note(f"bundle: {model['name']}, {_size(artifacts) / 1e6:.0f} MB")
        yield stack


def _put_bundle(target: Path) -> None:
    """The bundle that is served out of the box where there is one, else the tiny one; readable for every user."""
    real = ROOT / "artifacts" / "default"
    if real.exists():
        shutil.copytree(real, target)
    else:
        write_tiny_bundle(target)
    for path in (target.parent, target):
        path.chmod(0o755)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

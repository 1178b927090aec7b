"""Fixtures of all tests, and how two processes share tests: by file, the longest first, alone to measure time."""

import fcntl
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # slow to import, and many tests need none of them
    from playwright.sync_api import Browser
    from support.service_process import ServiceProcess

    from photocaption.captioner import Captioner

_LONGEST = ("compose", "test_pipeline.py")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle on disk, shared: for reading only."""
    from support.tiny_bundle import write_tiny_bundle

    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def captioner(tiny_bundle: Path) -> "Captioner":
    """The captioner of the tiny bundle."""
    from photocaption.captioner import Captioner

    return Captioner.load(tiny_bundle, threads=1)


@pytest.fixture(scope="module")
def service(tiny_bundle: Path) -> Iterator["ServiceProcess"]:
    """A service with the tiny bundle and the defaults of the settings, for all tests of a file."""
    from support.service_process import run_service

    with run_service(tiny_bundle) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """A browser for each file of tests, gone before others run: its event loop is the thread's while it is there."""
    from support.browser import launch_chromium

    with launch_chromium() as browser:
        yield browser


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests run on the loop that serves."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    ranks: dict[Path, int] = {}
    for item in items:
        ranks[item.path] = min(_rank(item), ranks.get(item.path, 3))
    items.sort(key=lambda item: ranks[item.path])


def _rank(item: pytest.Item) -> int:
    order = (any(name in item.path.parts for name in _LONGEST), "slow" in item.keywords, "browser" in item.keywords)
    return [*order, True].index(True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:  # noqa: ANN401 - xdist is untyped
    """Keep a file in one process, and all that share the stack of docker-compose.yml."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):  # type: ignore[misc]  # xdist is untyped
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return "compose" if "e2e/compose/" in path else path

    return Files(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a test that is marked `alone` wait for the one of the other process, and that process for it."""
    with ExitStack() as files:
        if hasattr(item.config, "workerinput"):  # there are several processes
            folder = item.config._tmp_path_factory.getbasetemp().parent  # type: ignore[attr-defined]
            queue, room = (files.enter_context((folder / name).open("w")) for name in ("queue", "room"))
            _wait_for_room(queue, room, alone=item.get_closest_marker("alone") is not None)
        return (yield)


def _wait_for_room(queue: IO[str], room: IO[str], *, alone: bool) -> None:
    """Lock `room`, until it is closed, for this process alone or together with others."""
    fcntl.flock(queue, fcntl.LOCK_EX)  # so that whoever waits for an empty room is not overtaken
    fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    fcntl.flock(queue, fcntl.LOCK_UN)

"""How two processes share the tests: by files, the longest first, and one at a time where a test measures time."""

import fcntl
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest

_ROOT = Path(__file__).parent
_COSTLY = "small_encoder"  # a fixture that only one process is to make


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep each file in one process, and begin with what takes longest."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    costly = {item.path for item in items if _COSTLY in getattr(item, "fixturenames", ())}
    ranks: dict[Path, int] = {}
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item, costly)))
        ranks[item.path] = min(_rank(item, costly), ranks.get(item.path, 9))
    items.sort(key=lambda item: ranks[item.path])


def _group(item: pytest.Item, costly: set[Path]) -> str:
    name = item.path.relative_to(_ROOT).as_posix()
    return "compose" if name.startswith("e2e/compose/") else _COSTLY if item.path in costly else name


def _rank(item: pytest.Item, costly: set[Path]) -> int:
    order = ("compose" in item.path.parts, item.path in costly, "slow" in item.keywords, "browser" in item.keywords)
    return [*order, True].index(True)


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

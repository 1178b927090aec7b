"""Threads are counted by what the process may use, not by what the machine has."""

import os
import threading
from pathlib import Path

import pytest

from photocaption.model.cpu import count_cores, may_start_threads

NOWHERE = Path("/nonexistent")


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def test_without_a_quota_the_affinity_counts() -> None:
    assert count_cores(cgroup_v2=NOWHERE, cgroup_v1=NOWHERE) == 8


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("50000 100000", 1),
        ("1600000 100000", 8),
        ("max 100000", 8),
        ("", 8),
        ("nonsense", 8),
        ("100000 0", 8),
    ],
)
def test_a_quota_of_cgroup_v2_counts(tmp_path: Path, text: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(text)

    assert count_cores(cgroup_v2=tmp_path / "cpu.max", cgroup_v1=NOWHERE) == cores


@pytest.mark.parametrize(("quota", "cores"), [("250000", 3), ("-1", 8), ("", 8)])
def test_a_quota_of_cgroup_v1_counts(tmp_path: Path, quota: str, cores: int) -> None:
    (tmp_path / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu.cfs_period_us").write_text("100000")

    assert count_cores(cgroup_v2=NOWHERE, cgroup_v1=tmp_path) == cores


def test_threads_that_are_tried_are_gone_afterwards() -> None:
    before = threading.active_count()

    assert may_start_threads(20)

    assert threading.active_count() == before


def test_one_thread_too_many_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()
    begin, left = threading.Thread.start, iter(range(5))

    def start(thread: threading.Thread) -> None:
        if next(left, None) is None:
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)

    assert not may_start_threads(6)
    assert threading.active_count() == before

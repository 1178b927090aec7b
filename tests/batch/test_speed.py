"""What `make batch-speed` makes of the times of files, and what a run changes in Ray to be as fast."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from batch_speed import fit_rate

from batch import storage
from batch.decoders import MAX_BYTES


@pytest.mark.parametrize("lag", [0.0, 0.4, 1.0])
def test_a_rate_does_not_depend_on_how_far_one_of_two_actors_is_behind_the_other(lag: float) -> None:
    times = sorted([*range(10), *(second + lag for second in range(10))])

    assert fit_rate(times, [50] * 20) == pytest.approx(100, rel=0.02)


def test_a_rate_counts_the_photos_of_each_file() -> None:
    assert fit_rate([0.0, 1.0, 3.0], [70, 20, 40]) == pytest.approx(20)


def test_ray_data_has_the_wait_that_a_run_makes_longer() -> None:
    from ray.data._internal.execution import streaming_executor_state

    from batch import pipeline

    assert 0 < streaming_executor_state.WAIT_FOR_TASK_COMPLETION_TIMEOUT_S <= pipeline._LOOK_SECONDS


def test_ray_data_hears_of_the_end_of_a_unit_at_its_next_look() -> None:
    code = """
from batch import pipeline
from ray.data._internal.execution.metadata_fetcher import InlineMetadataFetcher, make_metadata_fetcher
raise SystemExit(not isinstance(make_metadata_fetcher(), InlineMetadataFetcher))
"""

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_photo_takes_memory_for_what_it_is_not_for_what_it_may_be(tmp_path: Path) -> None:
    (tmp_path / "dog.jpg").write_bytes(bytes(1000))
    tracemalloc.start()
    try:
        data = storage.read(str(tmp_path / "dog.jpg"), MAX_BYTES)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert data == bytes(1000)
    assert peak < MAX_BYTES / 10


@pytest.mark.parametrize(("most", "read"), [(1001, 1000), (1000, 1000), (999, 1000), (500, 501)])
def test_of_a_photo_that_is_too_large_one_byte_too_many_is_read(tmp_path: Path, most: int, read: int) -> None:
    (tmp_path / "dog.jpg").write_bytes(bytes(1000))

    assert len(storage.read(str(tmp_path / "dog.jpg"), most)) == read


def test_a_file_whose_size_is_not_known_is_read_to_its_end() -> None:
    assert len(storage.read("/proc/cpuinfo", MAX_BYTES)) > 1


@pytest.mark.parametrize(("before", "after"), [(os.SCHED_OTHER, os.SCHED_BATCH), (os.SCHED_IDLE, os.SCHED_IDLE)])
def test_what_a_run_starts_ends_its_turns_unless_it_was_to_give_way_to_everything(before: int, after: int) -> None:
    code = f"""
import os
os.sched_setscheduler(0, {before}, os.sched_param(0))
from batch import pipeline
pipeline.ray.init = pipeline.ray.shutdown = lambda **_: None
pipeline._start_here(dashboard=False)
raise SystemExit(os.sched_getscheduler(0))
"""

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == after

"""What `make batch-speed` makes of the times of files, and what a run changes in Ray to be as fast."""

import os
import subprocess
import sys

import pytest
from batch_speed import fit_rate


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

"""What `make batch-speed` makes of the times of files, and what a run changes in Ray to be as fast."""

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

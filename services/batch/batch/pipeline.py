"""The only module that knows Ray: starts it or joins it, and has Ray Data hand out the units to actors.

What goes through Ray are numbers: of a unit to an actor, and of what came of its photos back. Photos and rows go
straight between the actors and the storage, so that Ray's object store stays empty, whatever there is to do.
"""

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told that it runs
# By a thread of its own, Ray Data hears of a unit's end one look later, and an actor may wait for its next unit.
os.environ.setdefault("RAY_DATA_METADATA_PREFETCH_ON_THREAD", "0")

import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.data._internal.execution import streaming_executor_state
from ray.exceptions import RayError

from batch.errors import BatchError, RunError
from batch.unit import UNIT, Task, UnitActor, read_outcomes
from photocaption.errors import CaptionError
from photocaption.model.cpu import count_cores

_OBJECT_STORE_BYTES = 100 * 2**20
_STARTS = 3
_AHEAD = 2  # units that an actor has been given, so that it never waits for the next
# Ray Data looks ten times a second whether there is something to hand out, though an actor has its next unit already.
_LOOK_SECONDS = 1.0
# What Ray tells its dashboard about itself, and its reading of logs that nobody is shown: beside two actors that
# caption, 1 % of their cores.
_UNTOLD = {"enable_metrics_collection": False, "event_stats": False, "task_events_report_interval_ms": 0}
_RARELY = {
    "LOG_NAME_UPDATE_INTERVAL_S": "3600",
    "RAY_LOG_MONITOR_MANY_FILES_THRESHOLD": "0",
    "REPORTER_UPDATE_INTERVAL_MS": "3600000",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Ray, as it was found: `cpus` of all its nodes."""

    cpus: int


@contextlib.contextmanager
def open_ray(address: str | None, *, dashboard: bool) -> Iterator[Cluster]:
    """Join the cluster at `address`, or start Ray on this machine, for nobody else, and end it. Raises RunError."""
    _be_quiet()
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            _start_here(dashboard=dashboard)
        yield Cluster(int(ray.cluster_resources().get("CPU", 0)))
    except (ConnectionError, RayError) as error:
        raise RunError(f"Ray: {_first_line(error)}") from error
    finally:
        ray.shutdown()


def do_units(task: Task, units: int, actors: int) -> Iterator[dict[str, int]]:
    """Have as many as `actors` do the units, in any order; back come the outcomes of each, counted.

    Raises BatchError and CaptionError as an actor's start did, and RunError when a unit ended the run or Ray gave up.
    """
    DataContext.get_current().enable_progress_bars = False
    streaming_executor_state.WAIT_FOR_TASK_COMPLETION_TIMEOUT_S = _LOOK_SECONDS
    done = ray.data.from_items([{UNIT: unit} for unit in range(units)], override_num_blocks=units).map_batches(
        UnitActor,
        batch_size=1,
        fn_constructor_args=(task,),
        compute=ActorPoolStrategy(size=min(actors, units), max_tasks_in_flight_per_actor=_AHEAD),
        num_cpus=task.cpus,
    )
    try:
        for row in done.iter_rows():
            yield read_outcomes(row)
    except RayError as error:
        raise _find_cause(error) from error


def _be_quiet() -> None:
    """Progress is told by us; Ray may say what goes wrong."""
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _start_here(*, dashboard: bool) -> None:
    """Start Ray. On a machine with much else to do its parts may not be there in time, and then it gives up."""
    _prefer_throughput()
    if not dashboard:
        os.environ.update(_RARELY)
    for attempt in range(1, _STARTS + 1):
        try:
            ray.init(
                address="local",
                num_cpus=count_cores(),
                object_store_memory=_OBJECT_STORE_BYTES,
                include_dashboard=dashboard,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _system_config=None if dashboard else dict(_UNTOLD),
            )
        except Exception as error:  # Ray raises a bare Exception here
            ray.shutdown()
            if attempt == _STARTS:
                raise RunError(f"Ray cannot be started: {_first_line(error)}") from error
            _log.warning("Ray did not start in time, and is started again")
        else:
            return


def _prefer_throughput() -> None:
    """Have Linux interrupt no actor when one of Ray's parts wakes, which they do 400 times a second: it waits for its
    turn.
    """
    with contextlib.suppress(AttributeError, OSError):  # another system; not allowed
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _find_cause(error: BaseException) -> Exception:
    """What an actor raised, below all that Ray puts around it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, BatchError | CaptionError):
            return seen
        seen = getattr(seen, "cause", None) or seen.__cause__
    return RunError(f"Ray gave up: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__

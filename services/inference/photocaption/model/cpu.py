"""How many cores this process really has, fewer than the machine when it is pinned or runs in a container; and whether
it may start as many threads.
"""

import math
import os
import threading
import time
from pathlib import Path

_CGROUP_V2 = Path("/sys/fs/cgroup/cpu.max")
_CGROUP_V1 = Path("/sys/fs/cgroup/cpu")
_TASKS = Path("/proc/self/task")
_ENDING_SECONDS = 1.0


def count_cores(*, cgroup_v2: Path = _CGROUP_V2, cgroup_v1: Path = _CGROUP_V1) -> int:
    """Cores that the affinity mask and the cgroup quota both allow, at least one; a share of a core counts as a
    core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _read_quota_v2(cgroup_v2) or _read_quota_v1(cgroup_v1) or cores
    return max(1, min(cores, math.ceil(quota)))


def may_start_threads(count: int) -> bool:
    """Whether the system lets this process have so many threads more at the same time: it is tried."""
    before = _count_threads()
    end = threading.Event()
    threads = [threading.Thread(target=end.wait, daemon=True) for _ in range(count)]
    started = 0
    try:
        for thread in threads:
            thread.start()
            started += 1
    except RuntimeError:
        return False
    finally:
        end.set()
        for thread in threads[:started]:
            thread.join()
        give_up_at = time.monotonic() + _ENDING_SECONDS
        while _count_threads() > before and time.monotonic() < give_up_at:  # they count until the system is rid of them
            time.sleep(0.001)
    return True


def _count_threads() -> int:
    return len(list(_TASKS.iterdir())) if _TASKS.exists() else 0


def _read_quota_v2(path: Path) -> float | None:
    """`cpu.max` holds "quota period" in microseconds, or "max period" where there is no quota."""
    try:
        quota, period = path.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _read_quota_v1(directory: Path) -> float | None:
    """`cpu.cfs_quota_us` holds -1 where there is no quota."""
    try:
        quota = int((directory / "cpu.cfs_quota_us").read_text())
        period = int((directory / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None

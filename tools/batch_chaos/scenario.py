"""Runs the same command until it is done, and kills the driver, the actors and a node on the way."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
from chaos.figures import Figures
from ray.cluster_utils import Cluster

from batch.inputs import Columns, list_photos
from batch_chaos.processes import Driver, actor_megabytes, find_actors, kill, wait_until

_FLAT_FROM = 2000  # rows
_GROWTH_MEGABYTES = 40
_STARTS = 3
_NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}


def run(bundle: Path, photos: Path, output: Path, *, rows: int) -> Figures:
    """Caption the photos, `rows` of them in a file, through every kind of death."""
    figures = Figures("a batch run, killed")
    begun = time.perf_counter()
    with open_cluster(nodes=2) as (cluster, node):
        command = [str(photos), f"--output={output}", f"--bundle={bundle}", f"--rows-per-file={rows}"]
        command.append(f"--address={cluster.address}")
        _kill_driver(command, output)
        figures.values["rows when the driver was killed"] = _count_rows(output)
        memory = _kill_actors_and_node(command, output, partial(cluster.remove_node, node, False), figures)
    figures.values["seconds"] = round(time.perf_counter() - begun)
    _check_rows(photos, output, figures)
    _check_memory(memory, figures)
    return figures


@contextmanager
def open_cluster(nodes: int) -> Iterator[tuple[Cluster, Any]]:
    """A cluster on this machine of nodes of one core, and the last of them, which may be killed."""
    cluster = Cluster()
    try:
        yield cluster, [_add_node(cluster) for _ in range(nodes)][-1]
    finally:
        cluster.shutdown()


def _add_node(cluster: Cluster) -> Any:  # noqa: ANN401  # Ray's types are not known here
    """Start a node. On a machine with much else to do its parts may not be there in time, and then it gives up."""
    for _ in range(_STARTS - 1):
        try:
            return cluster.add_node(**_NODE)
        except Exception as error:  # Ray raises a bare Exception here
            print(f"a node is started again: {error}", flush=True)
    return cluster.add_node(**_NODE)


def _kill_driver(command: list[str], output: Path) -> None:
    """Kill it twice: once a file is written, and while the next is, when its hidden beginning is there."""
    driver = Driver(*command)
    wait_until(lambda: bool(_files(output)) or not driver.running, "no file is written")
    driver.kill()
    driver = Driver(*command)
    before = len(_files(output))
    wait_until(
        lambda: (len(_files(output)) > before and _is_writing(output)) or not driver.running, "no file is being written"
    )
    driver.kill()


def _kill_actors_and_node(
    command: list[str], output: Path, kill_node: Callable[[], None], figures: Figures
) -> list[tuple[int, int, int]]:
    """Kill all actors, then a node; rows, the driver's and the largest actor's megabytes come back, as they grew."""
    before = len(_files(output))
    driver = Driver(*command)
    wait_until(lambda: len(_files(output)) > before or not driver.running, "no file is written")
    actors = find_actors()
    for actor in actors:
        kill(actor)
    before = len(_files(output))
    wait_until(lambda: len(_files(output)) > before or not driver.running, "no file is written after the actors died")
    figures.values["rows when a node was killed"] = _count_rows(output)
    kill_node()
    memory = []
    while driver.running:
        memory.append((_count_rows(output), driver.megabytes(), actor_megabytes()))
        time.sleep(1)
    status, said = driver.finish()
    figures.values["actors killed"] = len(actors)
    figures.values["the last command"] = said.strip().splitlines()[-1] if said.strip() else ""
    figures.require(status == 0, f"the last command ends well; it ended with {status}: {said[-2000:]}")
    return memory


def _check_rows(photos: Path, output: Path, figures: Figures) -> None:
    listed = {photo.id for photo in list_photos([str(photos)], Columns())}
    table = ds.dataset(str(output)).to_table(columns=["id", "error_type"])
    ids = Counter(table.column("id").to_pylist())
    figures.values["photos"] = len(listed)
    figures.values["rows"] = ids.total()
    figures.values["failed"] = dict(Counter(kind for kind in table.column("error_type").to_pylist() if kind))
    figures.require(set(ids) == listed, "every photo has its row, and nothing else has one")
    figures.require(max(ids.values()) == 1, "no photo has two rows")


def _check_memory(memory: list[tuple[int, int, int]], figures: Figures) -> None:
    for name, place in (("driver", 1), ("actor", 2)):
        held = [seen[place] for seen in memory if seen[0] >= _FLAT_FROM and seen[place]]
        if held:
            figures.values[f"memory of the {name} (MB)"] = f"{held[0]} to {max(held)}"
            figures.require(max(held) - held[0] < _GROWTH_MEGABYTES, f"the memory of the {name} does not grow")


def _files(output: Path) -> list[Path]:
    return [path for path in output.glob("*.parquet") if not path.name.startswith(".")]


def _is_writing(output: Path) -> bool:
    return any(path.name.startswith(".") for path in output.iterdir())


def _count_rows(output: Path) -> int:
    files = [str(path) for path in _files(output)]
    return int(ds.dataset(files).count_rows()) if files else 0

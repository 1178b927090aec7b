"""Does the units of a run, in a process that Ray keeps: an actor, with the model loaded once.

A unit may come twice, after its first actor died or its node was lost. It has the same photos then and the same file of
rows, so that the second time finds the file, or writes it.
"""

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from batch import storage
from batch.captioning import caption_photos
from batch.decoders import MAX_BYTES, open_decoders
from batch.errors import BatchError, OutputError, RunError
from batch.outcome import CAPTIONED, OUTCOMES
from batch.output import Output
from batch.plan import read_unit
from batch.reading import Reader
from batch.row import Row, Source, to_parquet
from photocaption.captioner import Captioner
from photocaption.errors import CaptionError
from photocaption.serving.memory import keep_freed, limit_arenas

UNIT = "unit"
_ERROR = "error"  # Ray would pass on no error but its text, with all its own around it


@dataclass(frozen=True, slots=True)
class Task:
    """What the actors of a run have in common; `cpus`: cores of each, `column`: where tables hold their photos."""

    output: Output
    source: Source
    bundle: Path
    cpus: int
    column: str | None


class UnitActor:
    """Captions the photos of one unit after the other."""

    def __init__(self, task: Task) -> None:
        """Load the model, and start the processes that decode; they end with this one, or with `close`. Raises
        BundleError.
        """
        limit_arenas()
        keep_freed()
        self._task = task
        self._resources = ExitStack()
        decoders = self._resources.enter_context(open_decoders(task.cpus))
        self._captioner = Captioner.load(task.bundle, threads=task.cpus, decode=decoders.decode)
        self._check_version()
        manifest = self._resources.enter_context(storage.open_file(task.output.manifest(task.source.run)))
        self._manifest = pq.ParquetFile(manifest)

    def __call__(self, batch: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Do the unit of each row of a batch; back comes what `read_outcomes` reads."""
        units = [self._try(int(unit)) for unit in batch[UNIT]]
        counts = {outcome: np.array([tally[outcome] for tally, _ in units]) for outcome in OUTCOMES}
        return counts | {_ERROR: np.array([error for _, error in units])}

    def close(self) -> None:
        """End the processes that decode; nothing can be captioned afterwards."""
        self._resources.close()

    def _try(self, unit: int) -> tuple[Counter[str], str]:
        """Its photos' outcomes, each counted, and what ended the run with it, if anything did."""
        try:
            return Counter(kind or CAPTIONED for kind in self._do(unit)), ""
        except OSError as error:
            return Counter(), f"{error.filename or self._task.output.uri}: {error.strerror or error}"
        except (BatchError, CaptionError) as error:
            return Counter(), str(error)

    def _do(self, unit: int) -> list[str | None]:
        """The error types of its photos."""
        task = self._task
        place = task.output.rows(task.source.run, unit)
        if storage.exists(place):
            written: list[str | None] = pq.read_table(storage.open_file(place), columns=["error_type"])[0].to_pylist()
            return written
        rows = self._caption(unit)
        task.output.check_owner(task.source.run)
        storage.publish(place, to_parquet(rows))
        return [row.error_type for row in rows]

    def _caption(self, unit: int) -> list[Row]:
        photos = read_unit(self._manifest, unit)
        # One more thread than cores: it waits for a disk or a network while the others decode.
        threads = self._task.cpus + 1
        with Reader(MAX_BYTES, self._task.column) as reader:
            return list(caption_photos(self._captioner, photos, reader, self._task.source, threads=threads))

    def _check_version(self) -> None:
        manifest = self._captioner.bundle.manifest
        wanted = self._task.source
        if (manifest.name, manifest.version) != (wanted.model, wanted.model_version):
            raise OutputError(f"{self._task.bundle}: is {manifest.name} {manifest.version} on one of the machines")


def read_outcomes(row: Mapping[str, Any]) -> dict[str, int]:
    """The `OUTCOMES` of a unit's photos, each counted. Raises RunError where it could not be done."""
    if row[_ERROR]:
        raise RunError(str(row[_ERROR]))
    return {outcome: int(row[outcome]) for outcome in OUTCOMES}

"""The folder of an output, which any program that reads Parquet can read as a table.

    OUT/<run>-<unit>.parquet           rows; a file appears whole or not at all, and is never changed
    OUT/_runs/owner                    the name of the run that may write now
    OUT/_runs/<run>/run.json           when it began, what it was to do, and with which model
    OUT/_runs/<run>/manifest.parquet   the photos that it was to do; a group of rows for each unit
    OUT/_runs/<run>/summary.json       what came of it, once it has ended
    OUT/_runs/<run>/report.html        a page about that, to look at

The names of runs sort by time. Programs pass over what begins with `_` or `.`.
"""

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from batch import storage
from batch.errors import OutputError, RunError
from batch.to_do import Ids

_RUNS = "_runs"
_OWNER = "owner"
_MOST = 2**20
_IDS = 100_000
_ERROR = "error_type"


class Output:
    """An output, and the names of what is in it. It can be sent to other machines."""

    def __init__(self, uri: str) -> None:
        self.uri = uri if storage.is_remote(uri) else storage.to_uri(storage.to_path(uri))

    def begin(self, run: str, description: dict[str, Any]) -> None:
        """Make `run` the owner, so that whatever is left of an earlier run writes nothing more. Raises OSError."""
        storage.publish(self._run_file(run, "run.json"), _to_json(description))
        storage.publish(storage.join(self.uri, f"{_RUNS}/{_OWNER}"), run.encode())

    def check_owner(self, run: str) -> None:
        """Raise RunError unless `run` may write."""
        owner = storage.read(storage.join(self.uri, f"{_RUNS}/{_OWNER}"), _MOST).decode()
        if owner != run:
            raise RunError(f"{self.uri}: the run {owner} has taken over from {run}")

    def check_model(self, name: str, version: str) -> None:
        """Raise OutputError when there are captions of another model."""
        for run in storage.list_folders(storage.join(self.uri, _RUNS)):
            if not storage.exists(self._run_file(run, "run.json")):  # it died before it had begun
                continue
            other = self._read_model(run)
            if other != (name, version):
                raise OutputError(
                    f"{self.uri}: holds captions of {' '.join(other)}; {name} {version} needs an output of its own"
                )

    def manifest(self, run: str) -> str:
        """Where the manifest of a run is."""
        return self._run_file(run, "manifest.parquet")

    def rows(self, run: str, unit: int) -> str:
        """Where the rows of a unit are, once they are written."""
        return storage.join(self.uri, f"{run}-{unit:06}.parquet")

    def end(self, run: str, summary: dict[str, Any], report: str | None) -> None:
        """Keep what came of a run, and a page about it where there is one. Raises OSError."""
        if report is not None:
            storage.publish(self._run_file(run, "report.html"), report.encode("utf-8", "backslashreplace"))
        storage.publish(self._run_file(run, "summary.json"), _to_json(summary))

    def written_ids(self, *, with_failed: bool) -> Iterator[Ids]:
        """The ids of all rows, some at a time; those that failed where `with_failed`. Raises OutputError."""
        for uri in self.row_files():
            try:
                with storage.open_file(uri) as stream, pq.ParquetFile(stream) as table:
                    for rows in table.iter_batches(_IDS, columns=["id", _ERROR]):
                        yield _read_ids(rows, with_failed=with_failed)
            except (OSError, KeyError, pa.ArrowException) as error:
                raise OutputError(f"{uri}: is not a file of this program: {' '.join(str(error).split())}") from error

    def row_files(self) -> list[str]:
        """All files of rows, in the order of their runs."""
        names = storage.list_names(self.uri)
        return [storage.join(self.uri, name) for name in names if name.endswith(".parquet") and name[0] not in "._"]

    def _read_model(self, run: str) -> tuple[str, str]:
        place = self._run_file(run, "run.json")
        try:
            model = json.loads(storage.read(place, _MOST))["model"]
            return str(model["name"]), str(model["version"])
        except (ValueError, KeyError, TypeError) as error:
            raise OutputError(f"{place}: is not a file of this program") from error

    def _run_file(self, run: str, name: str) -> str:
        return storage.join(self.uri, f"{_RUNS}/{run}/{name}")

    @classmethod
    def open(cls, uri: str) -> Self:
        """The output at a place that need not be there yet. Raises OutputError where it cannot be looked at."""
        output = cls(uri)
        try:
            storage.list_names(output.uri)
        except (OSError, ValueError) as error:
            raise OutputError(f"{uri}: cannot be used: {' '.join(str(error).split())}") from error
        return output


def name_run() -> str:
    """A new name, later than all others."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


def _read_ids(rows: pa.RecordBatch, *, with_failed: bool) -> Ids:
    ids = rows.column("id")
    if not with_failed:
        ids = ids.filter(rows.column(_ERROR).is_null())
    return np.array(ids.to_pylist(), "S32")


def _to_json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")

"""A run from its command to its summary.

inputs ──list──▶ listing ──anti-join──▶ manifest ──Ray: actors──▶ files of rows ──▶ summary
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from batch.errors import RunError
from batch.inputs import Columns, list_photos
from batch.outcome import CAPTIONED
from batch.output import Output, name_run
from batch.plan import Listing, choose_rows
from batch.progress import Progress
from batch.report import write_report
from batch.row import Source
from batch.summary import Summary
from batch.to_do import Marks
from batch.unit import Task
from photocaption.model.bundle import load_bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to caption, where to, and on what.

    `actors`: None takes as many as there are cores for; `cpus`: cores of each; `rows`: photos in a file, None for what
    suits them; `address`: of a Ray cluster, None to start Ray on this machine.
    """

    inputs: Sequence[str]
    output: str
    bundle: Path
    columns: Columns
    retry_failed: bool
    rows: int | None
    actors: int | None
    cpus: int
    address: str | None
    dashboard: bool


def run(command: Command) -> Summary:
    """Caption what is left to do. Raises BatchError, BundleError and OSError."""
    model = load_bundle(command.bundle).manifest
    output = Output.open(command.output)
    output.check_model(model.name, model.version)
    source = Source(model.name, model.version, name_run())
    with TemporaryDirectory(prefix="caption-batch-") as folder:
        listing = Listing(list_photos(command.inputs, command.columns), Path(folder))
        output.begin(source.run, _describe(command, source))
        marks = listing.mark_to_do(output.written_ids(with_failed=not command.retry_failed))
        progress = Progress(int(marks.sum()))
        if marks.any():
            _caption(command, output, source, listing, marks, progress)
    summary = _sum_up(source, len(marks), progress)
    output.end(
        source.run, asdict(summary), write_report(output, summary, command.columns.bytes) if marks.any() else None
    )
    return summary


def _caption(
    command: Command, output: Output, source: Source, listing: Listing, marks: Marks, progress: Progress
) -> None:
    from batch.pipeline import do_units, open_ray  # Ray is slow to import, and there may be nothing to do

    with open_ray(command.address, dashboard=command.dashboard) as cluster:
        actors = command.actors or cluster.cpus // command.cpus
        if actors * command.cpus > cluster.cpus or actors == 0:
            raise RunError(f"Ray has {cluster.cpus} cores, too few for {actors or 1} × {command.cpus}")
        rows = command.rows or choose_rows(int(marks.sum()), actors)
        units = listing.write_manifest(marks, rows, output.manifest(source.run))
        task = Task(output, source, command.bundle.resolve(), command.cpus, command.columns.bytes)
        for outcomes in do_units(task, units, actors):
            progress.add(outcomes)
        progress.end()


def _describe(command: Command, source: Source) -> dict[str, object]:
    return {
        "run": source.run,
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": {"name": source.model, "version": source.model_version},
        "inputs": list(command.inputs),
        "columns": asdict(command.columns),
        "retry_failed": command.retry_failed,
    }


def _sum_up(source: Source, listed: int, progress: Progress) -> Summary:
    failed = Counter(progress.outcomes)
    captioned = failed.pop(CAPTIONED, 0)
    return Summary(
        run=source.run,
        model=source.model,
        model_version=source.model_version,
        listed=listed,
        already=listed - progress.total,
        captioned=captioned,
        failed=dict(sorted(failed.items())),
        seconds=round(progress.seconds, 3),
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
    )

"""The program `caption`: photos and folders of photos in, sentences out.

    caption dog.jpg
    caption holiday/ --format csv --output holiday.csv
    caption holiday/ --exclude '*-edited.*' --newer 2026-01-31 --dry-run
    curl -s https://example.org/dog.jpg | caption - --alternatives 3
    caption serve

Captions go to the standard output, complaints and progress to the standard error. A photo that cannot be read never
stops the rest. `caption serve` is the HTTP service, set up by the environment. Exit status: 0 when every photo got its
caption, 1 when some did not, 2 when none did or nothing could be started.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from io import TextIOWrapper
from itertools import chain

from inference.caption import CaptionOptions
from inference.cli.arguments import parse
from inference.cli.batch import Model, Task, examine_photo, map_in_order
from inference.cli.folders import Choice, Listing, list_photos
from inference.cli.outcome import Outcome, Status, Tally
from inference.cli.progress import Progress
from inference.cli.record import ANY_NAME, Record, RecordError, open_record, read_record
from inference.errors import BundleError
from inference.model.bundle import BUNDLE_VARIABLE, find_bundle
from inference.model.cpu import count_cores

SERVE = "serve"

# To start processes that decode takes as long as to caption a few photos, and a short run that breaks is soon repeated.
_FEW = 8
_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; the exit status comes back."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=ANY_NAME)
    try:
        return _serve() if list(arguments) == [SERVE] else _run(parse(arguments))
    except (BundleError, RecordError) as error:
        _complain(str(error))
        return 2
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except OSError as error:
        _complain(f"{error.filename}: {error.strerror}")
        return 2


def _serve() -> int:
    from inference.__main__ import main as serve  # the web framework is slow to import, and photos need none

    os.environ[BUNDLE_VARIABLE] = str(find_bundle())
    return serve()


def _run(options: argparse.Namespace) -> int:
    listing = list_photos(options.photos, Choice(options.include, options.exclude, options.newer))
    if options.dry_run:
        return _show(options, listing)
    # One photo asked for by its name needs no label; several do, and so does whatever a folder held.
    named = len(options.photos) > 1 or listing.photos != options.photos
    at_once = min(count_cores(), max(1, len(listing.photos)))
    settings = CaptionOptions(beam_width=options.beam_width, alternatives=options.alternatives)
    with (
        open_record(
            options.output, options.format, options.existing, alternatives=options.alternatives, named=named
        ) as record,
        Model(options.bundle, options.runtime, at_once, guarded=len(listing.photos) > _FEW) as model,
    ):
        known = partial(record.find, min_confidence=options.min_confidence)
        task = Task(model, settings, known, options.min_confidence, crowded=at_once > 1)
        outcomes = chain(listing.failures, map_in_order(task.caption, listing.photos, at_once))
        tally = _record_all(outcomes, record, len(listing.failures) + len(listing.photos))
    _sum_up(tally, listing)
    return tally.exit_status


def _show(options: argparse.Namespace, listing: Listing) -> int:
    """Name what would be described, and what would not."""
    record = read_record(options.output, options.format, options.existing, alternatives=options.alternatives)
    examine = partial(examine_photo, partial(record.find, min_confidence=options.min_confidence))
    tally = Tally()
    for outcome in chain(listing.failures, map_in_order(examine, listing.photos, count_cores())):
        tally.add(outcome)
        if outcome.status is Status.WANTED:
            print(outcome.name)
        elif outcome.reason:
            _complain(f"{outcome.name}: {outcome.reason}")
    for name, reason in listing.left_out:
        _complain(f"{name}: left out, {reason}")
    return tally.exit_status


def _record_all(outcomes: Iterable[Outcome], record: Record, count: int) -> Tally:
    """Write what became of every photo."""
    progress = Progress(sys.stderr, count)
    progress.show()
    tally = Tally()
    for outcome in outcomes:
        progress.erase()
        tally.add(outcome)
        record.write(outcome)
        if outcome.reason:
            _complain(f"{outcome.name}: {outcome.reason}")
        progress.count(worked=outcome.status is not Status.KEPT)
    return tally


def _sum_up(tally: Tally, listing: Listing) -> None:
    for line in (str(tally), listing.sum_up_left_out()):
        if line:
            _complain(line)


def _complain(message: str) -> None:
    print(f"caption: {message}", file=sys.stderr, flush=True)

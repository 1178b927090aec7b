"""The program `caption`: photos and folders of photos in, sentences out.

    caption dog.jpg
    caption holiday/ --format csv --output holiday.csv
    caption holiday/ --exclude '*-edited.*' --newer 2026-01-31 --dry-run
    caption holiday/ --write
    curl -s https://example.org/dog.jpg | caption - --alternatives 3
    caption html site/ --dry-run
    caption serve

Captions go to the standard output, messages and progress to the standard error. A photo that cannot be read does not
stop the run. `caption serve` is the HTTP service, set up by the environment. Exit status: 0 when every photo got its
caption, 1 when some did not, 2 when none did or nothing could be started.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper, UnsupportedOperation
from itertools import chain

from photocaption.caption import CaptionOptions
from photocaption.cli.arguments import parse, parse_site
from photocaption.cli.captioning import Model, Task, map_in_order
from photocaption.cli.destination import Destination, DestinationError
from photocaption.cli.exiftool import ExifTools
from photocaption.cli.folders import Choice, Listing, list_photos
from photocaption.cli.messages import complain, show_name
from photocaption.cli.metadata import Metadata
from photocaption.cli.outcome import Outcome, Status, Tally
from photocaption.cli.output import Layout
from photocaption.cli.progress import Progress
from photocaption.cli.record import ANY_NAME, open_record, read_record
from photocaption.cli.sidecars import TextSidecars
from photocaption.cli.site import caption_site
from photocaption.errors import BundleError
from photocaption.model.bundle import BUNDLE_VARIABLE, find_bundle

SERVE = "serve"
HTML = "html"

_STREAMS = (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_RDWR))
_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; the exit status comes back."""
    arguments = sys.argv[1:] if arguments is None else arguments
    _prepare_streams()
    try:
        return _choose(list(arguments))
    except (BundleError, DestinationError) as error:
        complain(str(error))
        return 2
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # the reader has ended, such as `head`
        _discard_output()
        return _PIPE_CLOSED
    except OSError as error:
        complain(f"{error.filename or 'the output'}: {error.strerror}")
        if error.filename is None:
            _discard_output()
        return 2
    except (MemoryError, ImportError) as error:  # a library that no room is left for is not found
        complain(str(error) or "there is not enough memory")
        return 2


def _discard_output() -> None:
    """Discard buffered output, so that Python does not report its error again when it ends."""
    with suppress(UnsupportedOperation):  # a stream that is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _prepare_streams() -> None:
    """Let streams write every file name, and closed ones fail: a file opened later would get their number."""
    while (number := os.open(os.devnull, os.O_RDWR)) < len(_STREAMS):
        os.close(number)
        name, mode, flags = _STREAMS[number]
        os.open(os.devnull, flags)
        setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115
    os.close(number)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=ANY_NAME)


def _choose(arguments: Sequence[str]) -> int:
    try:
        if arguments == [SERVE]:
            return _serve()
        if arguments[:1] == [HTML]:
            return caption_site(parse_site(arguments[1:]))
        return _run(parse(arguments))
    finally:
        sys.stdout.flush()


def _serve() -> int:
    from photocaption.__main__ import main as serve  # the web framework is slow to import, and photos need none

    os.environ[BUNDLE_VARIABLE] = str(find_bundle())
    return serve()


def _run(options: argparse.Namespace) -> int:
    listing = list_photos(options.photos, Choice(options.include, options.exclude, options.newer))
    settings = CaptionOptions(beam_width=options.beam_width, alternatives=options.alternatives)
    # One photo asked for by its name needs no label; several do, and so does whatever a folder held.
    named = len(options.photos) > 1 or listing.photos != options.photos
    with (
        _open_destination(options, named=named) as destination,
        Model(options.bundle, options.runtime, len(listing.photos)) as model,
    ):
        task = Task(model, settings, destination, options.min_confidence)
        work = task.examine if options.dry_run else task.caption
        outcomes = chain(listing.failures, map_in_order(work, listing.photos, model.at_once))
        tally = _report(outcomes, destination, len(listing.failures) + len(listing.photos))
    _sum_up(tally, listing, dry_run=options.dry_run)
    return tally.exit_status


@contextmanager
def _open_destination(options: argparse.Namespace, *, named: bool) -> Iterator[Destination]:
    if options.sidecar == "txt":
        yield TextSidecars(options.existing)
    elif options.sidecar or options.write:
        with ExifTools() as tools:
            yield Metadata(tools, options.existing, beside=not options.write)
    else:
        layout = Layout(options.format, alternatives=options.alternatives, named=named)
        if options.dry_run:
            yield read_record(options.output, layout, options.existing, options.min_confidence)
        else:
            with open_record(options.output, layout, options.existing, options.min_confidence) as record:
                yield record


def _report(outcomes: Iterable[Outcome], destination: Destination, count: int) -> Tally:
    """Record and print every outcome as soon as it is known."""
    progress = Progress(sys.stderr, count)
    progress.show()
    tally = Tally()
    for outcome in outcomes:
        progress.erase()
        tally.add(outcome)
        if outcome.status is Status.WANTED:
            print(show_name(outcome.name, sys.stdout))
        else:
            destination.note(outcome)
        if outcome.reason:
            complain(f"{outcome.name}: {outcome.reason}")
        progress.count(worked=outcome.status is not Status.KEPT)
    return tally


def _sum_up(tally: Tally, listing: Listing, *, dry_run: bool) -> None:
    lines = [str(tally), listing.sum_up_left_out()]
    if dry_run:
        lines = [f"{name}: left out, {reason}" for name, reason in listing.left_out]
    for line in lines:
        if line:
            complain(line)

"""The program `caption-batch`: folders, buckets and tables of photos in, Parquet out.

    caption-batch photos/ --output captions/
    caption-batch 's3://bucket/2024/**/*.jpg' --output s3://bucket/captions
    caption-batch photos.parquet --bytes-column image --output captions/

The same command goes on where it was, whatever ended it. Exit status: 0 when every photo has its row, be it that of a
failure; 1 when the run ended before; 2 when it could not begin; 130 and 143 after a signal.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from batch import __version__
from batch.errors import BatchError, RunError
from batch.inputs import Columns
from batch.run import Command, run
from batch.summary import Summary
from photocaption.errors import BundleError
from photocaption.model.bundle import find_bundle

_ENDED_EARLY = 1
_NOT_BEGUN = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; the exit status comes back."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        print(describe(run(_parse(arguments))))
    except RunError as error:
        return _complain(str(error), _ENDED_EARLY)
    except (BatchError, BundleError) as error:
        return _complain(str(error), _NOT_BEGUN)
    except OSError as error:
        return _complain(f"{error.filename or 'storage'}: {error.strerror or error}", _ENDED_EARLY)
    except KeyboardInterrupt as interrupt:
        number = interrupt.args[0] if interrupt.args else signal.SIGINT
        return _complain("stopped; the same command goes on from here", 128 + int(number))
    return 0


def describe(summary: Summary) -> str:
    """What came of a run, for a person."""
    failed = sum(summary.failed.values())
    kinds = ", ".join(f"{count} {kind}" for kind, count in summary.failed.items())
    return (
        f"{summary.captioned} photos captioned, {failed} failed{f' ({kinds})' if kinds else ''}, "
        f"{summary.already} were done before; run {summary.run}"
    )


def _stop(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(number)


def _parse(arguments: Sequence[str] | None) -> Command:
    parser = argparse.ArgumentParser(prog="caption-batch", description="Caption photos by the million, into Parquet.")
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="a folder, glob, photo or Parquet file; or a URI")
    parser.add_argument("--output", required=True, metavar="DIR", help="where the Parquet files go; a folder or a URI")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="the model (default: $CAPTION_BUNDLE, or ours)")
    column = parser.add_mutually_exclusive_group()
    column.add_argument("--uri-column", metavar="NAME", help="the column of Parquet files that names photos")
    column.add_argument("--bytes-column", metavar="NAME", help="the column of Parquet files that holds photos")
    parser.add_argument("--retry-failed", action="store_true", help="caption photos that failed before, too")
    parser.add_argument("--rows-per-file", type=_count, metavar="N", help="photos in a file (default: up to 1000)")
    parser.add_argument("--actors", type=_count, metavar="N", help="models at work (default: what the cores allow)")
    parser.add_argument("--cpus-per-actor", type=_count, default=1, metavar="N", help="cores of each (default: 1)")
    parser.add_argument("--address", metavar="HOST:PORT", help="a Ray cluster (default: $RAY_ADDRESS, or this machine)")
    parser.add_argument("--dashboard", action="store_true", help="serve Ray's dashboard, with a Ray of this machine")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return _to_command(parser.parse_args(arguments))


def _to_command(options: argparse.Namespace) -> Command:
    return Command(
        inputs=options.inputs,
        output=options.output,
        bundle=options.bundle or find_bundle(),
        columns=Columns(options.uri_column, options.bytes_column),
        retry_failed=options.retry_failed,
        rows=options.rows_per_file,
        actors=options.actors,
        cpus=options.cpus_per_actor,
        address=options.address or os.environ.get("RAY_ADDRESS"),
        dashboard=options.dashboard,
    )


def _count(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text} is not a number from 1")


def _complain(message: str, status: int) -> int:
    print(f"caption-batch: {message}", file=sys.stderr, flush=True)
    return status

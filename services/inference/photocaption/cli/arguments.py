"""The words and options that `caption` understands."""

import argparse
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from photocaption import __version__
from photocaption.caption import MAX_ALTERNATIVES, MAX_BEAM_WIDTH
from photocaption.cli.destination import EXISTING
from photocaption.cli.output import FORMATS
from photocaption.cli.photo import STDIN
from photocaption.model.bundle import BUNDLE_VARIABLE


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options as attributes; ends the program with a line that says what is wrong with them."""
    parser = argparse.ArgumentParser(prog="caption", description="Describe each photo in a sentence.")
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO|FOLDER",
        help="a photo, a folder of photos, or - for stdin; `caption html SITE` is for pages, `caption serve` serves",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--dry-run", action="store_true", help="name the photos that would be described, and stop")
    _add_choice(parser.add_argument_group("which photos of a folder"))
    _add_results(parser.add_argument_group("what comes out"))
    _add_model(parser.add_argument_group("the model"))
    options = parser.parse_args(arguments)
    if fault := _find_fault(options):
        parser.error(fault)
    return options


def parse_site(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of `caption html`."""
    parser = argparse.ArgumentParser(
        prog="caption html", description="Give the images of a site's pages an alt text where they have none."
    )
    parser.add_argument("site", type=Path, metavar="SITE", help="the folder that the site's addresses begin at")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")
    _add_threshold(parser.add_argument_group("what comes out"))
    _add_model(parser.add_argument_group("the model"))
    options = parser.parse_args(arguments)
    if not options.site.is_dir():
        parser.error(f"{options.site} is not a folder")
    return options


def _find_fault(options: argparse.Namespace) -> str:
    """What of the options does not go together."""
    beside = options.write or options.sidecar
    if beside and (options.output or options.format != "text" or options.alternatives):
        return "--write and --sidecar take the place of --output, --format and --alternatives"
    if beside and STDIN in options.photos:
        return "--write and --sidecar need files, which - is not"
    if options.existing == "renew" and not (options.write or options.sidecar == "xmp"):
        return "--existing renew needs --write or --sidecar xmp: elsewhere nothing says whose a text is"
    return ""


def _add_choice(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--include", action="append", default=[], metavar="GLOB", help="only those named so")
    group.add_argument(
        "--exclude", action="append", default=[], metavar="GLOB", help="not those, nor folders, named so"
    )
    group.add_argument("--newer", type=_moment, metavar="DATE|FILE", help="only those changed later than that")


def _add_results(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--format", choices=FORMATS, default="text", help="what to write (default: text)")
    group.add_argument("--output", type=Path, metavar="FILE", help="where to write it (default: standard output)")
    beside = group.add_mutually_exclusive_group()
    beside.add_argument(
        "--sidecar", choices=("txt", "xmp"), help="write each sentence into photo.txt, or photo.jpg.xmp, instead"
    )
    beside.add_argument("--write", action="store_true", help="write each sentence into the photo's metadata instead")
    group.add_argument(
        "--existing",
        choices=EXISTING,
        default="skip",
        help="where there is a caption: leave it (skip, the default), put ours in its place (replace) or behind it "
        "(append), or leave it unless it is ours (renew)",
    )
    _add_threshold(group)
    group.add_argument(
        "--alternatives",
        type=_number(0, MAX_ALTERNATIVES),
        default=0,
        metavar="N",
        help=f"further sentences, 0 to {MAX_ALTERNATIVES}",
    )


def _add_threshold(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--min-confidence",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="leave photos with a lower confidence, 0 to 1, to a person",
    )


def _add_model(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--beam-width",
        type=_number(1, MAX_BEAM_WIDTH),
        metavar="N",
        help=f"hypotheses of the beam search, 1 to {MAX_BEAM_WIDTH}",
    )
    group.add_argument("--bundle", type=Path, metavar="DIR", help=f"the model (default: ${BUNDLE_VARIABLE}, or ours)")
    group.add_argument("--runtime", choices=("onnx", "tensorflow"), default="onnx", help="what runs the model")


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text.isdecimal() and least <= int(text) <= most:
            return int(text)
        msg = f"{text} is not a number from {least} to {most}"
        raise argparse.ArgumentTypeError(msg)

    return parse


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if 0 <= share <= 1:
        return share
    msg = f"{text} is not a number from 0 to 1"
    raise argparse.ArgumentTypeError(msg)


def _moment(text: str) -> float:
    """Seconds since 1970: when a file was changed, or a date's first moment by this machine's clock."""
    try:
        return Path(text).stat().st_mtime
    except OSError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        msg = f"{text} is neither a file nor a date such as 2026-01-31"
        raise argparse.ArgumentTypeError(msg) from None

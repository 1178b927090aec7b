"""The program `caption`: photos and folders of photos in, sentences out.

    caption dog.jpg
    caption holiday/ --format csv --output holiday.csv
    curl -s https://example.org/dog.jpg | caption - --alternatives 3
    caption serve

Captions go to the standard output, complaints and progress to the standard error. A photo that cannot be read never
stops the rest. `caption serve` is the HTTP service, set up by the environment. Exit status: 0 when every photo got its
caption, 1 when some did not, 2 when nothing could be started.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TextIO

from inference import __version__
from inference.caption import CaptionOptions
from inference.captioner import Captioner
from inference.cli.output import FORMATS, Write, open_writer
from inference.cli.progress import Progress
from inference.errors import BundleError, ImageError
from inference.model.bundle import BUNDLE_VARIABLE, find_bundle

STDIN = "-"
SERVE = "serve"

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif", ".gif", ".bmp", ".tif", ".tiff"})
_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; the exit status comes back."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return _serve() if list(arguments) == [SERVE] else _run(_parse(arguments))
    except BundleError as error:
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


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="caption", description="Describe each photo in a sentence.")
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO|FOLDER",
        help="a photo, a folder of photos, or - for stdin; `caption serve` serves",
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="what to write (default: text)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write it (default: standard output)")
    parser.add_argument("--beam-width", type=_number(1, 10), metavar="N", help="sentences kept in mind, 1 to 10")
    parser.add_argument(
        "--alternatives", type=_number(0, 10), default=0, metavar="N", help="further sentences, 0 to 10"
    )
    parser.add_argument("--bundle", type=Path, metavar="DIR", help=f"the model (default: ${BUNDLE_VARIABLE}, or ours)")
    parser.add_argument("--runtime", choices=("onnx", "tensorflow"), default="onnx", help="what runs the model")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser.parse_args(arguments)


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text.isdecimal() and least <= int(text) <= most:
            return int(text)
        msg = f"{text} is not a number from {least} to {most}"
        raise argparse.ArgumentTypeError(msg)

    return parse


def _run(options: argparse.Namespace) -> int:
    captioner = Captioner.load(options.bundle, runtime=options.runtime)
    names = [name for argument in options.photos for name in _list_photos(argument)]
    # One photo asked for by its name needs no label; several do, and so does whatever a folder held.
    named = len(options.photos) > 1 or names != options.photos
    settings = CaptionOptions(beam_width=options.beam_width, alternatives=options.alternatives)
    with _open_output(options.output) as stream:
        write = open_writer(stream, options.format, alternatives=options.alternatives, named=named)
        captioned = _caption_all(captioner, names, settings, write)
    return 0 if names and captioned == len(names) else 1


def _caption_all(captioner: Captioner, names: Sequence[str], settings: CaptionOptions, write: Write) -> int:
    """Write the caption of every photo that can be read; how many those were comes back."""
    progress = Progress(sys.stderr, len(names))
    captioned = 0
    for done, name in enumerate(names):
        progress.show(done)
        try:
            caption = captioner.caption(_read(name), settings)
        except (ImageError, OSError) as error:
            progress.erase()
            _complain(f"{name}: {error.strerror if isinstance(error, OSError) else error}")
            continue
        progress.erase()
        write(name, caption)
        captioned += 1
    return captioned


def _list_photos(argument: str) -> Iterator[str]:
    """The argument itself, or every photo in and below the folder that it names, judged by suffix."""
    if argument == STDIN or not Path(argument).is_dir():
        yield argument
        return
    found = False
    for folder, folders, files in os.walk(argument):
        folders.sort()
        for file in sorted(files):
            if Path(file).suffix.lower() in _SUFFIXES:
                found = True
                yield str(Path(folder, file))
    if not found:
        _complain(f"{argument}: no photos in this folder")


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()


def _open_output(path: Path | None) -> AbstractContextManager[TextIO]:
    if path is None:
        return contextlib.nullcontext(sys.stdout)
    return path.open("w", encoding="utf-8", newline="")


def _complain(message: str) -> None:
    print(f"caption: {message}", file=sys.stderr, flush=True)

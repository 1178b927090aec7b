"""The program `caption`: photos and folders of photos in, sentences out.

    caption dog.jpg
    caption holiday/ --format csv --output holiday.csv
    caption holiday/ --sidecar txt --exclude '*-edited.*'
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
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from inference import __version__
from inference.bundle import BUNDLE_VARIABLE, find_bundle
from inference.captioner import Captioner
from inference.cpu import count_cores
from inference.errors import BundleError, ImageError
from inference.output import FORMATS, Write, open_writer
from inference.progress import Progress
from inference.result import Caption, CaptionOptions
from inference.sidecars import EXISTING, is_described, write_sidecar

STDIN = "-"
SERVE = "serve"

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
_ANY_NAME = "surrogateescape"  # names of files are bytes, and go out as they came
_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; the exit status comes back."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors=_ANY_NAME)
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
    parser.add_argument("--include", action="append", default=[], metavar="GLOB", help="of a folder, only these names")
    parser.add_argument("--exclude", action="append", default=[], metavar="GLOB", help="of a folder, not these names")
    parser.add_argument("--dry-run", action="store_true", help="name the photos that would be described, and stop")
    parser.add_argument(
        "--sidecar",
        choices=("txt",),
        help="write each sentence into a file of the photo's stem, and nothing to the output",
    )
    parser.add_argument(
        "--existing", choices=EXISTING, default="skip", help="what to do where a sidecar is (default: skip the photo)"
    )
    parser.add_argument(
        "--min-confidence", type=_share, default=0.0, metavar="SHARE", help="write no caption below it, 0 to 1; name it"
    )
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


def _share(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    msg = f"{text} is not a number from 0 to 1"
    raise argparse.ArgumentTypeError(msg)


def _run(options: argparse.Namespace) -> int:
    names = [name for argument in options.photos for name in _list_photos(argument, options)]
    todo = [name for name in names if not _is_done(name, options)]
    if options.dry_run:
        print(*todo, sep="\n", end="\n" if todo else "")
        return 0
    if names and not todo:
        return 0
    cores = count_cores()
    captioner = Captioner.load(options.bundle, runtime=options.runtime, callers=cores)
    # One photo asked for by its name needs no label; several do, and so does whatever a folder held.
    named = len(options.photos) > 1 or names != options.photos
    settings = CaptionOptions(beam_width=options.beam_width, alternatives=options.alternatives)
    with _open_output(options.output) as stream:
        write = _open_write(stream, options, named=named)
        captions = _caption_all(captioner, todo, settings, at_once=1 if len(todo) == 1 else cores)
        captioned = _write_all(captions, len(todo), write, options.min_confidence)
    return 0 if todo and captioned == len(todo) else 1


def _open_write(stream: TextIO, options: argparse.Namespace, *, named: bool) -> Write:
    if options.sidecar:
        return lambda name, caption: write_sidecar(name, caption.alt_text, options.existing)
    return open_writer(stream, options.format, alternatives=options.alternatives, named=named)


def _caption_all(
    captioner: Captioner, names: Sequence[str], settings: CaptionOptions, at_once: int
) -> Iterator[tuple[str, Caption | Exception]]:
    """Each photo in order with its caption, or with what kept it from one; `at_once` of them are worked on."""

    def work(name: str) -> Caption | Exception:
        try:
            return captioner.describe([captioner.prepare(_read(name))], settings, crowded=at_once > 1)[0]
        except (ImageError, OSError) as error:
            return error

    waiting: deque[tuple[str, Future[Caption | Exception]]] = deque()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for name in names:
                waiting.append((name, pool.submit(work, name)))
                if len(waiting) > 2 * at_once:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for first, future in waiting:
                yield first, future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _write_all(
    captions: Iterable[tuple[str, Caption | Exception]], count: int, write: Write, min_confidence: float
) -> int:
    """Write the captions that are sure enough; how many photos got what was asked for comes back."""
    progress = Progress(sys.stderr, count)
    progress.show(0)
    captioned = 0
    for done, (name, caption) in enumerate(captions, 1):
        progress.erase()
        try:
            if isinstance(caption, Exception):
                raise caption
            if caption.confidence < min_confidence:
                _complain(f"{name}: unsure ({caption.confidence:.2f}), not written: {caption.alt_text}")
            else:
                write(name, caption)
            captioned += 1
        except BrokenPipeError:
            raise
        except (ImageError, OSError) as error:
            _complain(f"{name}: {error.strerror if isinstance(error, OSError) else error}")
        if done < count:
            progress.show(done)
    return captioned


def _is_done(name: str, options: argparse.Namespace) -> bool:
    return bool(options.sidecar) and options.existing == "skip" and name != STDIN and is_described(name)


def _is_wanted(path: Path, options: argparse.Namespace) -> bool:
    """Whether a file of a folder is one of the photos asked for, by its suffix and its name."""
    included = not options.include or any(path.match(pattern) for pattern in options.include)
    excluded = any(path.match(pattern) for pattern in options.exclude)
    return path.suffix.lower() in _SUFFIXES and included and not excluded


def _list_photos(argument: str, options: argparse.Namespace) -> Iterator[str]:
    """The argument itself, or every photo in and below the folder that it names, judged by suffix and patterns."""
    if argument == STDIN or not Path(argument).is_dir():
        yield argument
        return
    found = False
    for folder, folders, files in os.walk(argument):
        folders.sort()
        for file in sorted(files):
            if _is_wanted(Path(folder, file), options):
                found = True
                yield str(Path(folder, file))
    if not found:
        _complain(f"{argument}: no photos in this folder")


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()


@contextlib.contextmanager
def _open_output(path: Path | None) -> Iterator[TextIO]:
    """Standard output, or what takes the place of `path` once it is complete."""
    if path is None:
        yield sys.stdout
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", encoding="utf-8", errors=_ANY_NAME, newline="") as stream:
            yield stream
        temporary.replace(path)
    except OSError as error:
        if error.filename == str(temporary):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _complain(message: str) -> None:
    print(f"caption: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""`caption html SITE`: gives the images of a site's pages an `alt` where it is missing."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from photocaption.caption import Caption, CaptionOptions
from photocaption.cli.captioning import Model, Task, map_in_order
from photocaption.cli.destination import Destination
from photocaption.cli.folders import walk
from photocaption.cli.messages import complain, show_name
from photocaption.cli.outcome import Outcome, Status, Tally
from photocaption.cli.pages import Page, shorten
from photocaption.cli.photo import Photo
from photocaption.cli.replacement import replacing

_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})
_MIN_SIDE = 16  # smaller ones are spacers and tracking pixels


class _Pages(Destination):
    """Captions wait until their pages are written."""

    def keep(self, _photo: Photo, caption: Caption, _author: str) -> bool:
        """Whether the image is large enough to be described."""
        return min(caption.image.width, caption.image.height) >= _MIN_SIDE


def caption_site(options: argparse.Namespace) -> int:
    """Fill the gaps of every page; the exit status comes back. Raises BundleError, OSError."""
    tally = Tally()
    pages = list(_read_pages(options.site, tally))
    names = list(dict.fromkeys(str(gap.file) for page in pages for gap in page.gaps if gap.file))
    with Model(options.bundle, options.runtime, len(names)) as model:
        task = Task(model, CaptionOptions(beam_width=options.beam_width), _Pages(), options.min_confidence)
        outcomes = map_in_order(task.caption, names, model.at_once)
        known: dict[Path, Outcome] = {}
        for page in pages:
            while any(gap.file and gap.file not in known for gap in page.gaps):
                outcome = _judge(next(outcomes))
                known[Path(outcome.name)] = outcome
                tally.add(outcome)
            try:
                _write(page, known, dry_run=options.dry_run)
            except BrokenPipeError:
                raise
            except OSError as error:
                _fail(error, tally)
    if str(tally):
        complain(str(tally))
    return tally.exit_status


def _judge(outcome: Outcome) -> Outcome:
    if outcome.status is Status.KEPT:
        return replace(outcome, status=Status.UNSURE, reason="too small to describe")
    return outcome


def _read_pages(site: Path, tally: Tally) -> Iterator[Page]:
    """Those with gaps. A page or folder that cannot be read is a failure."""
    for folder, folders, files in walk(site, lambda error: _fail(error, tally)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if Path(name).suffix.lower() in _SUFFIXES:
                try:
                    page = Page(site, Path(folder, name))
                except OSError as error:
                    _fail(error, tally)
                else:
                    if page.gaps:
                        yield page


def _fail(error: OSError, tally: Tally) -> None:
    tally.add(Outcome(str(error.filename), Status.FAILED))
    complain(f"{error.filename}: {error.strerror}")


def _write(page: Page, known: Mapping[Path, Outcome], *, dry_run: bool) -> None:
    texts: dict[Path, str] = {}
    for gap in page.gaps:
        outcome = known[gap.file] if gap.file else Outcome("", Status.UNSURE, reason="not a file of this site")
        if gap.file and outcome.caption:
            texts[gap.file] = outcome.caption.alt_text
            name = show_name(f"{page.path}: {gap.source}", sys.stdout)
            print(f"{name}: {shorten(outcome.caption.alt_text)}", flush=True)
        else:
            complain(f"{page.path}: {gap.source}: {outcome.reason}")
    if texts and not dry_run:
        with replacing(page.path) as stream:
            stream.write(page.fill(texts))

"""`python -m photo_set`: writes docs/photos.md, the photo set with the captions of a bundle beside the photos."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from repository import BUNDLE, ROOT

from photo_set.captions import OTHER_WIDTHS, WIDTHS, SetCaption, caption_set, share_agreeing, share_agreeing_at
from photo_set.photos import read_photo_set
from photocaption.captioner import Captioner

_PAGE = ROOT / "docs" / "photos.md"
_HEAD = """\
# Photos and what is said of them

{photos} freely licensed photos that are not from the training data, with the captions of bundle `{name}` {version},
written by `make photos`. Nothing is left out: the poor captions are the honest part. The confidence is the model's own.

A caption counts as right when it has one of the words that a person set for the photo, in `docs/photos/accepted.json`,
by looking at the photo and at no caption: **{right} of {photos}** do. The last column shows which.

Each photo was also captioned as a copy {widths} pixels wide: {agreeing} of {photos} photos
({share:.0%}) have the same caption at all three sizes; where they differ, the table says so. (A copy wider than its
file is blown up. The files here are at most 1,280 pixels wide.)

A photo whose caption hangs by a thread may agree with itself by luck. So the same was counted at {others} other triples
of widths, between {narrowest} and {widest} pixels: there {least:.0%} to {most:.0%} of the photos have one caption,
**{mean:.0%} over all {triples} triples**.

| photo | caption | confidence | what it shows | right |
|---|---|---|---|---|
"""


def main() -> None:
    """Caption the set and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    captioner = Captioner.load(parser.parse_args().bundle)
    photos = read_photo_set()
    captions = caption_set(captioner, photos)
    elsewhere = [share_agreeing_at(captioner, photos, widths) for widths in OTHER_WIDTHS]
    _PAGE.write_text(write_page(captioner, captions, elsewhere), encoding="utf-8")
    right = sum(caption.is_right for caption in captions)
    print(
        f"Wrote {_PAGE.relative_to(ROOT)}: {right} of {len(captions)} are right, {share_agreeing(captions):.0%} "
        f"have one caption at all sizes, at other sizes {min(elsewhere):.0%} to {max(elsewhere):.0%}"
    )


def write_page(captioner: Captioner, captions: Sequence[SetCaption], elsewhere: Sequence[float]) -> str:
    """The page in Markdown; `elsewhere` is the share of photos with one caption at each of `OTHER_WIDTHS`."""
    manifest = captioner.bundle.manifest
    head = _HEAD.format(
        photos=len(captions),
        name=manifest.name,
        version=manifest.version,
        widths=", ".join(map(str, WIDTHS[:-1])) + f" and {WIDTHS[-1]}",
        right=sum(caption.is_right for caption in captions),
        agreeing=sum(caption.agrees for caption in captions),
        share=share_agreeing(captions),
        others=len(elsewhere),
        narrowest=min(map(min, OTHER_WIDTHS)),
        widest=max(map(max, OTHER_WIDTHS)),
        least=min(elsewhere),
        most=max(elsewhere),
        mean=fmean([share_agreeing(captions), *elsewhere]),
        triples=1 + len(elsewhere),
    )
    return head + "".join(map(_write_row, captions)) + "\n## Credits\n\n" + "".join(map(_write_credit, captions))


def _write_row(caption: SetCaption) -> str:
    photo = caption.photo
    address = Path("..", photo.path.relative_to(ROOT)).as_posix()
    said = caption.original.alt_text
    if not caption.agrees:
        said += "<br>" + "<br>".join(f"{width}: {text}" for width, text in caption.by_width.items())
    return (
        f'| <img src="{address}" width="200" alt="{photo.shows}"> '
        f"| {said} | {caption.original.confidence:.2f} | {photo.shows} | {'yes' if caption.is_right else 'no'} |\n"
    )


def _write_credit(caption: SetCaption) -> str:
    photo = caption.photo
    source = f", <{photo.source}>" if photo.source else ""
    return f"- `{photo.path.name}`: {photo.author}, {photo.licence}; {photo.found_in}{source}\n"


if __name__ == "__main__":
    main()

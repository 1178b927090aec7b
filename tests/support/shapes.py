"""A generated dataset: coloured shapes on a plain ground, each with captions that say what it is.

Small enough to train on in seconds, and honest: the dev photos show the same kinds of things at sizes and places of
their own.
"""

import csv
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

COLOURS = {"red": (220, 30, 30), "green": (60, 190, 60), "blue": (30, 40, 200)}
SHAPES = ("circle", "square")
TEMPLATES = ("a {colour} {shape}", "there is a {colour} {shape}")
NEW_COLOURS = {"yellow": (240, 220, 40), "black": (20, 20, 20)}
Caption = Callable[[str, str], Sequence[str]]


def draw_shape(colour: str, shape: str, *, seed: int, side: int = 96) -> Image.Image:
    """A photo of one shape, its place and size by chance."""
    chance = random.Random(f"{colour} {shape} {seed}")
    image = Image.new("RGB", (side, side), (235, 235, 230))
    size = chance.randint(side // 2, side * 3 // 4)
    left, top = chance.randint(0, side - size), chance.randint(0, side - size)
    box = (left, top, left + size, top + size)
    pencil = ImageDraw.Draw(image)
    (pencil.ellipse if shape == "circle" else pencil.rectangle)(box, fill=(COLOURS | NEW_COLOURS)[colour])
    return image


def caption_shape(colour: str, shape: str) -> Sequence[str]:
    """What English captions say of a shape."""
    return [template.format(colour=colour, shape=shape) for template in TEMPLATES]


def write_shapes(
    folder: Path,
    *,
    train: int = 16,
    dev: int = 3,
    colours: Mapping[str, object] = COLOURS,
    shapes: Sequence[str] = SHAPES,
    caption: Caption = caption_shape,
) -> Path:
    """Write a dataset in Kaggle's layout with `train` and `dev` photos of each colour and shape; returns its folder."""
    (folder / "Images").mkdir(parents=True)
    captions, splits = [("image", "caption")], [("image", "split")]
    for split, count in (("train", train), ("dev", dev)):
        for colour in colours:
            for shape in shapes:
                for number in range(count):
                    name = f"{split}-{colour}-{shape}-{number}.png"
                    draw_shape(colour, shape, seed=hash_place(split, number)).save(folder / "Images" / name)
                    captions += [(name, text) for text in caption(colour, shape)]
                    splits.append((name, split))
    _write_table(folder / "captions.txt", captions)
    _write_table(folder / "splits.csv", splits)
    return folder


def write_labelled_shapes(folder: Path, colours: Sequence[str], count: int) -> Path:
    """Write `count` photos of each colour and shape with labels, the shape's name, and what captions may call it."""
    (folder / "Images").mkdir(parents=True)
    labels, kinds = [("image", "label", "kind", "synset")], [("synset", "label", "accepted")]
    for place, shape in enumerate(SHAPES):
        kinds.append((f"n{place}", shape, f"{shape} {shape}s"))
        for colour in colours:
            for number in range(count):
                name = f"{colour}-{shape}-{number}.png"
                draw_shape(colour, shape, seed=20_000 + number).save(folder / "Images" / name)
                labels.append((name, f"{shape}, flat {shape}", "object", f"n{place}"))
    _write_table(folder / "labels.csv", labels)
    _write_table(folder / "kinds.csv", kinds)
    return folder


def hash_place(split: str, number: int) -> int:
    """A seed of its own for each photo, so that no dev photo is a training photo."""
    return number if split == "train" else 10_000 + number


def _write_table(path: Path, rows: Sequence[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)

"""Draws a dataset of images that are not photos, in the layout for one's own photos: text, drawings, charts, blanks.

A model that was trained on photos alone describes a page of text as people with signs. The images depend on the seed
alone.
"""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

_SIDES = (260, 420)
_PAPERS = ("white", "white", "#fdfcf5", "#f4efe0", "#eeeeee")
_INKS = ("black", "black", "#222222", "#1b2a49", "#3a2a1a")
_COLOURS = {
    "red": "#c8322b",
    "blue": "#2b5fc8",
    "green": "#2b9a4a",
    "yellow": "#e6c229",
    "orange": "#e07b22",
    "black": "#1a1a1a",
    "white": "#ffffff",
    "gray": "#8a8a8a",
}
_SYLLABLES = "ta re mi son der lin ka vo est ing al pre con tor me ly un gra".split()  # noqa: SIM905

Random = np.random.Generator
Drawn = tuple[Image.Image, list[str]]


def draw_dataset(folder: Path, count: int, seed: int = 1) -> None:
    """Write `count` images, each with its captions, to a folder that `training.data.dataset` reads."""
    random = np.random.default_rng(seed)
    (folder / "Images").mkdir(parents=True, exist_ok=True)
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(("image", "caption"))
    for number in range(count):
        draw = _KINDS[number % len(_KINDS)]
        image, captions = draw(random)
        name = f"{draw.__name__.strip('_')}-{number:04}.jpg"
        _degrade(image, random).save(folder / "Images" / name, quality=int(random.integers(60, 95)))
        rows.writerows((name, caption) for caption in captions)
    (folder / "captions.txt").write_text(table.getvalue(), encoding="utf-8")


def _page(random: Random) -> Drawn:
    """Printed text, in one or two columns, perhaps with a title."""
    image, draw, ink = _take_paper(random)
    size, margin = int(random.integers(7, 17)), int(random.integers(10, 36))
    columns, top = int(random.integers(1, 3)), margin
    if random.random() < 0.5:
        draw.text((margin, top), _write(random, 3).title(), ink, ImageFont.load_default(2 * size))
        top += 3 * size
    width = (image.width - margin * (columns + 1)) // columns
    for column in range(columns):
        left = margin + column * (width + margin)
        for y in range(top, image.height - margin, round(1.5 * size)):
            if random.random() < 0.92:  # the others end a paragraph
                _draw_line(draw, (left, y), width, ink, size, random)
    return image, [
        "a page of text",
        "a page with black text on it",
        "a piece of paper with text on it",
        "a close up of a page of a book",
        "the page has text printed on it",
    ]


def _notes(random: Random) -> Drawn:
    """A few large words: a sign, a slide, a cover."""
    image, draw, ink = _take_paper(random)
    if random.random() < 0.5:
        draw.rectangle((0, 0, *image.size), _choose_colour(random))
        ink = "white"
    size = int(random.integers(26, 52))
    for row in range(int(random.integers(1, 4))):
        corner = image.width // 10, image.height // 6 + row * round(1.4 * size)
        draw.text(corner, _write(random, 2), ink, ImageFont.load_default(size))
    return image, [
        "a sign with text on it",
        "a picture of some words",
        "large text on a plain background",
        "a close up of a sign with words on it",
    ]


def _screen(random: Random) -> Drawn:
    """A window with a bar, a list and buttons."""
    image, draw, _ = _take_paper(random)
    bar, accent = int(random.integers(16, 30)), _choose_colour(random)
    draw.rectangle((0, 0, image.width, bar), accent)
    side = image.width // int(random.integers(3, 6))
    draw.rectangle((0, bar, side, image.height), "#e8e8ee")
    for y in range(bar + 10, image.height - 20, 20):
        _draw_line(draw, (8, y), side - 16, "#444444", 9, random)
        width = round((image.width - side - 24) * random.uniform(0.3, 1))
        _draw_line(draw, (side + 12, y), width, "#333333", 10, random)
    for x in range(side + 12, image.width - 50, 70):
        if random.random() < 0.4:
            draw.rounded_rectangle((x, image.height - 30, x + 56, image.height - 10), 4, accent)
    return image, [
        "a screenshot of a computer screen",
        "a computer screen with text on it",
        "a screen shot of a web page",
        "a web page with text on it",
    ]


def _chart(random: Random) -> Drawn:
    """Bars, a line, or a pie."""
    image, draw, ink = _take_paper(random)
    left, top, right, bottom = 40, 24, image.width - 20, image.height - 36
    values = random.uniform(0.1, 1, int(random.integers(4, 10)))
    colours = list(_COLOURS.values())[:6]
    kind = ("bar", "line", "pie")[int(random.integers(3))]
    if kind == "pie":
        ends = np.cumsum(values / values.sum()) * 360
        radius = min(right - left, bottom - top) // 2
        x, y = image.width // 2, image.height // 2
        box = x - radius, y - radius, x + radius, y + radius
        for place, (begin, end) in enumerate(zip(np.concatenate([[0], ends]), ends, strict=False)):
            draw.pieslice(box, begin, end, colours[place % len(colours)], ink)
    else:
        draw.line((left, top, left, bottom, right, bottom), ink, 2)
        steps = np.linspace(left + 10, right - 10, len(values))
        if kind == "bar":
            half = (right - left) // (3 * len(values))
            for place, (x, value) in enumerate(zip(steps, values, strict=True)):
                bar = x - half, bottom - value * (bottom - top), x + half, bottom
                draw.rectangle(bar, colours[place % len(colours)])
        else:
            points = [(x, bottom - value * (bottom - top)) for x, value in zip(steps, values, strict=True)]
            draw.line([part for point in points for part in point], colours[int(random.integers(6))], 3)
    draw.text((left, 4), _write(random, 2), ink, ImageFont.load_default(14))
    return image, [
        f"a {kind} chart",
        f"a {kind} chart on a white background",
        "a chart with numbers and lines",
        "a picture of a chart",
    ]


def _drawing(random: Random) -> Drawn:
    """One to three things in outline."""
    image, draw, ink = _take_paper(random)
    width, coloured = int(random.integers(2, 6)), random.random() < 0.4
    names = list(random.choice(list(_OUTLINES), int(random.integers(1, 4)), replace=False))
    span = image.width / len(names)
    for place, name in enumerate(names):
        side = min(span, image.height) * random.uniform(0.55, 0.85)
        left, top = place * span + (span - side) / 2, random.uniform(0.1, 0.9) * (image.height - side)
        colour = _choose_colour(random) if coloured else ink
        for outline in _OUTLINES[name]:
            draw.line([(left + x * side, top + y * side) for x, y in outline], colour, width, "curve")
    *others, last = (f"a {name}" for name in names)
    what = f"{', '.join(others)} and {last}" if others else last
    return image, [
        f"a line drawing of {what}",
        f"a drawing of {what}",
        "a drawing on white paper",
        "a simple drawing in a few lines",
        f"a child 's drawing of {what}",
    ]


def _blank(random: Random) -> Drawn:
    """One colour, or one that fades into another."""
    width, height = _choose_size(random)
    name = list(_COLOURS)[int(random.integers(len(_COLOURS)))]
    colour = np.array(Image.new("RGB", (1, 1), _COLOURS[name])).reshape(1, 1, 3).astype(float)
    fade = np.linspace(0, random.choice([0, 0, 40]), height)[:, None, None]
    noise = random.normal(0, random.choice([0, 2, 6]), (height, width, 1))
    pixels = np.clip(colour + fade + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels), [
        f"a plain {name} background",
        f"a blank {name} picture",
        f"there is nothing but {name}",
        f"an empty {name} wall",
    ]


_OUTLINES: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "house": (
        ((0.1, 0.5), (0.1, 1), (0.9, 1), (0.9, 0.5), (0.1, 0.5), (0.5, 0.1), (0.9, 0.5)),
        ((0.4, 1), (0.4, 0.7), (0.6, 0.7), (0.6, 1)),
        ((0.2, 0.6), (0.32, 0.6), (0.32, 0.75), (0.2, 0.75), (0.2, 0.6)),
    ),
    "tree": (((0.45, 1), (0.45, 0.6)), ((0.55, 1), (0.55, 0.6)), ((0.15, 0.65), (0.5, 0), (0.85, 0.65), (0.15, 0.65))),
    "boat": (((0, 0.7), (1, 0.7), (0.8, 1), (0.2, 1), (0, 0.7)), ((0.5, 0.7), (0.5, 0), (0.9, 0.6), (0.5, 0.6))),
    "fish": (((0, 0.5), (0.35, 0.25), (0.7, 0.5), (1, 0.25), (1, 0.75), (0.7, 0.5), (0.35, 0.75), (0, 0.5)),),
    "star": (((0.5, 0), (0.79, 0.9), (0.02, 0.35), (0.98, 0.35), (0.21, 0.9), (0.5, 0)),),
    "mountain": (((0, 1), (0.35, 0.2), (0.55, 0.6), (0.7, 0.4), (1, 1), (0, 1)),),
    "person": (
        ((0.5, 0.3), (0.5, 0.7), (0.3, 1)),
        ((0.5, 0.7), (0.7, 1)),
        ((0.2, 0.45), (0.8, 0.45)),
        ((0.4, 0.15), (0.5, 0.02), (0.6, 0.15), (0.5, 0.28), (0.4, 0.15)),
    ),
    "car": (
        ((0, 0.8), (0, 0.55), (0.2, 0.5), (0.35, 0.3), (0.7, 0.3), (0.85, 0.5), (1, 0.55), (1, 0.8), (0, 0.8)),
        ((0.15, 0.8), (0.22, 0.92), (0.3, 0.8)),
        ((0.7, 0.8), (0.78, 0.92), (0.86, 0.8)),
    ),
    "flower": (
        ((0.5, 1), (0.5, 0.5)),
        ((0.5, 0.5), (0.2, 0.4), (0.35, 0.2), (0.5, 0), (0.65, 0.2), (0.8, 0.4), (0.5, 0.5)),
        ((0.5, 0.8), (0.7, 0.65)),
    ),
    "sun": (
        (
            (0.3, 0.5),
            (0.36, 0.36),
            (0.5, 0.3),
            (0.64, 0.36),
            (0.7, 0.5),
            (0.64, 0.64),
            (0.5, 0.7),
            (0.36, 0.64),
            (0.3, 0.5),
        ),
        *(
            ((0.5 + 0.28 * x, 0.5 + 0.28 * y), (0.5 + 0.45 * x, 0.5 + 0.45 * y))
            for x, y in ((0, -1), (1, 0), (0, 1), (-1, 0))
        ),
    ),
}
"""Things as lines in a square whose sides are 1."""


def _take_paper(random: Random) -> tuple[Image.Image, ImageDraw.ImageDraw, str]:
    image = Image.new("RGB", _choose_size(random), random.choice(_PAPERS))
    return image, ImageDraw.Draw(image), str(random.choice(_INKS))


def _choose_colour(random: Random) -> str:
    """One of the darker colours."""
    return list(_COLOURS.values())[int(random.integers(5))]


def _choose_size(random: Random) -> tuple[int, int]:
    width, height = random.integers(*_SIDES, 2)
    return int(width), int(height)


def _write(random: Random, words: int) -> str:
    """Random words of no language."""
    return " ".join("".join(random.choice(_SYLLABLES, random.integers(1, 5))) for _ in range(words))


def _draw_line(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], width: int, ink: str, size: int, random: Random
) -> None:
    """Draw a line of text of at most `width` pixels."""
    font, text = ImageFont.load_default(size), _write(random, 14)
    while text and draw.textlength(text, font) > width:
        text = text.rpartition(" ")[0]
    draw.text(corner, text, ink, font)


def _degrade(image: Image.Image, random: Random) -> Image.Image:
    """Rotate slightly and blur, as in a scan or a photo of a page."""
    rotated = image.rotate(random.normal(0, 1.5), Image.Resampling.BICUBIC, fillcolor=image.getpixel((1, 1)))
    return rotated.filter(ImageFilter.GaussianBlur(random.uniform(0, 0.8)))


_KINDS: tuple[Callable[[Random], Drawn], ...] = (_page, _drawing, _notes, _page, _drawing, _chart, _screen, _blank)

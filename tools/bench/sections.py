"""Sections of the document: text, tables, and bars, which are targets with the measured value."""

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise, the number that was measured for it, and whether it is met."""

    promise: str
    measured: str
    met: bool


@dataclass
class Section:
    """A part of the document: `lines` of Markdown under a heading, bars, and a plot by file name.

    `failed`: it could not be measured.
    """

    heading: str
    lines: list[str] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    plot: str | None = None
    failed: bool = False

    def say(self, text: str) -> None:
        """Add a paragraph."""
        self.lines += [text, ""]

    def tabulate(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table; floats are shown with as many digits as matter."""
        self.lines += [
            _row(header),
            _row(["---"] * len(header)),
            *(_row([_show(cell) for cell in row]) for row in rows),
        ]
        self.lines.append("")

    def hold(self, promise: str, measured: str, met: bool) -> None:
        """Note whether a promise is met."""
        self.bars.append(Bar(promise, measured, met))


def attempt(part: str, measure: Callable[[], list[Section]]) -> list[Section]:
    """What a part of the benchmark finds; where it fails, a section that says so: the other parts took long, too."""
    print(f"measuring: {part}", flush=True)
    begun = time.perf_counter()
    try:
        return measure()
    except Exception as error:
        traceback.print_exc()
        section = Section(part.capitalize(), failed=True)
        section.say(f"Not measured, because it failed: {type(error).__name__}.")
        section.hold(f"{part} can be measured", "it failed", met=False)
        return [section]
    finally:
        print(f"{part} took {time.perf_counter() - begun:.0f} s", flush=True)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _show(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 1 else f"{cell:.2f}"

"""What a part of the benchmark found: text and tables for the document, and the bars that it was held to."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise, the number that was measured for it, and whether it is met."""

    promise: str
    measured: str
    met: bool


@dataclass
class Section:
    """A part of the document: `lines` of Markdown under a heading, bars, and a plot by file name."""

    heading: str
    lines: list[str] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    plot: str | None = None

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


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _show(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 1 else f"{cell:.2f}"

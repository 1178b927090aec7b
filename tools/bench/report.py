"""Writes docs/benchmarks.md from the sections."""

from datetime import UTC, datetime
from pathlib import Path

from bench.sections import Section

_FOLDER = "benchmarks"


def write_report(sections: list[Section], machine: str, minutes: float, docs: Path) -> Path:
    """Write the document below `docs`; the plots are in its folder already."""
    path = docs / f"{_FOLDER}.md"
    path.write_text("\n".join(_lines(sections, machine, minutes)) + "\n", encoding="utf-8")
    return path


def plot_folder(docs: Path) -> Path:
    """Where the plots go."""
    folder = docs / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _lines(sections: list[Section], machine: str, minutes: float) -> list[str]:
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {datetime.now(UTC):%d %B %Y} in one run of {minutes:.0f} minutes. Figures are of",
        "this machine and this run, medians; ratios are paired within it.",
        "",
        f"Machine: {machine}.",
        "",
        "| bar | measured | |",
        "| --- | --- | --- |",
    ]
    bars = [bar for section in sections for bar in section.bars]
    lines += [f"| {bar.promise} | {bar.measured} | {'met' if bar.met else '**not met**'} |" for bar in bars]
    for section in sections:
        lines += ["", f"## {section.heading}", "", *section.lines]
        if section.plot:
            lines.append(f"![{section.heading}]({_FOLDER}/{section.plot})")
    return [line for number, line in enumerate(lines) if line or not number or lines[number - 1]]

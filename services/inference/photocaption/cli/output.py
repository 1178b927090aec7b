"""Writes the outcomes of photos as text, JSON lines or CSV.

Rows of JSON lines and CSV include failures; text has only captions.
"""

import csv
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TextIO

from photocaption.caption import Caption
from photocaption.cli.messages import show_name
from photocaption.cli.outcome import Outcome

Format = Literal["text", "jsonl", "csv"]
Write = Callable[[Outcome], None]

FORMATS: tuple[Format, ...] = ("text", "jsonl", "csv")


@dataclass(frozen=True, slots=True)
class Layout:
    """`alternatives`: how many columns a CSV has for them; `named`: whether text says which photo a caption is of."""

    format: Format
    alternatives: int = 0
    named: bool = True


def open_writer(stream: TextIO, layout: Layout, *, header: bool = True) -> Write:
    """A function that writes an outcome to the stream; `header`: whether to begin with the header of a CSV."""
    if layout.format == "jsonl":
        return lambda outcome: _write_json_line(stream, outcome)
    if layout.format == "csv":
        return _open_csv(stream, layout.alternatives, header=header)
    return lambda outcome: _write_text(stream, outcome, named=layout.named)


def name_columns(alternatives: int) -> list[str]:
    """The columns of a CSV. The last field shows whether a row is complete."""
    others = (f"alternative_{number}" for number in range(1, alternatives + 1))
    return ["file", "caption", "alt_text", "confidence", *others, "error", "sha256"]


def _write_text(stream: TextIO, outcome: Outcome, *, named: bool) -> None:
    if outcome.caption is None:
        return
    prefix = f"{show_name(outcome.name, stream)}: " if named else ""
    print(f"{prefix}{outcome.caption.alt_text}", file=stream, flush=True)
    for alternative in outcome.caption.alternatives:
        print(f"    {alternative.confidence:4.0%}  {alternative.alt_text}", file=stream, flush=True)


def _write_json_line(stream: TextIO, outcome: Outcome) -> None:
    if outcome.caption is not None:
        line = {"file": outcome.name, **_to_json(outcome.caption)}
    else:
        line = {
            "file": outcome.name,
            "error": outcome.reason,
            "sha256": outcome.sha256 or None,
            "confidence": outcome.confidence,
        }
    print(_dump(line), file=stream, flush=True)


def _dump(line: dict[str, Any]) -> str:
    """The line as JSON; where the name of a file is not UTF-8, with escapes for its bytes."""
    text = json.dumps(line, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(line)
    return text


def _to_json(caption: Caption) -> dict[str, Any]:
    """The caption under the names that the HTTP API uses; without the timings, so that the same photo gives the same
    line."""
    values = asdict(caption)
    del values["timings"]
    values["words"] = [{"word": word.word, "probability": word.probability} for word in caption.words]
    return values


def _open_csv(stream: TextIO, alternatives: int, *, header: bool) -> Write:
    writer = csv.writer(stream)
    if header:
        writer.writerow(name_columns(alternatives))

    def write(outcome: Outcome) -> None:
        rated = outcome.caption.confidence if outcome.caption else outcome.confidence
        confidence = "" if rated is None else f"{rated:.4f}"
        texts = _list_texts(outcome.caption, alternatives)
        writer.writerow([outcome.name, *texts[:2], confidence, *texts[2:], outcome.reason, outcome.sha256])
        stream.flush()

    return write


def _list_texts(caption: Caption | None, alternatives: int) -> list[str]:
    texts = [] if caption is None else [caption.caption, caption.alt_text]
    texts += [] if caption is None else [alternative.caption for alternative in caption.alternatives]
    return texts + [""] * (2 + alternatives - len(texts))

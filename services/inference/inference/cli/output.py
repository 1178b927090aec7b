"""Writes the captions of many photos, one after the other, for people (text) and for programs (JSON lines, CSV)."""

import csv
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal, TextIO

from inference.caption import Caption
from inference.model.sentence import write_alt_text

Format = Literal["text", "jsonl", "csv"]
Write = Callable[[str, Caption], None]

FORMATS: tuple[Format, ...] = ("text", "jsonl", "csv")


def open_writer(stream: TextIO, format_name: Format, *, alternatives: int = 0, named: bool = True) -> Write:
    """A function that writes the caption of a named photo to the stream.

    `alternatives`: how many columns a CSV has for them; `named`: whether text says which photo a caption belongs to.
    """
    if format_name == "jsonl":
        return lambda name, caption: _write_json_line(stream, name, caption)
    if format_name == "csv":
        return _open_csv(stream, alternatives)
    return lambda name, caption: _write_text(stream, f"{name}: " if named else "", caption)


def _write_text(stream: TextIO, prefix: str, caption: Caption) -> None:
    print(f"{prefix}{caption.alt_text}", file=stream, flush=True)
    for alternative in caption.alternatives:
        sentence = write_alt_text(alternative.caption.split())
        print(f"    {alternative.confidence:4.0%}  {sentence}", file=stream, flush=True)


def _write_json_line(stream: TextIO, name: str, caption: Caption) -> None:
    line = {"file": name, **_to_json(caption)}
    print(json.dumps(line, ensure_ascii=False), file=stream, flush=True)


def _to_json(caption: Caption) -> dict[str, Any]:
    """The caption under the names that the HTTP API uses; without the timings, so that the same photo gives the same
    line."""
    values = asdict(caption)
    del values["timings"]
    values["words"] = [{"word": word.word, "probability": word.probability} for word in caption.words]
    return values


def _open_csv(stream: TextIO, alternatives: int) -> Write:
    writer = csv.writer(stream)
    writer.writerow(
        ["file", "caption", "alt_text", "confidence", *(f"alternative_{n}" for n in range(1, alternatives + 1))]
    )

    def write(name: str, caption: Caption) -> None:
        others = [alternative.caption for alternative in caption.alternatives]
        missing = [""] * (alternatives - len(others))
        writer.writerow([name, caption.caption, caption.alt_text, f"{caption.confidence:.4f}", *others, *missing])
        stream.flush()

    return write

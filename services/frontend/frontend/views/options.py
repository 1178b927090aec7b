"""Reads the options of a caption from a form or a query, with any invalid values."""

from collections.abc import Mapping

from frontend.inference.client import Options

DEFAULT_ALTERNATIVES = 3
MAX_BEAM_WIDTH = 10
MAX_ALTERNATIVES = 10


def read_options(fields: Mapping[str, str], *, attention: bool) -> Options:
    """Options from text fields; what is missing or makes no sense gets its default, what is too large the largest."""
    beam_width = _read_count(fields.get("beam_width"))
    alternatives = _read_count(fields.get("alternatives"))
    return Options(
        beam_width=None if not beam_width else min(beam_width, MAX_BEAM_WIDTH),
        alternatives=DEFAULT_ALTERNATIVES if alternatives is None else min(alternatives, MAX_ALTERNATIVES),
        attention=attention,
    )


def _read_count(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 4 else None

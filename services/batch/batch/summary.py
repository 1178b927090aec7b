"""What came of a run, as it is kept beside its rows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """Photos `listed`, of these `already` in the output or listed twice; `captioned` and, by kind, `failed` now."""

    run: str
    model: str
    model_version: str
    listed: int
    already: int
    captioned: int
    failed: dict[str, int]
    seconds: float
    ended: str

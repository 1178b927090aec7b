"""The result of each photo, for the record, the summary line and the exit status."""

from collections import Counter
from dataclasses import dataclass
from enum import Enum

from photocaption.caption import Caption


class Status(Enum):
    """The status of a photo; the values are the words of the summary line."""

    CAPTIONED = "captioned"
    WANTED = "to do"
    KEPT = "there already"
    UNSURE = "unsure"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of the photo of this name: its caption, or in `reason` why it has none.

    `sha256`: of the file, in hex; empty where it could not be read. `confidence`: of one that is left to a person.
    """

    name: str
    status: Status
    sha256: str = ""
    caption: Caption | None = None
    reason: str = ""
    confidence: float | None = None


class Tally:
    """Counts photos by status."""

    def __init__(self) -> None:
        self._counts: Counter[Status] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count `outcome` by its status."""
        self._counts[outcome.status] += 1

    @property
    def exit_status(self) -> int:
        """0 where nothing failed, 1 where something did, 2 where all did; what is left to a person has not failed."""
        failed = self._counts[Status.FAILED]
        if not failed:
            return 0
        return 2 if failed == self._counts.total() else 1

    def __str__(self) -> str:
        """Such as "8 captioned, 1 failed"; empty where every photo, or the only one, got its caption."""
        if self._counts.total() == self._counts[Status.CAPTIONED] or self._counts.total() == 1:
            return ""
        return ", ".join(f"{self._counts[status]} {status.value}" for status in Status if self._counts[status])

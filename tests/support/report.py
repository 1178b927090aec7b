"""Measurements of the tests of docker-compose.yml, printed at the end."""

from dataclasses import dataclass, field

from support.load import Load


@dataclass
class Report:
    """Lines, and how many of the requests that were sent while something happened got no caption."""

    lines: list[str] = field(default_factory=list)
    sent: int = 0
    lost: int = 0

    def note(self, line: str) -> None:
        """Add a line."""
        self.lines.append(line)

    def count(self, event: str, load: Load) -> None:
        """Add what a load lost while `event` happened."""
        self.sent += load.sent
        self.lost += len(load.lost)
        self.note(f"{event}: {len(load.lost)} of {load.sent} requests lost")

    def summarise(self) -> list[str]:
        """All lines, and the sum of the losses."""
        return [*self.lines, *([f"requests lost in all: {self.lost} of {self.sent}"] if self.sent else [])]

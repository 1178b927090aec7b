"""Which protection stands behind each promise, and how to take it out: read from `protections.toml`."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_TABLE = Path(__file__).with_name("protections.toml")


@dataclass(frozen=True)
class Mutation:
    """Replacing `old` by `new` in `file` breaks `promise`, a row of SECURITY.md, and `test`, which the row names."""

    promise: str
    file: str
    old: str
    new: str
    test: str

    @contextmanager
    def applied(self, root: Path) -> Iterator[None]:
        """Have the protection out of the copy of the repository at `root` for the length of the block."""
        path = root / self.file
        sound = path.read_text(encoding="utf-8")
        path.write_text(sound.replace(self.old, self.new), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(sound, encoding="utf-8")


def read_mutations() -> list[Mutation]:
    """All of them, in the order of the file."""
    return [Mutation(**entry) for entry in tomllib.loads(_TABLE.read_text(encoding="utf-8"))["mutation"]]

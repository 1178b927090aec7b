"""docs/development.md leads to files that are there."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_FOLDERS = ("services", "training", "deploy", "tools", "tests")
_NAMED = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py|toml|json|yml|html|css|js))`")


def test_every_file_that_is_named_is_there() -> None:
    named = set(_NAMED.findall((_ROOT / "docs" / "development.md").read_text(encoding="utf-8")))
    there = [path.as_posix() for folder in _FOLDERS for path in (_ROOT / folder).rglob("*.*")]

    assert len(named) > 40
    assert [name for name in sorted(named) if not any(path.endswith(f"/{name}") for path in there)] == []

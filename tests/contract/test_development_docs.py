"""docs/development.md leads to files that are there, and to what it says is in them."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_FOLDERS = ("services", "training", "deploy", "tools", "tests")
_DOCUMENT = (_ROOT / "docs" / "development.md").read_text(encoding="utf-8")
_FILE = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py|toml|json|yml|conf|html|css|js))`")
_FOLDER = re.compile(r"`((?:[\w-]+/)+[\w-]*)`")
_SYMBOL = re.compile(r"`([A-Za-z_]{4,})(?:\(…\))?`")
_ELSEWHERE = {"Makefile"}


def test_every_file_that_is_named_is_there() -> None:
    named = set(_FILE.findall(_DOCUMENT))

    assert len(named) > 40
    assert [name for name in sorted(named) if not _find(name)] == []


def test_what_a_row_names_is_in_the_files_that_it_names() -> None:
    rows = [row for row in _DOCUMENT.partition("## Where a change goes")[2].splitlines() if row.startswith("| ")]
    missing = [(symbol, row) for row in rows for symbol in _SYMBOL.findall(row) if not _is_there(symbol, row)]

    assert len(rows) > 20
    assert missing == []


def _find(name: str) -> list[Path]:
    found = (path for folder in _FOLDERS for path in (_ROOT / folder).rglob(Path(name).name))
    below = [path for path in found if path.as_posix().endswith(f"/{name.rstrip('/')}")]
    return [_ROOT / name] if (_ROOT / name).is_file() else below


def _is_there(symbol: str, row: str) -> bool:
    folders = [place for name in _FOLDER.findall(row) for place in _find(name)]
    files = [place for name in _FILE.findall(row) for place in _find(name)]
    files += [path for folder in folders for path in folder.rglob("*.py")]
    word = re.compile(rf"\b{symbol}\b")
    return symbol in _ELSEWHERE or any(word.search(path.read_text(encoding="utf-8")) for path in files)

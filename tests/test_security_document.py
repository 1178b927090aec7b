"""SECURITY.md names a test for every promise; here they are looked up."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_DOCUMENT = (_ROOT / "SECURITY.md").read_text(encoding="utf-8")
_NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", _DOCUMENT)


def test_every_test_that_is_named_exists() -> None:
    missing = [f"{path}::{name}" for path, name in _NAMED if f"def {name}(" not in _read(path)]

    assert len(_NAMED) > 40
    assert missing == []


def test_every_promise_has_a_test() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", _DOCUMENT.partition("## Promises")[2], re.MULTILINE)
    promises = [(promise, tests) for promise, tests in rows if promise not in ("promise", "---")]

    assert len(promises) > 40
    assert [promise for promise, tests in promises if "::" not in tests] == []


def _read(path: str) -> str:
    file = _ROOT / path
    return file.read_text(encoding="utf-8") if file.exists() else ""

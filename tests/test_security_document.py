"""SECURITY.md names a test for every promise; here they are looked up. `make prove` shows that they can fail."""

import re
from pathlib import Path

import pytest
from mutations.table import ROOT, Mutation, read_mutations

_DOCUMENT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
_NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", _DOCUMENT)
_MUTATIONS = read_mutations()


def read_promises() -> dict[str, str]:
    """The promises, each with the tests of its row."""
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", _DOCUMENT.partition("## Promises")[2], re.MULTILINE)
    return {promise: tests for promise, tests in rows if promise not in ("promise", "---")}


def test_every_test_that_is_named_exists() -> None:
    missing = [f"{path}::{name}" for path, name in _NAMED if f"def {name}(" not in _read(path)]

    assert len(_NAMED) > 60
    assert missing == []


def test_every_promise_has_a_test_and_a_protection_that_can_be_taken_out() -> None:
    promises = read_promises()

    assert len(promises) > 50
    assert [promise for promise, tests in promises.items() if "::" not in tests] == []
    assert set(promises) == {mutation.promise for mutation in _MUTATIONS}


def test_every_test_that_is_named_is_proven_to_fail() -> None:
    proven = {(path, name) for path, *_, name in (mutation.test.split("::") for mutation in _MUTATIONS)}

    assert set(_NAMED) == proven


@pytest.mark.parametrize("mutation", _MUTATIONS, ids=lambda mutation: f"{mutation.promise}, {mutation.file}")
def test_the_protection_is_where_the_table_says(mutation: Mutation) -> None:
    assert _read(mutation.file).count(mutation.old) == 1
    assert mutation.new != mutation.old

    path, *_, name = mutation.test.split("::")
    assert f"`{path}::{name}`" in read_promises()[mutation.promise]


def _read(path: str) -> str:
    file: Path = ROOT / path
    return file.read_text(encoding="utf-8") if file.exists() else ""

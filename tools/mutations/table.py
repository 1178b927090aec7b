"""The protection for each promise of SECURITY.md, and the change that removes it, from `protections.toml`."""

import ast
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from repository import ROOT

from mutations.change import Change, TextChange

PACKAGES = ("services/inference", "services/frontend", "training")

_TABLE = Path(__file__).with_name("protections.toml")
_TESTS = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@dataclass(frozen=True)
class Mutation:
    """With `change` in `file`, `promise`, a row of SECURITY.md, is broken, and `test`, which the row names, fails."""

    promise: str
    test: str
    file: str
    change: Change | TextChange

    @property
    def node_id(self) -> str:
        """The test as pytest names it, with its class. Raises LookupError where there is none."""
        path, _, name = self.test.partition("::")
        return "::".join([path, *_find_test(path, name)])

    @contextmanager
    def applied(self, root: Path) -> Iterator[None]:
        """Have the protection out of the copy of the repository at `root` for the length of the block."""
        path = root / self.file
        sound = path.read_text(encoding="utf-8")
        path.write_text(self.change.apply(sound), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(sound, encoding="utf-8")


def read_promises() -> dict[str, list[str]]:
    """The promises of SECURITY.md, each with its tests as `path::name`."""
    document = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("## Promises")[2]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", document, re.MULTILINE)
    return {
        promise: ["::".join(test) for test in _TESTS.findall(tests)]
        for promise, tests in rows
        if promise not in ("promise", "---")
    }


def read_table() -> dict[str, list[dict[str, str]]]:
    """The entries of `protections.toml` by test, as `path::name`."""
    table: dict[str, dict[str, Any]] = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return {
        f"{path}::{name}": entries if isinstance(entries, list) else [entries]
        for path, tests in table.items()
        for name, entries in tests.items()
    }


def read_mutations() -> list[Mutation]:
    """All of them, in the order of SECURITY.md."""
    table = read_table()
    return [
        Mutation(promise, test, *_read_change(entry))
        for promise, tests in read_promises().items()
        for test in tests
        for entry in table.get(test, ())
    ]


def _read_change(entry: dict[str, str]) -> tuple[str, Change | TextChange]:
    if "file" in entry:
        return entry["file"], TextChange(entry["pattern"], entry["by"])
    module, _, symbol = entry["in"].partition(":")
    (part,) = entry.keys() - {"in", "by"}
    if part in ("body", "value", "insert"):
        return _find_file(module), Change(symbol, part, "", entry[part])
    default = "False" if part == "condition" else "pass"
    return _find_file(module), Change(symbol, part, entry[part], entry.get("by", default))


def _find_file(module: str) -> str:
    """The source of a module of ours. Raises LookupError."""
    for package in PACKAGES:
        file = f"{package}/{module.replace('.', '/')}.py"
        if (ROOT / file).is_file():
            return file
    msg = f"there is no module {module}"
    raise LookupError(msg)


@cache
def _find_test(path: str, name: str) -> tuple[str, ...]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for node in tree.body:
        inside = [node.name] if isinstance(node, ast.ClassDef) else []
        for test in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) and test.name == name:
                return (*inside, name)
    msg = f"there is no {path}::{name}"
    raise LookupError(msg)

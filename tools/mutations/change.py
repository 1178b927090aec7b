"""Changes a source file to remove a protection: the place is found by its symbol and its part in the syntax tree.

It does not depend on names of local variables or on the layout of the lines. A symbol or a part that does not occur, or
occurs more than once, is an error.
"""

import ast
import builtins
import re
import textwrap
from dataclasses import dataclass

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_Assignment = ast.Assign | ast.AnnAssign
_COMPOUND = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.Match,
    *_Definition.__args__,
)


@dataclass(frozen=True)
class Change:
    """Puts `by` in the place of a part of what `symbol` names, such as `Class.method`, in a module's source.

    The parts: the `body` of a function; the `value` of an assignment; a `condition` of `if`, `while` or a
    comprehension, or a simple `statement`, that mentions `name`; the `argument` that a call gives under `name`; a
    `call` of it; an `expression` that is it, as a name, a text, or the end of a path such as `limits.name`. With
    `insert`, `by` comes before the body of a function.
    """

    symbol: str
    part: str
    name: str
    by: str

    def apply(self, source: str) -> str:
        """The source with the change. Raises LookupError unless there is one such part, and `by` fits into it."""
        tree = ast.parse(source)
        owner = _find_symbol(tree, self.symbol)
        begin, end = self._find_span(owner)
        _check_names(self.by, owner, tree)
        lines = source.encode().splitlines(keepends=True)
        head = b"".join([*lines[: begin[0] - 1], lines[begin[0] - 1][: begin[1]]])
        tail = b"".join([lines[end[0] - 1][end[1] :], *lines[end[0] :]])
        changed = head + textwrap.indent(self.by, " " * begin[1]).strip().encode() + tail
        if self.part == "insert":
            changed = head + self.by.encode() + b"\n" + b" " * begin[1] + tail
        ast.parse(changed)
        return changed.decode()

    def _find_span(self, owner: ast.stmt) -> tuple[tuple[int, int], tuple[int, int]]:
        if self.part in ("body", "insert"):
            first, *_ = body = _read_body(owner)
            begin = (first.lineno, first.col_offset)
            return begin, begin if self.part == "insert" else _end_of(body[-1])
        found = _find_parts(owner, self.part, self.name)
        if len(found) != 1:
            msg = f"{self.symbol} has {len(found)} such parts: {self.part} {self.name}"
            raise LookupError(msg)
        return (found[0].lineno, found[0].col_offset), _end_of(found[0])


@dataclass(frozen=True)
class TextChange:
    """Puts `by` in the place of what a regular expression finds, in a file that is not Python; `^` begins a line."""

    pattern: str
    by: str

    def apply(self, text: str) -> str:
        """The text with the change. Raises LookupError unless there is one such place."""
        found = re.findall(self.pattern, text, re.MULTILINE)
        if len(found) != 1:
            msg = f"found {len(found)} times: {self.pattern}"
            raise LookupError(msg)
        return re.sub(self.pattern, lambda _: self.by, text, flags=re.MULTILINE)


def _find_symbol(tree: ast.Module, symbol: str) -> ast.stmt:
    place: ast.Module | ast.stmt = tree
    for name in symbol.split("."):
        found = [node for node in getattr(place, "body", ()) if name in _names_of(node)]
        if len(found) != 1:
            msg = f"{len(found)} definitions of {symbol}"
            raise LookupError(msg)
        (place,) = found
    assert isinstance(place, ast.stmt)
    return place


def _names_of(node: ast.stmt) -> set[str]:
    """What a statement binds."""
    if isinstance(node, _Definition):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}


def _read_body(owner: ast.stmt) -> list[ast.stmt]:
    """The statements of a function behind its docstring."""
    if not isinstance(owner, ast.FunctionDef | ast.AsyncFunctionDef):
        raise LookupError("only functions have a body to change")
    return owner.body[1:] if ast.get_docstring(owner) is not None else owner.body


def _find_parts(owner: ast.stmt, part: str, name: str) -> list[ast.expr | ast.stmt]:
    nodes = list(ast.walk(owner))
    match part:
        case "value":
            return [owner.value] if isinstance(owner, _Assignment) and owner.value is not None else []
        case "condition":
            return [test for node in nodes for test in _read_tests(node) if _mentions(test, name)]
        case "statement":
            simple = (node for node in nodes if isinstance(node, ast.stmt) and not isinstance(node, _COMPOUND))
            return [node for node in simple if _mentions(node, name)]
        case "argument":
            return [node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == name]
        case "call":
            return [node for node in nodes if isinstance(node, ast.Call) and _last_name(node.func) == name]
        case _:
            return [node for node in nodes if isinstance(node, ast.expr) and name in _names_of_expression(node)]


def _read_tests(node: ast.AST) -> list[ast.expr]:
    """The conditions of a statement, of a conditional expression, or of a comprehension."""
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        return [node.test]
    return node.ifs if isinstance(node, ast.comprehension) else []


def _mentions(node: ast.AST, name: str) -> bool:
    """Whether a name, an attribute or a text in it is called so; the empty name stands for any."""
    return not name or any(name in _names_of_expression(child) for child in ast.walk(node))


def _names_of_expression(node: ast.AST) -> tuple[object, ...]:
    return (node.value,) if isinstance(node, ast.Constant) else (_last_name(node),)


def _last_name(node: ast.AST) -> str | None:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None


def _check_names(code: str, owner: ast.stmt, tree: ast.Module) -> None:
    """Raise LookupError where the code uses a name that is not there: it would fail by itself, and prove nothing."""
    known = set(dir(builtins)).union(*map(_names_of, tree.body))
    known |= {node.id for node in ast.walk(owner) if isinstance(node, ast.Name)}
    known |= {node.arg for node in ast.walk(owner) if isinstance(node, ast.arg)}
    new = ast.parse(textwrap.dedent(code))
    known |= {node.arg for node in ast.walk(new) if isinstance(node, ast.arg)}
    unknown = {node.id for node in ast.walk(new) if isinstance(node, ast.Name)} - known
    if unknown:
        msg = f"there is no {', '.join(sorted(unknown))}"
        raise LookupError(msg)


def _end_of(node: ast.expr | ast.stmt) -> tuple[int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.end_lineno, node.end_col_offset

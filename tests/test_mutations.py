"""Given a source, its protection is taken out wherever it stands now; what cannot be found is an error."""

from textwrap import dedent

import pytest
from mutations.change import Change, TextChange

_SOURCE = dedent(
    '''
    import signal
    from limits import Limits

    MOST: int = 4 * 2**20  # bytes


    class Gate:
        """Lets in."""

        def admit(self, size: int) -> bool:
            """Whether there is room for so much: 1 €."""
            if size > self.limits.most: raise ValueError("ü")
            with self.lock:
                self.open(size, timeout=self.limits.seconds)
                signal.alarm(10)
            return [one for one in self.waiting if one.alive] != []


    @cache
    def read(name: str) -> bytes:
        try:
            return (FOLDER / name).read_bytes()
        except Exception as error:
            raise LookupError from error
    '''
)


@pytest.mark.parametrize(
    ("change", "old", "new"),
    [
        (Change("MOST", "value", "", "1"), "4 * 2**20", "1"),
        (Change("MOST", "expression", "int", "float"), "MOST: int", "MOST: float"),
        (Change("Gate.admit", "condition", "most", "False"), "size > self.limits.most", "False"),
        (Change("Gate.admit", "condition", "alive", "True"), "if one.alive]", "if True]"),
        (Change("Gate.admit", "statement", "alarm", "pass"), "signal.alarm(10)", "pass"),
        (Change("Gate.admit", "argument", "timeout", "60"), "timeout=self.limits.seconds", "timeout=60"),
        (Change("Gate.admit", "call", "open", "size"), "self.open(size, timeout=self.limits.seconds)", "size"),
        (Change("Gate.admit", "expression", "seconds", "None"), "self.limits.seconds", "None"),
        (Change("Gate.admit", "expression", "ü", "''"), '"ü"', "''"),
        (Change("Gate.admit", "insert", "", "return True"), "if size >", "return True\n        if size >"),
        (Change("read", "expression", "cache", "staticmethod"), "@cache", "@staticmethod"),
        (Change("read", "expression", "Exception", "OSError"), "except Exception", "except OSError"),
    ],
)
def test_a_part_is_replaced_and_nothing_else(change: Change, old: str, new: str) -> None:
    assert _SOURCE.count(old) == 1
    assert change.apply(_SOURCE) == _SOURCE.replace(old, new)


def test_a_body_is_replaced_up_to_its_end_and_keeps_its_docstring() -> None:
    changed = Change("Gate.admit", "body", "", "size += 1\nreturn True").apply(_SOURCE)

    head, _, body = _SOURCE.partition("        if size")
    tail = body[body.index("\n\n\n@cache") :]
    assert changed == f"{head}        size += 1\n        return True{tail}"


def test_neither_a_renamed_variable_nor_another_layout_makes_a_difference() -> None:
    moved = _SOURCE.replace("size", "count").replace("(count, timeout=", "(\n    count,\n    timeout=")

    assert "timeout=60" in Change("Gate.admit", "argument", "timeout", "60").apply(moved)
    assert "if False:" in Change("Gate.admit", "condition", "most", "False").apply(moved)


@pytest.mark.parametrize(
    "change",
    [
        Change("Gate.enter", "body", "", "pass"),  # no such symbol
        Change("Gate", "body", "", "pass"),  # nothing that has one
        Change("read", "value", "", "1"),
        Change("Gate.admit", "condition", "least", "False"),  # no such part
        Change("Gate.admit", "condition", "", "False"),  # two
        Change("Gate.admit", "expression", "limits", "None"),
        Change("Gate.admit", "body", "", "return length > 1"),  # a name that is not there
    ],
    ids=lambda change: f"{change.symbol} {change.part} {change.name}",
)
def test_what_is_not_there_or_there_twice_is_an_error(change: Change) -> None:
    with pytest.raises(LookupError):
        change.apply(_SOURCE)


def test_other_files_are_changed_by_what_an_expression_finds() -> None:
    text = "USER 1000\nRUN id\n"

    assert TextChange("^USER .*", "USER 0").apply(text) == "USER 0\nRUN id\n"
    for pattern in ("^COPY", "[UR]"):
        with pytest.raises(LookupError):
            TextChange(pattern, "").apply(text)

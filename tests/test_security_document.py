"""SECURITY.md names a test for every promise; here they are looked up. `make prove` shows that they can fail."""

from dataclasses import replace
from itertools import chain

import pytest
from mutations.table import Mutation, read_mutations, read_promises, read_table
from repository import ROOT

_MUTATIONS = read_mutations()


def test_every_promise_has_a_test() -> None:
    promises = read_promises()

    assert len(promises) > 50
    assert [promise for promise, tests in promises.items() if not tests] == []


def test_every_test_that_is_named_is_proven_to_fail() -> None:
    assert set(read_table()) == set(chain.from_iterable(read_promises().values()))


@pytest.mark.parametrize("mutation", _MUTATIONS, ids=lambda mutation: f"{mutation.promise}, {mutation.file}")
def test_the_test_is_there_and_the_protection_can_be_taken_out(mutation: Mutation) -> None:
    sound = (ROOT / mutation.file).read_text(encoding="utf-8")

    assert mutation.change.apply(sound) != sound
    assert mutation.node_id.startswith("tests/")


def test_a_test_that_is_gone_is_an_error() -> None:
    with pytest.raises(LookupError):
        _ = replace(_MUTATIONS[0], test="tests/test_security_document.py::test_that_was_renamed").node_id

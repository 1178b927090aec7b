"""API keys: what is printed for the operator lets the holder of the key in."""

import hashlib

import pytest

from photocaption import keys
from photocaption.serving.settings import read_settings


def test_the_entry_holds_the_hash_of_the_key_and_is_accepted_as_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    key, entry = keys.make_key("someone")

    assert entry == f"someone:{hashlib.sha256(key.encode()).hexdigest()}"
    monkeypatch.setenv("CAPTION_API_KEYS", entry)
    assert read_settings().api_keys == (entry,)


def test_every_key_is_another() -> None:
    assert keys.make_key("someone")[0] != keys.make_key("someone")[0]


def test_the_command_prints_both(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["keys", "someone"])

    keys.main()

    assert "CAPTION_API_KEYS: someone:" in capsys.readouterr().out

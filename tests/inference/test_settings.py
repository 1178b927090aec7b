"""Settings: defaults that work, and refusals that an operator understands."""

from collections.abc import Callable

import pytest

from photocaption.serving.settings import Settings, SettingsError, read_settings

Read = Callable[[dict[str, str]], Settings]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """The settings of an environment that has these variables."""

    def read_environment(variables: dict[str, str]) -> Settings:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return read_settings()

    return read_environment


def test_an_empty_environment_gives_the_defaults(read: Read) -> None:
    settings = read({})

    assert settings == Settings()
    assert settings.port == 8000
    assert settings.api_keys == ()


def test_variables_with_the_prefix_are_read(read: Read) -> None:
    settings = read({"CAPTION_PORT": "9000", "CAPTION_RUNTIME": "tensorflow", "CAPTION_DOCS": "false", "PATH": "x"})

    assert settings.port == 9000
    assert settings.runtime == "tensorflow"
    assert not settings.docs


def test_an_empty_variable_counts_as_absent(read: Read) -> None:
    assert read({"CAPTION_THREADS": ""}).threads is None


def test_lists_are_separated_by_commas(read: Read) -> None:
    settings = read({"CAPTION_CORS_ORIGINS": "https://a.example, https://b.example:8443"})

    assert settings.cors_origins == ("https://a.example", "https://b.example:8443")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAPTION_PORT", "70000"),
        ("CAPTION_PORT", "eighty"),
        ("CAPTION_RUNTIME", "torch"),
        ("CAPTION_QUEUE_SIZE", "0"),
        ("CAPTION_DEADLINE_SECONDS", "-1"),
        ("CAPTION_BATCH_SIZE", "1000"),
        ("CAPTION_CORS_ORIGINS", "*"),
        ("CAPTION_CORS_ORIGINS", "https://a.example/path"),
        ("CAPTION_DOCS", "perhaps"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_with_its_name(read: Read, name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        read({name: value})

    assert str(refusal.value).startswith(f"{name}: ")
    assert value in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_all_wrong_values_are_named_at_once(read: Read) -> None:
    with pytest.raises(SettingsError, match=r"CAPTION_PORT: .*; CAPTION_THREADS: "):
        read({"CAPTION_PORT": "x", "CAPTION_THREADS": "0"})


def test_a_misspelt_name_is_refused_with_the_one_that_was_meant(read: Read) -> None:
    with pytest.raises(SettingsError, match=r"CAPTION_API_KYES is not a setting; did you mean CAPTION_API_KEYS\?"):
        read({"CAPTION_API_KYES": "me:" + "0" * 64})


def test_a_key_that_is_not_hashed_is_refused_and_not_shown(read: Read) -> None:
    with pytest.raises(SettingsError, match="CAPTION_API_KEYS") as refusal:
        read({"CAPTION_API_KEYS": "me:open-sesame"})

    assert "open-sesame" not in str(refusal.value)

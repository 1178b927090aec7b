"""A wrong setting stops the start and is named."""

import pytest

from frontend.settings import Settings, SettingsError, read_settings


def test_defaults_reach_a_local_inference_service() -> None:
    assert Settings().api_base == "http://localhost:8000"


def test_environment_overrides_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTEND_INFERENCE_URL", "http://inference:9000/")
    monkeypatch.setenv("FRONTEND_PUBLIC_API_URL", "https://captions.example/api/")
    monkeypatch.setenv("FRONTEND_PORT", "9090")

    settings = read_settings()

    assert settings.port == 9090
    assert settings.api_base == "https://captions.example/api"


def test_credentials_in_an_address_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTEND_INFERENCE_URL", "http://page:open-sesame@inference:9000/api")

    assert read_settings().api_base == "http://inference:9000/api"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FRONTEND_PORT", "eighty"),
        ("FRONTEND_PORT", "70000"),
        ("FRONTEND_INFERENCE_URL", "localhost"),
        ("FRONTEND_DEADLINE_SECONDS", "0"),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=name):
        read_settings()


def test_a_mistyped_name_is_refused_with_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTEND_INFERENCE_ULR", "http://inference:8000")

    with pytest.raises(SettingsError, match="did you mean FRONTEND_INFERENCE_URL"):
        read_settings()


def test_a_key_never_appears_in_messages_or_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTEND_INFERENCE_API_KEY", "open-sesame")

    assert "open-sesame" not in repr(read_settings())


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []

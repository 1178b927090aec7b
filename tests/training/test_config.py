"""Settings come from the defaults, a file and the command line, in that order; a mistake is named."""

from pathlib import Path

import pytest

from training.config import TrainingConfig, load_config
from training.errors import ConfigurationError


def test_without_anything_the_defaults_hold() -> None:
    assert load_config() == TrainingConfig()


def test_the_command_line_overrides_the_file_which_overrides_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[fitting]\nepochs = 3\nseed = 5\n[decoder]\narchitecture = "pooled"\n')

    config = load_config(path, ["fitting.seed=7", "encoder.canonical_size=null"])

    assert (config.fitting.epochs, config.fitting.seed) == (3, 7)
    assert config.decoder.architecture == "pooled"
    assert config.encoder.canonical_size is None


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("fitting.epoch=3", "fitting.epoch"),
        ("fitting.epochs=-1", "fitting.epochs"),
        ("decoder.architecture=transformer", "decoder.architecture"),
        ("epochs=3", "section.name=value"),
        ("fitting.epochs", "section.name=value"),
    ],
)
def test_a_wrong_setting_is_named(word: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_config(overrides=[word])


@pytest.mark.parametrize(
    ("word", "setting"),
    [
        ("fitting.epoch=3", "fitting.epochs"),
        ("fiting.epochs=3", "fitting"),
        ("vocabulary.mincount=2", "vocabulary.min_count"),
        ("decoder.min_count=2", "vocabulary.min_count"),
        ("min_count=2", "vocabulary.min_count"),
    ],
)
def test_the_setting_that_was_meant_is_suggested(word: str, setting: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"did you mean {setting}\?"):
        load_config(overrides=[word])


def test_a_setting_like_no_other_is_refused_without_a_guess() -> None:
    with pytest.raises(ConfigurationError, match=r"there is no setting xyzzy$"):
        load_config(overrides=["xyzzy.quux=1"])


def test_units_must_divide_among_heads() -> None:
    with pytest.raises(ConfigurationError, match="decoder"):
        load_config(overrides=["decoder.units=10", "decoder.heads=4"])


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("epochs = = 3")

    with pytest.raises(ConfigurationError, match=r"broken\.toml"):
        load_config(path)


def test_what_only_the_last_phase_or_serving_reads_does_not_name_the_run() -> None:
    plain = load_config().fit_json()

    for word in ("reward.naming=3", "self_critical.epochs=1", "decoder.precision=float32"):
        assert load_config(overrides=[word]).fit_json() == plain
    assert load_config(overrides=["tags.most=7"]).fit_json() != plain

"""A bundle can be scored with another search than its own."""

import pytest

from photocaption.captioner import Captioner
from training.errors import ConfigurationError
from training.evaluation.evaluate import override_decoding


def test_settings_of_the_search_replace_those_of_the_bundle(captioner: Captioner) -> None:
    other = override_decoding(captioner, ["decoding.beam_width=5", "decoding.repeatable_words=null"])

    decoding = other.bundle.manifest.decoding
    assert (decoding.beam_width, decoding.repeatable_words) == (5, None)
    assert decoding.length_penalty == captioner.bundle.manifest.decoding.length_penalty
    assert captioner.bundle.manifest.decoding.beam_width != 5


def test_without_settings_it_is_the_same_captioner(captioner: Captioner) -> None:
    assert override_decoding(captioner, []) is captioner


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("decoding.beam_width=0", "decoding"),
        ("decoding.beams=3", "decoding"),
        ("fitting.epochs=3", "not those of fitting"),
        ("beam_width=3", "section.name=value"),
    ],
)
def test_what_is_no_setting_of_the_search_is_refused(captioner: Captioner, setting: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        override_decoding(captioner, [setting])

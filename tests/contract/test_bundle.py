"""The bundle that is committed, and the one that the documentation shows, are what the schema says."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from photocaption.captioner import Captioner
from photocaption.model.bundle import load_bundle
from photocaption.model.manifest import Manifest
from training.data.words import TOKENS
from training.encoder.weight_deltas import ENCODER_DIFFERENCES, training_folder

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = ROOT / "artifacts" / "default"
EXAMPLES = ROOT / "services" / "frontend" / "frontend" / "static" / "examples"
MAX_BYTES = 45_000_000


def test_the_manifest_in_the_documentation_has_every_field_of_the_schema() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = re.search(r"```json\n(.*?)\n```", text, re.DOTALL)
    assert shown is not None
    manifest = json.loads(shown[1].replace('"…"', json.dumps("0" * 64)))

    assert Manifest.model_validate_json(json.dumps(manifest)).model_fields_set == set(Manifest.model_fields)


def test_the_default_bundle_says_how_it_was_made_and_what_its_encoder_was_made_from() -> None:
    manifest = load_bundle(DEFAULT).manifest
    encoder = manifest.training["encoder"]
    assert isinstance(encoder, dict)
    differences = training_folder(DEFAULT) / ENCODER_DIFFERENCES

    assert encoder["sha256"] == hashlib.sha256(differences.read_bytes()).hexdigest()
    assert str(manifest.training["command"]).startswith("caption-train train ")
    assert manifest.tokens == TOKENS


def test_the_default_bundle_is_light() -> None:
    assert sum(path.stat().st_size for path in DEFAULT.iterdir()) < MAX_BYTES


def test_the_model_card_is_that_of_the_bundle_and_the_documents_give_its_scores() -> None:
    manifest = load_bundle(DEFAULT).manifest
    dev = manifest.scores["dev"]
    assert isinstance(dev, dict)
    beam = dev["beam"]
    assert isinstance(beam, dict)
    row = " | ".join(f"{beam[name]:.1f}" for name in ("BLEU-1", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr"))

    assert manifest.version in (DEFAULT / "MODEL_CARD.md").read_text(encoding="utf-8")
    for document in ("README.md", "docs/training.md"):
        assert row in (ROOT / document).read_text(encoding="utf-8"), document


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        ("dog", {"dog", "shepherd"}),
        ("cow", {"cow"}),
        ("kitten", {"cat", "kitten"}),
        pytest.param("horses", {"horses"}, marks=pytest.mark.xfail(reason='they are "a group of dogs"')),
    ],
)
def test_the_default_bundle_says_something_sensible(photo: str, expected: set[str]) -> None:
    caption = Captioner.load(DEFAULT).caption((EXAMPLES / f"{photo}.jpg").read_bytes())

    assert expected & set(caption.caption.split()), caption.caption

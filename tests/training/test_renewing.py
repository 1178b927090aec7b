"""A bundle gets the graphs that today's export writes, with the weights that it has."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.photos import photo_bytes
from support.tiny_bundle import write_tiny_bundle

from photocaption.captioner import Captioner
from photocaption.model.bundle import DECODER_STEP, ENCODER, VOCABULARY
from photocaption.model.manifest import MANIFEST_NAME
from training.cli import main
from training.errors import PublishingError
from training.fit.pretrained import read_pretrained
from training.publish.renewing import renew_bundle

SHIPPED = Path(__file__).parents[2] / "artifacts/default"


def test_the_shipped_bundle_is_renewed_and_read_back_as_it_was(tmp_path: Path) -> None:
    assert main(["renew", "--bundle", str(SHIPPED), "--out", str(tmp_path / "new")]) == 0

    old, new = read_pretrained(SHIPPED), read_pretrained(tmp_path / "new")
    assert old.decoder.keys() == new.decoder.keys()
    for name, weights in old.decoder.items():
        np.testing.assert_array_equal(weights, new.decoder[name], err_msg=name)
    assert (new.tags, new.heads, new.vocabulary) == (old.tags, old.heads, old.vocabulary)
    for name in (ENCODER, VOCABULARY):
        assert (tmp_path / "new" / name).read_bytes() == (SHIPPED / name).read_bytes()
    assert "Shape" not in {node.op_type for node in onnx.load(tmp_path / "new" / DECODER_STEP).graph.node}
    assert old.bundle is not None
    assert new.bundle is not None
    assert new.bundle.manifest.version in new.bundle.card
    assert new.bundle.manifest.scores == old.bundle.manifest.scores


def test_a_bundle_is_renewed_in_its_place_and_once(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "mine")

    renew_bundle(tmp_path / "mine", tmp_path / "mine")
    first = (tmp_path / "mine" / MANIFEST_NAME).read_bytes()
    renew_bundle(tmp_path / "mine", tmp_path / "mine")

    assert (tmp_path / "mine" / MANIFEST_NAME).read_bytes() == first


def test_a_decoder_of_other_making_is_served_as_before(tmp_path: Path) -> None:
    renew_bundle(write_tiny_bundle(tmp_path / "tiny"), tmp_path / "new")

    assert Captioner.load(tmp_path / "new").caption(photo_bytes("red")).caption == "a red square"


def test_graphs_that_say_something_else_are_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(model: onnx.ModelProto, _: int) -> None:
        for node in model.graph.node:
            node.op_type = "Exp" if node.op_type == "Tanh" else node.op_type

    monkeypatch.setattr("training.publish.start_graph.rewrite", spoil)

    with pytest.raises(PublishingError, match="the new graphs differ"):
        renew_bundle(SHIPPED, tmp_path / "new")
    assert not (tmp_path / "new").exists()

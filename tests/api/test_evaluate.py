"""``edgeagent.evaluate``: mAP of a bundle on labelled pictures, as one call."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgeagent
from tests.data import shared
from tests.datasets.layouts import cell_scene, write_coco, write_roboflow
from tests.engines import cell_detector as cells
from tests.included import QUICK_BUNDLE


@pytest.mark.data
def test_a_bundle_is_evaluated(tmp_path: Path) -> None:
    coco = shared("data", "coco")
    done: list[int] = []
    found = edgeagent.evaluate(
        QUICK_BUNDLE, coco / "images/val", coco / "labels/val", engine="onnxruntime", progress=done.append
    )
    assert isinstance(found, edgeagent.Accuracy)
    assert found.images == len(done) == 64
    assert 0.3 < found.map50_95 < found.map50 < 0.6


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(edgeagent.DataError, match="no such folder"):
        edgeagent.evaluate(QUICK_BUNDLE, tmp_path / "pictures", tmp_path / "labels")


def test_a_data_set_is_evaluated(tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "tiny").directory
    scenes = [cell_scene(((2, 1),)), cell_scene(((6, 3),))]
    file = write_coco(scenes, tmp_path / "set", "instances.json", "elsewhere")
    found = edgeagent.evaluate(bundle, dataset=str(file), dataset_images=tmp_path / "set" / "elsewhere")
    assert isinstance(found, edgeagent.Accuracy)
    assert found.images == 2
    assert found.map50 == pytest.approx(1)
    found = edgeagent.evaluate(bundle, dataset=write_roboflow(scenes, tmp_path / "r"), split="val")
    assert isinstance(found, edgeagent.Accuracy)
    assert found.images == 2
    assert found.map50 == pytest.approx(1)
    with pytest.raises(edgeagent.ConfigurationError, match="give `dataset`, or `images` and `labels`"):
        edgeagent.evaluate(bundle)

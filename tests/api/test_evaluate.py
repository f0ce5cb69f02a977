"""``edgeagent.evaluate``: mAP of a bundle on labelled pictures, as one call."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgeagent
from edgeagent.files.resources import default_bundle
from tests.data import shared


@pytest.mark.data
def test_a_bundle_is_evaluated(tmp_path: Path) -> None:
    coco = shared("data", "coco")
    done: list[int] = []
    found = edgeagent.evaluate(
        default_bundle(), coco / "images/val", coco / "labels/val", engine="onnxruntime", progress=done.append
    )
    assert found.images == len(done) == 64
    assert 0.3 < found.map50_95 < found.map50 < 0.6


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(edgeagent.DataError, match="no such folder"):
        edgeagent.evaluate(default_bundle(), tmp_path / "pictures", tmp_path / "labels")

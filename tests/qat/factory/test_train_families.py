"""Training of detectors of other families through ``edgeagent qat train``."""

from __future__ import annotations

from pathlib import Path

import yaml

from edgeagent.bundle.reading import open_bundle
from edgeagent.cli import main
from tests.qat.detectors import ANCHORS, yolov5_like
from tests.qat.factory.test_train_command import train


def test_a_detector_with_anchors_becomes_a_bundle(data: Path, tmp_path: Path) -> None:
    model = tmp_path / "v5" / "small.onnx"
    model.parent.mkdir()
    yolov5_like(model)
    described = yaml.safe_load((data / "small.yaml").read_text(encoding="utf-8"))
    anchors = [[list(anchor) for anchor in sizes] for sizes in ANCHORS.values()]
    described["decoder"] = {"family": "yolov5", "strides": list(ANCHORS), "anchors": anchors}
    described["input"] |= {"mean": [0.0] * 3, "std": [255.0] * 3}
    model.with_suffix(".yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    out = tmp_path / "bundle"
    more = ("--golden", str(data / "golden"), "--format", "tflite", "--model", str(model))
    done = train(data, out, *more)
    assert done.returncode == 0, done.stderr
    assert "boxes of the model's own output" in " ".join(done.stderr.split())
    manifest = open_bundle(out).manifest
    assert [item.file for item in manifest.artefacts] == ["model.onnx", "model.tflite"]
    assert manifest.decoder.anchors_by_stride() == ANCHORS
    for artefact in manifest.artefacts:
        assert [item.role for item in artefact.outputs] == ["box", "objectness", "classes"] * 2
        assert artefact.operators is not None
        assert not any("CONV" in name.upper() for name in artefact.operators.float)
    assert main(["bundle", "check", str(out)]) == 0


def test_labels_need_a_loss_of_the_family(data: Path, tmp_path: Path) -> None:
    described = yaml.safe_load((data / "small.yaml").read_text(encoding="utf-8"))
    described["decoder"]["nms"] = "none"
    description = tmp_path / "other.yaml"
    description.write_text(yaml.safe_dump(described), encoding="utf-8")
    more = ("--labels", str(data / "labels"), "--describe", str(description))
    done = train(data, tmp_path / "bundle", *more)
    assert done.returncode == 6
    assert "give one box per object, the supervised losses several" in " ".join(done.stderr.split())

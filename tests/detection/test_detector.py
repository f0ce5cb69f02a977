from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeagent.bundle.manifest import Manifest, ModelDescription
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.camera.clip import ClipSource
from edgeagent.detection.detector import Detector, load_bundle_detector, load_detector
from edgeagent.errors import BundleError, EngineError
from edgeagent.files.resources import sample_clip
from edgeagent.imaging.frame import Image
from edgeagent.vision.preprocessor import to_picture
from tests.bundle.tiny import fields
from tests.data import shared
from tests.engines import cell_detector as cells
from tests.engines.onnx_graphs import FLOAT
from tests.included import QUICK_BUNDLE

SSD = ("models", "ssd_mobilenet_v1_coco_quant_uint8.tflite")


def frame(number: int = 12) -> Image:
    """Return a frame of the sample clip; people cross the campus in all of them."""
    source = ClipSource(sample_clip())
    source.open()
    try:
        for _ in range(number):
            assert source.read(None) is not None
        image = source.read(None)
    finally:
        source.close()
    assert image is not None
    return image


def described(**changes: Any) -> ModelDescription:
    return ModelDescription.model_validate({**fields(), **changes})


@pytest.fixture
def tiny(tmp_path: Path) -> Bundle:
    return cells.build_bundle(tmp_path / "tiny")


@pytest.mark.parametrize("engine", ["auto", "onnxruntime"])
def test_what_is_there_is_found(tiny: Bundle, engine: str) -> None:
    detector = load_bundle_detector(tiny, engine, 1, 0.65)
    buffers = detector.allocate()
    for where in (cells.CELLS, ((0, 0),), (), ((7, 3), (0, 3), (4, 0))):
        found = detector.detect(cells.picture(where), buffers, 0.5)
        assert sorted(found.boxes.tolist()) == sorted(cells.boxes(where))
        assert set(found.classes.tolist()) <= {0}
        assert (found.scores > 0.99).all()


def test_boxes_are_in_pixels_of_the_picture(tiny: Bundle) -> None:
    detector = load_bundle_detector(tiny, "auto", 1, 0.65)
    large = cv2.resize(cells.picture(), (640, 320), interpolation=cv2.INTER_NEAREST)
    found = detector.detect(np.asarray(large, np.uint8), detector.allocate(), 0.5)
    np.testing.assert_allclose(sorted(found.boxes.tolist()), 10 * np.array(cells.boxes()), atol=0.01)


def test_two_frames_can_be_in_flight(tiny: Bundle) -> None:
    detector = load_bundle_detector(tiny, "auto", 1, 0.65)
    one, other = detector.allocate(), detector.allocate()
    first = detector.preprocessor.write(cells.picture(((1, 1),)), one.inputs[0])
    second = detector.preprocessor.write(cells.picture(((5, 2),)), other.inputs[0])
    detector.engine.infer(one.inputs, one.outputs)
    detector.engine.infer(other.inputs, other.outputs)
    assert to_picture(detector.decoder.decode(one.outputs, 0.5), first).boxes.tolist() == cells.boxes(
        ((1, 1),)
    )
    assert to_picture(detector.decoder.decode(other.outputs, 0.5), second).boxes.tolist() == cells.boxes(
        ((5, 2),)
    )


def test_warming_up_changes_nothing(tiny: Bundle) -> None:
    detector = load_bundle_detector(tiny, "auto", 1, 0.65)
    detector.warm_up()
    assert len(detector.detect(cells.picture(), detector.allocate(), 0.5)) == len(cells.CELLS)


def test_a_float_model_has_its_own_layout(tmp_path: Path) -> None:
    path = cells.write_onnx(tmp_path / "m.onnx", FLOAT)
    detector = load_detector(described(), path, "onnx", tiny_outputs(tmp_path), 1, 0.65)
    assert detector.engine.inputs[0].shape == (1, 3, 32, 64)
    found = detector.detect(cells.picture(), detector.allocate(), 0.5)
    assert sorted(found.boxes.tolist()) == cells.boxes()


def tiny_outputs(tmp_path: Path) -> Any:
    return cells.build_bundle(tmp_path / "other").manifest.artefacts[0].outputs


def with_manifest(bundle: Bundle, **changes: Any) -> Bundle:
    """The same files under another manifest."""
    manifest = Manifest.model_validate({**bundle.manifest.model_dump(), **changes})
    return replace(bundle, manifest=manifest)


def test_tensors_must_be_those_of_the_manifest(tiny: Bundle) -> None:
    plain = tiny.manifest.model_dump()
    outputs = plain["artefacts"][0]["outputs"]
    swapped = [{**plain["artefacts"][0], "outputs": [outputs[1], outputs[0], *outputs[2:]]}]
    missing = [{**plain["artefacts"][0], "outputs": ()}]
    for changes, sentence in (
        ({"labels": ("person",)}, "output classes_8"),
        ({"input": {**plain["input"], "width": 128}}, "the manifest says"),
        ({"input": {**plain["input"], "layout": "nchw"}}, "the manifest says"),
        ({"artefacts": swapped}, "has the outputs"),
        ({"artefacts": missing}, "has 6 outputs, needs 1"),
        ({"decoder": {"family": "yolox", "strides": (8, 32)}}, "for each of the strides 8, 32"),
        ({"artefacts": missing, "decoder": {"family": "ssd"}}, "has 6 outputs, needs 4"),
    ):
        with pytest.raises(BundleError) as caught:
            load_bundle_detector(with_manifest(tiny, **changes), "auto", 1, 0.65)
        assert sentence in str(caught.value)


def test_an_engine_that_reads_no_artefact(tiny: Bundle) -> None:
    with pytest.raises(EngineError, match=r"holds \['onnx'\]; the engine asked for \['tflite'\]"):
        load_bundle_detector(tiny, "tflite", 1, 0.65)


def test_an_artefact_that_does_not_load(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"not ONNX at all")
    with pytest.raises(EngineError, match="cannot load it"):
        load_detector(described(), path, "onnx", (), 1, 0.65)


@pytest.fixture(scope="module")
def serving() -> Detector:
    return load_bundle_detector(open_bundle(QUICK_BUNDLE), "onnxruntime", 1, 0.65)


def test_coco_nano_finds_people_in_the_sample_clip(serving: Detector) -> None:
    image = frame()
    found = serving.detect(image, serving.allocate(), 0.3)
    labels = [serving.description.labels[index] for index in found.classes]
    assert labels.count("person") >= 2
    height, width = image.shape[:2]
    assert (found.boxes >= 0).all()
    assert (found.boxes[:, 0::2] <= width).all()
    assert (found.boxes[:, 1::2] <= height).all()
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    people = found.boxes[found.classes == labels_index(serving, "person")]
    sizes = people[:, 2:] - people[:, :2]
    assert (sizes[:, 1] > sizes[:, 0]).mean() > 0.5  # people who walk are taller than wide


def test_coco_nano_finds_nobody_in_an_empty_picture(serving: Detector) -> None:
    grey = np.full((576, 768, 3), 114, np.uint8)
    assert len(serving.detect(grey, serving.allocate(), 0.3)) == 0


def labels_index(detector: Detector, label: str) -> int:
    return detector.description.labels.index(label)


@pytest.mark.data
def test_a_tflite_detector_finds_people_in_the_sample_clip() -> None:
    labels = ["person", *(f"class {number}" for number in range(1, 90))]
    description = described(
        labels=labels,
        input={"width": 300, "height": 300, "layout": "nhwc", "colour": "rgb", "letterbox": None,
               "mean": [127.5] * 3, "std": [127.5] * 3},
        decoder={"family": "ssd"},
    )  # fmt: skip
    detector = load_detector(description, shared(*SSD), "tflite", (), 1, 0.65)
    found = detector.detect(frame(), detector.allocate(), 0.4)
    assert 0 in found.classes.tolist()

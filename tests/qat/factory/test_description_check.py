"""Descriptions of float models against the boxes that the models say by themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeagent.accuracy.decoding_check import check_output_decoding
from edgeagent.bundle.manifest import DecoderSpec, InputSpec, ModelDescription
from edgeagent.detection.detector import load_detector
from edgeagent.errors import BundleError, DataError
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.factory.description_check import check_description
from edgeagent.qat.factory.layer_sensitivity import SensitivityRequest, measure_layers
from edgeagent.qat.factory.progress import ProgressEvent, ProgressMessage, Reporter
from edgeagent.qat.graph.graph import read_graph
from tests.cli.command import mistake
from tests.qat.detectors import ANCHORS, BINS, yolov5_like
from tests.qat.end_to_end_detectors import end_to_end
from tests.qat.float_files import FORMS
from tests.qat.models import SIZE, GraphBuilder, small_yolox

CLASSES = 3
STRIDES = (8, 16)


def description(
    size: int = SIZE, family: str = "yolov8", boxes: str = "raw", **more: object
) -> ModelDescription:
    decoder = {"family": family, "strides": STRIDES, "reg_max": 1, "boxes": boxes, **more}
    return ModelDescription(
        name="tiny",
        version="1.0.0",
        task="detection",
        labels=tuple(f"class{number}" for number in range(CLASSES)),
        input=InputSpec(width=size, height=size, layout="nchw", colour="rgb", std=(255.0, 255.0, 255.0)),
        decoder=DecoderSpec.model_validate(decoder),
        licence="Apache-2.0",
        attribution="tests",
    )


def detector(path: Path, distance: str, form: str = "corners", offset: float = 0.5) -> Path:
    """Write a detector with distances to the sides, and boxes of its own.

    Args:
        path: of the file.
        distance: ``linear`` as in YOLOv8 with reg_max 1, ``Exp`` or ``Relu``.
        form: ``corners``, ``centres`` or ``shares`` (corners).
        offset: place of a cell's point in it: .5 centre, 0 corner (RTMDet).
    """
    g = GraphBuilder(5)
    x = g.node("Relu", g.conv("images", (3, 8), 3, 8))
    boxes, scores = [], []
    for stride, feature in zip(STRIDES, (x, g.node("Relu", g.conv(x, (8, 8), 3, 2))), strict=True):
        side = SIZE // stride
        weight = g.constant(g.random.normal(0, 0.02, (4, 8, 1, 1)), np.float32)
        bias = g.constant([-2.0, 0.1, -1.5, 0.2] if distance == "Exp" else [1.0, 1.2, 0.8, 1.1], np.float32)
        raw = g.node("Conv", feature, weight, bias, kernel_shape=[1, 1])
        real = raw if distance == "linear" else g.node(distance, raw)
        rows = g.node("Transpose", g.node("Reshape", real, g.constant([1, 4, -1])), perm=[0, 2, 1])
        row, column = np.indices((side, side))
        centre = g.constant((np.stack([column.ravel(), row.ravel()], 1)[None] + offset), np.float32)
        near = g.node("Slice", rows, *(g.constant([n]) for n in (0, 2, 2)))
        far = g.node("Slice", rows, *(g.constant([n]) for n in (2, 4, 2)))
        first, last = g.node("Sub", centre, near), g.node("Add", centre, far)
        parts = (first, last)
        if form == "centres":
            middle = g.node("Mul", g.node("Add", first, last), g.constant(0.5, np.float32))
            parts = (middle, g.node("Sub", last, first))
        scale = stride / SIZE if form == "shares" else stride
        box = g.node("Mul", g.node("Concat", *parts, axis=2), g.constant(float(scale), np.float32))
        boxes.append(box)
        flat = g.node("Reshape", g.conv(feature, (8, CLASSES)), g.constant([1, CLASSES, -1]))
        scores.append(g.node("Sigmoid", g.node("Transpose", flat, perm=[0, 2, 1])))
    cells = sum((SIZE // stride) ** 2 for stride in STRIDES)
    joined = g.node("Concat", g.node("Concat", *boxes, axis=1), g.node("Concat", *scores, axis=1), axis=2)
    return g.save(path, {joined: (1, cells, 4 + CLASSES)})


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    random = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        coarse = random.integers(0, 256, (6, 8, 3), np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (80, 60), interpolation=cv2.INTER_CUBIC))
    return paths


def check(model: Path, described: ModelDescription, pictures: list[Path]) -> list[str]:
    events: list[ProgressEvent] = []
    check_description(read_graph(model), model, described, pictures, Reporter(events.append))
    return [event.text for event in events if isinstance(event, ProgressMessage)]


@pytest.mark.parametrize("form", ["corners", "centres", "shares"])
def test_a_right_description_gives_the_boxes_of_the_model(
    tmp_path: Path, pictures: list[Path], form: str
) -> None:
    (line,) = check(detector(tmp_path / "m.onnx", "linear", form), description(), pictures)
    count = 3 * sum((SIZE // stride) ** 2 for stride in STRIDES)
    assert line.startswith("the description gives ") and line.endswith("boxes of the model's own output")
    given, of = (int(word) for word in line.split() if word.isdigit())
    assert 0.9 * of <= given <= of <= count


def test_yolox_without_decoding_fits_its_description(tmp_path: Path, pictures: list[Path]) -> None:
    (line,) = check(small_yolox(tmp_path / "m.onnx"), description(family="yolox"), pictures)
    assert line.startswith("the description gives ")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_file_is_compared_with_its_own_output(
    form: Callable[[Path], Path], tmp_path: Path, pictures: list[Path]
) -> None:
    model = form(tmp_path / "m.onnx")
    (line,) = check(model, description(family="yolox"), pictures)
    assert line.startswith("the description gives ")
    loaded = load_detector(description(family="yolox"), model, "onnx", (), 1, 0.65)
    check_output_decoding(model, loaded, [read_picture(path) for path in pictures])


def with_input(model: Path, name: str) -> Path:
    """Divide the boxes in the output (1, cells, 4 + classes) by an input of two scales, as PicoDet does."""
    loaded = onnx.load(str(model))
    graph = loaded.graph
    graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 2)))
    graph.initializer.append(numpy_helper.from_array(np.ones((1, CLASSES), np.float32), "of_scores"))
    graph.node.append(helper.make_node("Concat", [name, name, "of_scores"], ["divisor"], axis=1))
    graph.node.append(helper.make_node("Div", [graph.output[0].name, "divisor"], ["scaled"]))
    graph.output[0].name = "scaled"
    model.write_bytes(loaded.SerializeToString())
    return model


def test_boxes_are_compared_at_a_scale_of_one(tmp_path: Path, pictures: list[Path]) -> None:
    plain = detector(tmp_path / "plain.onnx", "linear")
    scaled = with_input(detector(tmp_path / "m.onnx", "linear"), "scale_factor")
    assert check(scaled, description(), pictures) == check(plain, description(), pictures)
    wrong = with_input(detector(tmp_path / "wrong.onnx", "Exp"), "scale_factor")
    with pytest.raises(DataError, match="the model itself finds"):
        check(wrong, description(), pictures)


def test_a_further_input_of_unknown_meaning_is_said(tmp_path: Path, pictures: list[Path]) -> None:
    model = with_input(detector(tmp_path / "m.onnx", "linear"), "im_shape")
    (line,) = check(model, description(), pictures)
    assert line.endswith("the model takes the input im_shape besides the picture")


def test_a_float_model_with_a_further_input_is_refused_with_what_to_do(tmp_path: Path) -> None:
    model = with_input(detector(tmp_path / "m.onnx", "linear"), "scale_factor")
    with pytest.raises(BundleError, match="has the inputs images, scale_factor, needs one picture; export"):
        load_detector(description(), model, "onnx", (), 1, 0.65)


def test_distances_of_another_family_are_refused_with_both_results(
    tmp_path: Path, pictures: list[Path]
) -> None:
    model = detector(tmp_path / "m.onnx", "Exp")
    with pytest.raises(DataError, match=r"the model itself finds \d+ boxes on 3 pictures, its"):
        check(model, description(), pictures)


def test_sensitivity_refuses_a_description_of_another_size(tmp_path: Path, pictures: list[Path]) -> None:
    model = small_yolox(tmp_path / "m.onnx")
    request = SensitivityRequest(model, description(SIZE // 2, "yolox"), pictures)
    with pytest.raises(DataError, match=f"takes pictures of {SIZE}x{SIZE}, its description says"):
        measure_layers(request, Reporter())


def test_a_description_with_channels_first_is_refused_with_what_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_yolox(tmp_path / "m.onnx")
    text = (
        (Path(__file__).parents[3] / "models" / "yolox-nano.yaml")
        .read_text()
        .replace("layout: nhwc", "layout: nchw")
    )
    (tmp_path / "m.yaml").write_text(text)
    given = ["--images", tmp_path, "--out", tmp_path / "out"]
    line = mistake(capsys, 6, "qat", "train", "--model", model, *given)
    assert "artefacts are nhwc, and the float model may be either: write `layout: nhwc`" in line


@pytest.mark.parametrize("form", ["centres", "corners", "shares"])
def test_a_float_output_of_another_form_is_refused(tmp_path: Path, pictures: list[Path], form: str) -> None:
    model = detector(tmp_path / "m.onnx", "linear", form)
    loaded = load_detector(description(boxes="decoded"), model, "onnx", (), 1, 0.65)
    images = [read_picture(path) for path in pictures]
    if form == "centres":
        check_output_decoding(model, loaded, images)
        return
    with pytest.raises(DataError, match=r"the boxes of the model are corners .* which its description says"):
        check_output_decoding(model, loaded, images)


def given(line: str) -> tuple[int, int]:
    """Return how many of the model's own boxes its description gives, and their number."""
    agreeing, of = (int(word) for word in line.split() if word.isdigit())
    return agreeing, of


@pytest.mark.parametrize("form", ["split", "slices"])
def test_anchors_give_the_boxes_of_the_model(tmp_path: Path, pictures: list[Path], form: str) -> None:
    described = description(family="yolov5", anchors=tuple(ANCHORS.values()))
    (line,) = check(yolov5_like(tmp_path / "m.onnx", form), described, pictures)
    agreeing, of = given(line)
    assert 0.95 * of <= agreeing <= of


def test_other_anchors_are_refused_and_those_of_the_model_told(tmp_path: Path, pictures: list[Path]) -> None:
    anchors = [[[5.0 * width, height] for width, height in sizes] for sizes in ANCHORS.values()]
    with pytest.raises(DataError, match=r"the anchors of the model are ") as caught:
        check(yolov5_like(tmp_path / "m.onnx"), description(family="yolov5", anchors=anchors), pictures)
    told = str([[list(anchor) for anchor in sizes] for sizes in ANCHORS.values()])
    assert str(caught.value).endswith(told)


@pytest.mark.parametrize(("operator", "distances"), [("linear", "linear"), ("Relu", "relu"), ("Exp", "exp")])
def test_rtmdet_gives_the_boxes_of_the_model(
    tmp_path: Path, pictures: list[Path], operator: str, distances: str
) -> None:
    model = detector(tmp_path / "m.onnx", operator, offset=0)
    (line,) = check(model, description(family="rtmdet", distances=distances), pictures)
    agreeing, of = given(line)
    assert 0.95 * of <= agreeing <= of


def test_another_function_of_distances_is_refused(tmp_path: Path, pictures: list[Path]) -> None:
    model = detector(tmp_path / "m.onnx", "Relu", offset=0)
    with pytest.raises(DataError, match=r"as rtmdet gives \d+ boxes, which agree with \d+ of them"):
        check(model, description(family="rtmdet", distances="exp"), pictures)


@pytest.mark.parametrize("family", ["yolov8", "rtmdet"])
def test_the_function_of_distances_is_seen_where_the_output_is_of_no_known_form(
    tmp_path: Path, pictures: list[Path], family: str
) -> None:
    model = detector(tmp_path / "m.onnx", "Exp", offset=0)
    changed = onnx.load(str(model))
    last = changed.graph.output[0].name
    changed.graph.node.append(helper.make_node("ReduceMax", [last], ["highest"], axes=[1], keepdims=0))
    changed.graph.output[0].CopyFrom(helper.make_tensor_value_info("highest", 1, (1, 4 + CLASSES)))
    onnx.save(changed, str(model))
    with pytest.raises(
        DataError, match=f"takes exp of its distances, the description as {family} says linear"
    ):
        check(model, description(family=family), pictures)
    (line,) = check(model, description(family="rtmdet", distances="exp"), pictures)
    assert "of no known form" in line


@pytest.mark.parametrize("bins", [BINS, 1], ids=["YOLOv10", "YOLO26"])
def test_one_to_one_heads_give_the_final_detections(tmp_path: Path, pictures: list[Path], bins: int) -> None:
    model = end_to_end(tmp_path / "m.onnx", bins)
    (line,) = check(model, description(reg_max=bins, nms="none"), pictures)
    agreeing, of = given(line)
    assert of > 100
    assert 0.5 * of <= agreeing  # the graph also takes the second class of a cell


@pytest.mark.parametrize("boxes", ["decoded", "shares"])
def test_final_detections_of_another_form_are_refused(
    tmp_path: Path, pictures: list[Path], boxes: str
) -> None:
    model = end_to_end(tmp_path / "m.onnx", 1)
    loaded = load_detector(description(boxes=boxes, nms="none"), model, "onnx", (), 1, 0.65)
    images = [read_picture(path) for path in pictures]
    if boxes == "decoded":
        check_output_decoding(model, loaded, images)
        found = loaded.detect(images[0], loaded.allocate(), 0.3)
        assert len(found) > 10
        return
    with pytest.raises(DataError, match="the boxes of the model are corners in pixels"):
        check_output_decoding(model, loaded, images)


@pytest.mark.parametrize("boxes", ["raw", "decoded", "shares"])
def test_a_decoded_output_with_anchors_is_checked(tmp_path: Path, pictures: list[Path], boxes: str) -> None:
    described = description(family="yolov5", boxes=boxes, anchors=tuple(ANCHORS.values()))
    model = yolov5_like(tmp_path / "m.onnx")
    loaded = load_detector(described, model, "onnx", (), 1, 0.65)
    images = [read_picture(path) for path in pictures]
    if boxes != "shares":
        check_output_decoding(model, loaded, images)
        assert len(loaded.detect(images[0], loaded.allocate(), 0.1)) > 3
        return
    with pytest.raises(DataError, match="the boxes of the model are centre and size in pixels"):
        check_output_decoding(model, loaded, images)

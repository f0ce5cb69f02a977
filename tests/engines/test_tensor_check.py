from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeagent.bundle.manifest import Manifest
from edgeagent.engines.engine import TensorSpec
from edgeagent.engines.tensor_check import check_tensors
from edgeagent.errors import BundleError
from tests.bundle.tiny import build

CHANNELS = {"box": 4, "objectness": 1, "classes": 2}
Specs = list[TensorSpec]


def spec(name: str, *shape: int) -> TensorSpec:
    return TensorSpec(name, shape, np.dtype(np.uint8))


PICTURE = spec("picture", 1, 32, 64, 3)


def raw(order: str = "nchw") -> Specs:
    specs = []
    for stride, height, width in ((8, 4, 8), (16, 2, 4)):
        for role, channels in CHANNELS.items():
            shape = (1, channels, height, width) if order == "nchw" else (1, height, width, channels)
            specs.append(spec(f"{role}_{stride}", *shape))
    return specs


def check(manifest: Manifest, outputs: Specs, *inputs: TensorSpec) -> None:
    declared = manifest.artefacts[0].outputs
    check_tensors(manifest, declared, "tiny 1.2.3: tiny.onnx", inputs or (PICTURE,), outputs)


def refusal(manifest: Manifest, outputs: Specs, *inputs: TensorSpec) -> str:
    with pytest.raises(BundleError) as caught:
        check(manifest, outputs, *inputs)
    message = str(caught.value)
    assert message.startswith("tiny 1.2.3: ")
    assert "\n" not in message
    return message


def manifest(tmp_path: Path, artefact: dict[str, Any] | None = None, **changes: Any) -> Manifest:
    plain = build(tmp_path / "tiny").manifest.model_dump()
    plain["artefacts"][0].update(artefact or {})
    return Manifest.model_validate({**plain, **changes})


@pytest.mark.parametrize("order", ["nchw", "nhwc"])
def test_raw_outputs_fit_in_both_orders(tmp_path: Path, order: str) -> None:
    check(manifest(tmp_path), raw(order))


@pytest.mark.parametrize(
    "wrong",
    [
        spec("picture", 1, 3, 32, 64),
        spec("picture", 1, 64, 32, 3),
        spec("picture", 2, 32, 64, 3),
        spec("picture", 1, 32, 64, 1),
        spec("picture", 32, 64, 3),
    ],
)
def test_wrong_input(tmp_path: Path, wrong: TensorSpec) -> None:
    message = refusal(manifest(tmp_path), raw(), wrong)
    assert f"input picture has the shape {wrong.shape}, the manifest says (1, 32, 64, 3)" in message


def test_inputs_must_be_one_and_layout_counts(tmp_path: Path) -> None:
    assert "has the inputs picture, picture, needs one picture" in refusal(
        manifest(tmp_path), raw(), PICTURE, PICTURE
    )
    turned = manifest(tmp_path / "2")
    turned = turned.model_copy(update={"input": turned.input.model_copy(update={"layout": "nchw"})})
    check(turned, raw(), spec("picture", 1, 3, 32, 64))
    assert "the manifest says (1, 3, 32, 64) (nchw" in refusal(turned, raw())


def _reshaped(index: int, *shape: int) -> Callable[[Specs], Specs]:
    def change(specs: Specs) -> Specs:
        specs[index] = replace(specs[index], shape=shape)
        return specs

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda specs: specs[:-1], "has the outputs"),
        (lambda specs: [*specs, spec("more", 1)], "has the outputs"),
        (lambda specs: [specs[1], specs[0], *specs[2:]], "has the outputs ['objectness_8', 'box_8'"),
        (
            _reshaped(0, 1, 5, 4, 8),
            "output box_8 (box, stride 8) has the shape (1, 5, 4, 8), needs (1, 4, 4, 8)",
        ),
        (_reshaped(1, 1, 2, 4, 8), "output objectness_8"),
        (_reshaped(2, 1, 80, 4, 8), "needs (1, 2, 4, 8) or (1, 4, 8, 2)"),
        (_reshaped(3, 1, 4, 4, 8), "output box_16 (box, stride 16)"),
        (_reshaped(3, 1, 4, 4, 2), "output box_16 (box, stride 16)"),
        (_reshaped(3, 4, 2, 4), "output box_16 (box, stride 16)"),
        (_reshaped(3, 1, 2, 4, 4), "some outputs have their channels first, others last"),
    ],
)
def test_wrong_raw_outputs(tmp_path: Path, change: Callable[[Specs], Specs], sentence: str) -> None:
    assert sentence in refusal(manifest(tmp_path), change(raw()))


def test_roles_must_be_complete(tmp_path: Path) -> None:
    outputs = manifest(tmp_path).artefacts[0].model_dump()["outputs"]
    lacking = manifest(tmp_path / "2", {"outputs": outputs[:-1]})
    assert "needs the outputs box, objectness, classes once for each of the strides 8, 16" in refusal(
        lacking, raw()[:-1]
    )


def test_grids_are_rounded_up(tmp_path: Path) -> None:
    outputs = manifest(tmp_path).artefacts[0].model_dump()["outputs"]
    declared = [{**output, "stride": 24} if output["stride"] == 16 else output for output in outputs]
    made = manifest(tmp_path / "2", {"outputs": declared}, decoder={"family": "yolox", "strides": (8, 24)})
    specs = raw()[:3] + [spec(tensor.name, *tensor.shape[:2], 2, 3) for tensor in raw()[3:]]
    check(made, specs)
    assert "needs (1, 4, 2, 3) or (1, 2, 3, 4)" in refusal(made, raw())


@pytest.mark.parametrize(("reg_max", "channels"), [(1, 4), (16, 64)])
def test_yolov8_boxes_have_bins(tmp_path: Path, reg_max: int, channels: int) -> None:
    outputs = [{"name": role, "role": role, "stride": 8} for role in ("box", "classes")]
    made = manifest(
        tmp_path, {"outputs": outputs}, decoder={"family": "yolov8", "strides": (8,), "reg_max": reg_max}
    )
    classes = spec("classes", 1, 2, 4, 8)
    check(made, [spec("box", 1, channels, 4, 8), classes])
    assert "output box" in refusal(made, [spec("box", 1, channels + 1, 4, 8), classes])


def test_anchors_multiply_the_channels(tmp_path: Path) -> None:
    anchors = [[[10, 13], [16, 30], [33, 23]]]
    decoder = {"family": "yolov5", "strides": (8,), "anchors": anchors}
    outputs = [{"name": role, "role": role, "stride": 8} for role in CHANNELS]
    made = manifest(tmp_path, {"outputs": outputs}, decoder=decoder)
    fitting = [spec(role, 1, 3 * channels, 4, 8) for role, channels in CHANNELS.items()]
    check(made, fitting)
    assert "needs (1, 6, 4, 8)" in refusal(made, [*fitting[:2], spec("classes", 1, 2, 4, 8)])
    joined = manifest(tmp_path / "2", {"outputs": []}, decoder=decoder)
    check(joined, [spec("output", 1, 3 * 32, 7)])
    check(joined, [spec("output", 1, 7, 3 * 32)])
    assert "needs (1, 96, 7) or (1, 7, 96)" in refusal(joined, [spec("output", 1, 32, 7)])


def test_rtmdet_boxes_are_four_distances(tmp_path: Path) -> None:
    outputs = [{"name": role, "role": role, "stride": 8} for role in ("box", "classes")]
    made = manifest(tmp_path, {"outputs": outputs}, decoder={"family": "rtmdet", "strides": (8,)})
    classes = spec("classes", 1, 2, 4, 8)
    check(made, [spec("box", 1, 4, 4, 8), classes])
    assert "output box" in refusal(made, [spec("box", 1, 64, 4, 8), classes])


def test_final_detections_have_six_numbers(tmp_path: Path) -> None:
    decoder = {"family": "yolov8", "strides": (8, 16), "nms": "none"}
    made = manifest(tmp_path, {"outputs": []}, decoder=decoder)
    check(made, [spec("output", 1, 300, 6)])
    for shape in ((1, 300, 7), (300, 6), (1, 6, 300)):
        assert "needs (1, detections, 6)" in refusal(made, [spec("output", *shape)])


@pytest.mark.parametrize(("family", "channels"), [("yolox", 7), ("yolov8", 6)])
def test_concatenated_output(tmp_path: Path, family: str, channels: int) -> None:
    made = manifest(tmp_path, {"outputs": ()}, decoder={"family": family, "strides": (8, 16)})
    check(made, [spec("output", 1, 40, channels)])
    check(made, [spec("output", 1, channels, 40)])
    sentence = f"needs (1, 40, {channels}) or (1, {channels}, 40) for 2 labels"
    assert sentence in refusal(made, [spec("output", 1, 40, 85)])
    assert sentence in refusal(made, [spec("output", 1, 3549, channels)])
    assert "has 2 outputs, needs 1" in refusal(made, [spec("a", 1, 40, channels)] * 2)


def test_ssd_has_four_outputs(tmp_path: Path) -> None:
    made = manifest(tmp_path, {"outputs": ()}, decoder={"family": "ssd"})
    check(made, [spec(str(number), 1, 10) for number in range(4)])
    assert "has 3 outputs, needs 4" in refusal(made, [spec(str(number), 1) for number in range(3)])
    assert "must list no outputs" in refusal(manifest(tmp_path / "2", decoder={"family": "ssd"}), raw())

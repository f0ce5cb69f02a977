"""Tensors of models for instances against their description: what does not fit is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeagent.bundle.manifest import ModelDescription, OutputSpec
from edgeagent.engines.engine import TensorSpec
from edgeagent.engines.mask_check import prototype_form
from edgeagent.engines.tensor_check import check_tensors
from edgeagent.errors import BundleError

WIDTH, HEIGHT, COUNT = 128, 64, 6
Shapes = dict[str, tuple[int, ...]]
RAW: Shapes = {
    "box_16": (1, 4, 4, 8),
    "classes_16": (1, 2, 4, 8),
    "mask_16": (1, COUNT, 4, 8),
    "box_32": (1, 4, 2, 4),
    "classes_32": (1, 2, 2, 4),
    "mask_32": (1, COUNT, 2, 4),
    "prototypes_4": (1, COUNT, 16, 32),
}
JOINED: Shapes = {"output0": (1, 4 + 2 + COUNT, 40), "output1": (1, COUNT, 16, 32)}


def described(**decoder: Any) -> ModelDescription:
    return ModelDescription.model_validate(
        {
            "name": "discs",
            "version": "1.0.0",
            "task": "instances",
            "labels": ["a", "b"],
            "input": {"width": WIDTH, "height": HEIGHT, "layout": "nchw", "colour": "bgr"},
            "decoder": {"family": "yolov8", "strides": [16, 32], "reg_max": 1, **decoder},
            "licence": "Apache-2.0",
            "attribution": "made by the tests",
        }
    )


def check(shapes: Shapes, *, raw: bool = True, nhwc: bool = False, **decoder: Any) -> None:
    if nhwc:
        shapes = {name: (shape[0], *shape[2:], shape[1]) for name, shape in shapes.items()}
    tensors = [TensorSpec(name, shape, np.dtype(np.float32)) for name, shape in shapes.items()]
    roles = [
        OutputSpec.model_validate({"name": name, "role": name.split("_")[0], "stride": name.split("_")[1]})
        for name in (shapes if raw else ())
    ]
    picture = TensorSpec("picture", (1, 3, HEIGHT, WIDTH), np.dtype(np.float32))
    check_tensors(described(**decoder), roles, "m.onnx", [picture], tensors)


def without(*names: str) -> Shapes:
    return {name: shape for name, shape in RAW.items() if name not in names}


@pytest.mark.parametrize("nhwc", [False, True])
def test_raw_outputs_that_fit(nhwc: bool) -> None:
    check(RAW, nhwc=nhwc)


def test_joined_outputs_that_fit() -> None:
    check(JOINED, raw=False)
    check({"output0": (1, 40, 12), "output1": (1, 16, 32, COUNT)}, raw=False)
    check({"output0": (1, 40, 13), "output1": (1, COUNT, 16, 32)}, raw=False, family="yolox", boxes="raw")


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        (without("prototypes_4"), "has one output of the role prototypes.*there are box, classes, mask"),
        (without("mask_32"), "needs the outputs box, classes, mask once for each of the strides 16, 32"),
        ({**RAW, "mask_32": (1, 5, 2, 4)}, r"mask_32 \(mask, stride 32\).*there are 6 prototypes"),
        ({**RAW, "prototypes_4": (1, COUNT, 15, 32)}, r"the prototypes prototypes_4 have the shape"),
        ({**RAW, "prototypes_4": (1, COUNT, 512)}, r"needed is \(1, K, h, w\)"),
        ({**RAW, "prototypes_4": (1, 5, 16, 32)}, "there are 5 prototypes"),
    ],
    ids=["no prototypes", "a scale without", "other coefficients", "odd size", "no map", "other prototypes"],
)
def test_raw_outputs_that_do_not_fit(shapes: Shapes, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        check(shapes)


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        ({"output0": (1, 12, 40)}, "has one output of the role prototypes.*1 outputs without roles"),
        ({**JOINED, "output0": (1, 11, 40)}, "for 2 labels and 6 prototypes"),
        ({**JOINED, "output1": (1, COUNT, 16, 31)}, "the prototypes output1 have the shape"),
        ({**JOINED, "output2": (1, 2)}, "3 outputs without roles"),
    ],
    ids=["no prototypes", "other coefficients", "odd size", "too many"],
)
def test_joined_outputs_that_do_not_fit(shapes: Shapes, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        check(shapes, raw=False)


def test_a_family_without_masks_is_refused() -> None:
    with pytest.raises(
        ValueError, match="the decoder family rtmdet is one for detection, the task is instances"
    ):
        described(family="rtmdet")


def test_the_stride_of_prototypes_is_that_of_both_sides() -> None:
    form = prototype_form((1, 32, 104, 104), (416, 416))
    assert form is not None
    assert (form.channels_first, form.channels, form.stride) == (True, 32, 4)
    last = prototype_form((1, 104, 104, 32), (416, 416))
    assert last is not None
    assert (last.channels_first, last.channels) == (False, 32)
    assert prototype_form((1, 32, 103, 104), (416, 416)) is None
    assert prototype_form((2, 32, 104, 104), (416, 416)) is None

"""Reading of a float ONNX file with its weights and one static picture as input."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto
from onnx.external_data_helper import load_external_data_for_model

from edgeagent.errors import DataError

OPSETS = range(7, 22)
"""Supported opsets; before 7, elementwise operators broadcast by other rules."""

CHANNELS = 3
FLOATS = frozenset({TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE})
"""Element types that are read as float32."""


def read_model(path: Path) -> onnx.ModelProto:
    """Read a model and set a dynamic batch size to 1.

    Raises:
        DataError: the file is damaged, weights are missing, the opset is not supported, there are several
            inputs, or the picture's shape is dynamic or unexpected.
    """
    model = _load(path)
    opset = opset_of(model)
    if opset not in OPSETS:
        raise DataError(
            f"{path}: opset {opset} is not supported; export the model again with an opset from 11 to "
            f"{OPSETS[-1]}"
        )
    _make_static(path, model)
    return model


def opset_of(model: onnx.ModelProto) -> int:
    """Return the opset of the default operator domain; 0 without one."""
    return next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)


def picture_of(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """Return the picture input of a model from :func:`read_model`."""
    weights = {item.name for item in model.graph.initializer}
    picture: onnx.ValueInfoProto = next(item for item in model.graph.input if item.name not in weights)
    return picture


def _load(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(str(path), load_external_data=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except Exception as error:  # onnx and protobuf raise many types on a damaged file
        raise _unreadable(path, error) from error
    try:
        load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # a missing file, one that is too short, a path that leads outside
        files = sorted(
            {e.value for t in model.graph.initializer for e in t.external_data if e.key == "location"}
        )
        raise DataError(
            f"{path}: its weights lie in {', '.join(files)}, which cannot be read whole "
            f"({_first_line(error)}); "
            "put that file beside the model, or export the model into one file"
        ) from error
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        raise _unreadable(path, error) from error
    return model


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: not a readable ONNX model ({_first_line(error)}); export it again")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _make_static(path: Path, model: onnx.ModelProto) -> None:
    weights = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in weights]
    if len(inputs) != 1:
        raise DataError(f"{path}: expected one input (the picture), found {[i.name for i in inputs]}")
    kind = inputs[0].type.tensor_type.elem_type
    if kind not in FLOATS:
        name = onnx.TensorProto.DataType.Name(kind).lower()
        raise DataError(f"{path}: takes pictures as {name}; give the float model, without preprocessing")
    dimensions = inputs[0].type.tensor_type.shape.dim
    shape = tuple(d.dim_value if d.dim_value > 0 else d.dim_param or "?" for d in dimensions)
    if len(shape) != 4 or (shape[1] not in (CHANNELS, "?") and not isinstance(shape[1], str)):
        raise DataError(
            f"{path}: expected a static input shape (1, {CHANNELS}, height, width), found {shape}; export "
            "it so"
        )
    dynamic = [
        name
        for name, size in zip(("channels", "height", "width"), shape[1:], strict=True)
        if isinstance(size, str)
    ]
    if dynamic:
        raise DataError(
            f"{path}: {' and '.join(dynamic)} of the picture are dynamic {shape}; INT8 engines need a static "
            "input: export it again with a fixed picture size (torch.onnx.export without dynamic axes, "
            "ultralytics with dynamic=False imgsz=...)"
        )
    if isinstance(shape[0], int) and shape[0] != 1:
        raise DataError(
            f"{path}: the batch size is fixed at {shape[0]} {shape}; export it again with a batch of 1 or "
            "a dynamic "
            "batch"
        )
    dimensions[0].Clear()
    dimensions[0].dim_value = 1

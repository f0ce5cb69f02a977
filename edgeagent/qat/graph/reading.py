"""Reading of a float ONNX file with its weights and one static picture as input."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from edgeagent.engines.onnx_file import read_onnx
from edgeagent.errors import DataError, EngineError

LOWEST_OPSET = 7
"""Lowest supported opset; before, elementwise operators broadcast by other rules."""
KNOWN_OPSET = 25
"""Highest opset whose operators are known. In a later one, operators that have not changed are read."""

CHANNELS = 3
FLOATS = frozenset({TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE})
"""Element types that are read as float32."""
_RANK = 4  # of a picture
_DIMENSIONS = ("channels", "height", "width")
TO_CHANNELS_LAST = "picture_to_channels_last"
"""Name of the node that is put before a graph that takes pictures with channels last."""


def read_model(path: Path) -> onnx.ModelProto:
    """Read a model as every engine reads it (:func:`edgeagent.engines.onnx_file.read_onnx`).

    A picture with channels last gets a node that transposes it, named :data:`TO_CHANNELS_LAST`. Further
    inputs stay; the part that is trained must not depend on them.

    Raises:
        DataError: the file is damaged, weights are missing, the opset is not supported, no input is a
            picture, or its shape is dynamic or unexpected.
    """
    model = load_onnx(path)
    try:
        onnx.checker.check_model(model)
    except Exception as error:  # onnx raises many types on a damaged model
        raise _unreadable(path, error) from error
    opset, highest = opset_of(model), onnx.defs.onnx_opset_version()
    if opset > highest:
        raise DataError(
            f"{path}: opset {opset} is newer than onnx {onnx.__version__} knows ({highest}); export the "
            f"model again with an opset from 11 to {KNOWN_OPSET}"
        )
    if opset < LOWEST_OPSET:
        raise DataError(
            f"{path}: opset {opset} is not supported; export the model again with an opset from 11 to "
            f"{KNOWN_OPSET}"
        )
    try:
        picture = picture_of(model)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    _check_shape(path, model, picture)
    return model


def opset_of(model: onnx.ModelProto) -> int:
    """Return the opset of the default operator domain; 0 without one."""
    return next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)


def inputs_of(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs of a model that are not weights."""
    weights = {item.name for item in model.graph.initializer}
    return [item for item in model.graph.input if item.name not in weights]


def picture_of(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """Return the picture among the inputs of a model: the only one, or the only one of four dimensions.

    Raises:
        DataError: there is none, or there are several.
    """
    inputs = inputs_of(model)
    pictures = [item for item in inputs if len(item.type.tensor_type.shape.dim) == _RANK]
    if len(pictures) != 1 and len(inputs) != 1:
        names = ", ".join(item.name for item in inputs) or "none"
        raise DataError(
            f"expected one picture (1, {CHANNELS}, height, width) among the inputs, found {names}; export "
            "the model without its preprocessing and post-processing"
        )
    return (pictures or inputs)[0]


def load_onnx(path: Path) -> onnx.ModelProto:
    """Load an ONNX file as every engine reads it.

    Raises:
        DataError: it is missing or damaged, or weights in other files cannot be read.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file")
    try:
        return onnx.load_model_from_string(read_onnx(path))
    except EngineError as error:
        raise DataError(str(error)) from error
    except Exception as error:  # onnx and protobuf raise many types on a damaged file
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: not a readable ONNX model ({_first_line(error)}); export it again")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _check_shape(path: Path, model: onnx.ModelProto, picture: onnx.ValueInfoProto) -> None:
    kind = picture.type.tensor_type.elem_type
    if kind not in FLOATS:
        name = onnx.TensorProto.DataType.Name(kind).lower()
        raise DataError(f"{path}: takes pictures as {name}; give the float model, without preprocessing")
    dimensions = picture.type.tensor_type.shape.dim
    shape = tuple(d.dim_value if d.dim_value > 0 else d.dim_param or "?" for d in dimensions)
    last = len(shape) == _RANK and shape[3] == CHANNELS and shape[1] != CHANNELS
    if len(shape) != _RANK or not (last or shape[1] == CHANNELS or isinstance(shape[1], str)):
        raise DataError(
            f"{path}: expected a static input shape (1, {CHANNELS}, height, width), found {shape}; export "
            "it so"
        )
    names = (*_DIMENSIONS[1:], _DIMENSIONS[0]) if last else _DIMENSIONS
    dynamic = [name for name, size in zip(names, shape[1:], strict=True) if isinstance(size, str)]
    if dynamic:
        raise DataError(
            f"{path}: {' and '.join(dynamic)} of the picture are dynamic {shape}; INT8 engines need a static "
            "input: export it again with a fixed picture size (torch.onnx.export without dynamic axes, "
            "ultralytics with dynamic=False imgsz=...)"
        )
    if shape[0] != 1:
        raise DataError(
            f"{path}: the batch size is fixed at {shape[0]} {shape}; export it again with a batch of 1 or "
            "a dynamic "
            "batch"
        )
    if last:
        _put_channels_first(model, picture)


def _put_channels_first(model: onnx.ModelProto, picture: onnx.ValueInfoProto) -> None:
    """Take pictures (1, 3, height, width), and transpose them to (1, height, width, 3)."""
    _, height, width, channels = (d.dim_value for d in picture.type.tensor_type.shape.dim)
    kind = picture.type.tensor_type.elem_type
    first = f"{picture.name}/channels_first"
    model.graph.node.insert(
        0, helper.make_node("Transpose", [first], [picture.name], TO_CHANNELS_LAST, perm=[0, 2, 3, 1])
    )
    picture.CopyFrom(helper.make_tensor_value_info(first, kind, (1, channels, height, width)))

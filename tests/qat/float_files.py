"""One small YOLOX in the forms in which exports write it: all are the same model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.qat.models import SIZE, small_yolox

HALF = TensorProto.FLOAT16


def free_batch(path: Path) -> Path:
    """The batch size of input and output is free, as torch writes it with dynamic axes."""
    model = onnx.load(str(small_yolox(path)))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "Concatoutput0_dim_1"
    return _saved(model, path)


def external_weights(path: Path) -> Path:
    """All weights lie in a file beside the model, as torch writes them by default."""
    model = onnx.load(str(small_yolox(path)))
    onnx.save(model, str(path), save_as_external_data=True, location=f"{path.name}.data", size_threshold=0)
    assert path.with_name(f"{path.name}.data").stat().st_size > path.stat().st_size // 4
    return path


def half_precision(path: Path) -> Path:
    """Weights, input and output are float16; a cast there and one back stand at the end, out of order."""
    model = onnx.load(str(small_yolox(path)))
    graph = model.graph
    scales = {node.input[2] for node in graph.node if node.op_type == "Resize"}
    for item in graph.initializer:
        if item.data_type == TensorProto.FLOAT and item.name not in scales:
            item.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(item).astype(np.float16), item.name))
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.elem_type = HALF
    first = next(node for node in graph.node if node.op_type == "Conv")
    written, first.output[0] = first.output[0], "in_half"
    there = helper.make_node("Cast", ["in_half"], ["in_single"], "there", to=TensorProto.FLOAT)
    graph.node.extend([helper.make_node("Cast", ["in_single"], [written], "back", to=HALF), there])
    return _saved(model, path)


def repeated_names(path: Path) -> Path:
    """Nodes share names, and have those of attributes of Python modules and dictionaries."""
    model = onnx.load(str(small_yolox(path)))
    names = ("keys", "type", "forward", "a.b", "a_b", "", "training", "keys_2", "pop")
    for index, node in enumerate(model.graph.node):
        node.name = names[index % len(names)]
    return _saved(model, path)


def new_opset(path: Path) -> Path:
    """Its operators are those of opset 25."""
    return small_yolox(path, opset=25)


def double_output(path: Path) -> Path:
    """The output is float64, as decoding with numpy constants leaves it."""
    model = onnx.load(str(small_yolox(path)))
    output = model.graph.output[0]
    model.graph.node.append(helper.make_node("Cast", [output.name], ["wide"], "wide", to=TensorProto.DOUBLE))
    output.name = "wide"
    output.type.tensor_type.elem_type = TensorProto.DOUBLE
    return _saved(model, path)


def channels_last(path: Path) -> Path:
    """Pictures have their channels last, and the first node transposes them, as tf2onnx writes it."""
    model = onnx.load(str(small_yolox(path)))
    picture = model.graph.input[0]
    node = helper.make_node("Transpose", ["nhwc"], [picture.name], "Transpose__1", perm=[0, 3, 1, 2])
    model.graph.node.insert(0, node)
    picture.CopyFrom(helper.make_tensor_value_info("nhwc", TensorProto.FLOAT, (1, SIZE, SIZE, 3)))
    return _saved(model, path)


FORMS: tuple[Callable[[Path], Path], ...] = (
    free_batch,
    external_weights,
    half_precision,
    repeated_names,
    new_opset,
    double_output,
    channels_last,
)


def _saved(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path

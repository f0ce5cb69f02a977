"""Every rule of the TensorRT linter: a file that breaks it and no other, made from one that breaks none."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.export.tensorrt_export import export_tensorrt
from edgeagent.qat.lint.qdq_model import QdqModel, is_dq
from edgeagent.qat.lint.tensorrt_lint import lint_tensorrt
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.export.test_tensorrt_export import planned, residual_net
from tests.qat.models import SIZE, GraphBuilder, small_yolox


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    """A file with a residual, activations and a concat, as TensorRT wants it."""
    folder = tmp_path_factory.mktemp("good")
    export_tensorrt(planned(residual_net(folder / "m.onnx")), folder / "q.onnx")
    return onnx.load(str(folder / "q.onnx"))


@pytest.fixture
def model(good: onnx.ModelProto) -> onnx.ModelProto:
    return copy.deepcopy(good)


def rules(model: onnx.ModelProto) -> set[tuple[str, str]]:
    return {(finding.rule, finding.severity) for finding in lint_tensorrt(model)}


def only(rule: str, severity: str = "error") -> set[tuple[str, str]]:
    return {(rule, severity)}


def first(model: onnx.ModelProto, operator: str) -> onnx.NodeProto:
    found: onnx.NodeProto = next(node for node in model.graph.node if node.op_type == operator)
    return found


def maker(model: onnx.ModelProto, tensor: str) -> onnx.NodeProto:
    found: onnx.NodeProto = next(node for node in model.graph.node if tensor in node.output)
    return found


def store(model: onnx.ModelProto, name: str, value: object, dtype: type) -> str:
    kept = [item for item in model.graph.initializer if item.name != name]
    del model.graph.initializer[:]
    model.graph.initializer.extend([*kept, numpy_helper.from_array(np.asarray(value, dtype), name)])
    return name


def stored(model: onnx.ModelProto, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return numpy_helper.to_array(next(item for item in model.graph.initializer if item.name == name))


def pair(model: onnx.ModelProto, tensor: str, scale: float) -> str:
    """Put a Q/DQ pair of its own behind a tensor and return the result."""
    name = f"{tensor}_extra"
    arguments = [store(model, f"{name}_s", scale, np.float32), "no_zero_point"]
    q = helper.make_node("QuantizeLinear", [tensor, *arguments], [f"{name}_q"], f"{name}_q")
    dq = helper.make_node("DequantizeLinear", [f"{name}_q", *arguments], [name], name)
    model.graph.node.extend([q, dq])
    return name


def test_a_good_file_passes(good: onnx.ModelProto) -> None:
    assert lint_tensorrt(good) == []


def test_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 12
    assert rules(model) == only("opset")


def test_zero_point(model: onnx.ModelProto) -> None:
    store(model, "no_zero_point", 3, np.int8)
    assert rules(model) == only("zero-point")


@pytest.mark.parametrize(("dtype", "name"), [(np.uint8, "uint8"), (np.int16, "INT16")])
def test_other_codes_than_int8(model: onnx.ModelProto, dtype: type, name: str) -> None:
    store(model, "no_zero_point", 0, dtype)
    assert rules(model) == only("int8")
    assert name in lint_tensorrt(model)[0].message


def test_codes_without_a_zero_point_are_uint8(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[2] == "no_zero_point":
            del node.input[2]
    assert rules(model) == only("int8")


def test_biases_as_integers(model: onnx.ModelProto) -> None:
    conv = first(model, "Conv")
    size = len(stored(model, conv.input[2]))
    codes = store(model, "bias_q", np.ones(size), np.int32)
    scale = store(model, "bias_s", np.ones(size), np.float32)
    names = [codes, scale, store(model, "bias_z", np.zeros(size), np.int32)]
    model.graph.node.append(helper.make_node("DequantizeLinear", names, ["bias"], "bias", axis=0))
    conv.input[2] = "bias"
    assert rules(model) == only("int8")


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_scales_are_positive_numbers(model: onnx.ModelProto, scale: float) -> None:
    name = maker(model, first(model, "Conv").input[0]).input[1]
    store(model, name, scale, np.float32)
    assert rules(model) == only("positive-scale")


def test_a_computed_scale(model: onnx.ModelProto) -> None:
    dq = maker(model, first(model, "Conv").input[0])
    model.graph.node.append(helper.make_node("Identity", [dq.input[1]], ["computed"], "computed"))
    dq.input[1] = "computed"
    assert rules(model) == only("constant-scale")


def test_an_activation_with_one_scale_per_channel(model: onnx.ModelProto) -> None:
    name = maker(model, first(model, "Conv").input[0]).input[1]
    store(model, name, [float(stored(model, name))] * 3, np.float32)
    assert rules(model) == only("activation-per-tensor")


def test_an_input_without_a_pair(model: onnx.ModelProto) -> None:
    conv = first(model, "Conv")
    conv.input[0] = maker(model, maker(model, conv.input[0]).input[0]).input[0]
    assert rules(model) == only("quantized-input")


def test_a_float_weight(model: onnx.ModelProto) -> None:
    conv = first(model, "Conv")
    shape = stored(model, maker(model, conv.input[1]).input[0]).shape
    conv.input[1] = store(model, "float_weight", np.ones(shape), np.float32)
    assert rules(model) == only("quantized-weight")


def test_a_float_operator(model: onnx.ModelProto) -> None:
    conv = first(model, "Conv")
    shape = stored(model, maker(model, conv.input[1]).input[0]).shape
    conv.input[0] = maker(model, maker(model, conv.input[0]).input[0]).input[0]
    conv.input[1] = store(model, "float_weight", np.ones(shape), np.float32)
    assert rules(model) == only("float-operator", "warning")


def test_a_weight_with_one_scale(model: onnx.ModelProto) -> None:
    dq = maker(model, first(model, "Conv").input[1])
    store(model, dq.input[1], 0.1, np.float32)
    store(model, dq.input[2], 0, np.int8)
    assert rules(model) == only("per-channel-weight", "warning")


def test_scales_along_another_axis(model: onnx.ModelProto) -> None:
    first_axis = maker(model, first(model, "Conv").input[1]).attribute[0]
    assert first_axis.name == "axis"
    first_axis.i = 1
    assert rules(model) == only("weight-axis")


def test_a_weight_that_is_quantized_at_run_time(model: onnx.ModelProto) -> None:
    dq = maker(model, first(model, "Conv").input[1])
    store(model, dq.input[0], stored(model, dq.input[0]), np.float32)
    q = helper.make_node("QuantizeLinear", list(dq.input), ["weight_codes"], "weight_codes", axis=0)
    model.graph.node.append(q)
    dq.input[0] = "weight_codes"
    assert rules(model) == only("stored-weight", "warning")


def test_both_branches_of_a_sum(model: onnx.ModelProto) -> None:
    add = first(model, "Add")
    position = next(i for i, name in enumerate(add.input) if maker(model, name).op_type == "Conv")
    add.input[position] = pair(model, add.input[position], 0.1)
    assert rules(model) == only("residual")


def test_no_branch_of_a_sum(model: onnx.ModelProto) -> None:
    add = first(model, "Add")
    view = QdqModel(model)
    position = next(i for i, name in enumerate(add.input) if is_dq(view.producer(name)))
    add.input[position] = view.unquantized(add.input[position])
    assert rules(model) == only("residual", "warning")


def test_a_concat_of_different_scales(model: onnx.ModelProto) -> None:
    concat = first(model, "Concat")
    concat.input[0] = pair(model, maker(model, maker(model, concat.input[0]).input[0]).input[0], 0.5)
    assert rules(model) == only("concat-scale")


def test_a_pair_between_a_convolution_and_its_activation(model: onnx.ModelProto) -> None:
    relu = first(model, "Relu")
    relu.input[0] = pair(model, relu.input[0], 0.1)
    assert rules(model) == only("between-conv-and-activation")


@pytest.mark.parametrize("quantized", [False, True])
def test_boxes_and_scores_in_one_concat(tmp_path: Path, quantized: bool) -> None:
    g = GraphBuilder()
    boxes, scores = g.node("Relu", "images"), g.node("Sigmoid", "images")
    both = g.node("Concat", boxes, scores, axis=1)
    g.save(tmp_path / "m.onnx", {both: (1, 6, SIZE, SIZE)})
    model = onnx.load(str(tmp_path / "m.onnx"))
    store(model, "no_zero_point", 0, np.int8)
    if quantized:
        pair(model, both, 2.5)
    assert rules(model) == (only("boxes-and-scores") if quantized else set())


def test_affine_grids_are_not_for_tensorrt(tmp_path: Path) -> None:
    export_onnx(calibrated(small_yolox(tmp_path / "m.onnx")), tmp_path / "q.onnx")
    found = {rule for rule, severity in rules(onnx.load(str(tmp_path / "q.onnx"))) if severity == "error"}
    assert {"int8", "zero-point"} <= found


def test_a_transposed_convolution_has_its_output_channels_second() -> None:
    names = {"w": np.ones((4, 6, 2, 2), np.int8), "s": np.ones(6, np.float32), "z": np.zeros(6, np.int8)}
    names |= {"xs": np.float32(1), "xz": np.int8(0)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "xs", "xz"], ["dq"]),
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wd"], axis=1),
        helper.make_node("ConvTranspose", ["dq", "wd"], ["y"], kernel_shape=[2, 2]),
    ]
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in "xy"]
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in names.items()]
    graph = helper.make_graph(nodes, "test", tensors[:1], tensors[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    assert lint_tensorrt(model) == []
    maker(model, "wd").attribute[0].i = 0
    assert rules(model) == only("weight-axis")

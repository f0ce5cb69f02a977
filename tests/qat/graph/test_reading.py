"""Float models as they come: opsets, dynamic batches, further inputs, damaged files, odd names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeagent.errors import DataError
from edgeagent.qat.graph import constant_folding
from edgeagent.qat.graph.graph import read_graph
from tests.qat.models import SIZE, GraphBuilder, small_yolox


def with_shape(path: Path, *shape: int | str) -> Path:
    """Give the picture of a model another shape."""
    model = onnx.load(str(path))
    picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)
    model.graph.input[0].CopyFrom(picture)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08\x12"])
def test_damaged_model_is_a_clear_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.onnx: "):
        read_graph(path)


def test_truncated_model_is_a_clear_error(tmp_path: Path) -> None:
    path = small_yolox(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match="not a readable ONNX model"):
        read_graph(path)


def test_missing_model_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_graph(tmp_path / "m.onnx")


@pytest.mark.parametrize("batch", ["N", 0, -1])
def test_a_dynamic_batch_is_read_as_one(batch: int | str, tmp_path: Path) -> None:
    path = with_shape(small_yolox(tmp_path / "m.onnx"), batch, 3, SIZE, SIZE)
    assert read_graph(path).input_shape == (1, 3, SIZE, SIZE)


def test_a_dynamic_size_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = with_shape(small_yolox(tmp_path / "m.onnx"), 1, 3, "height", "width")
    wanted = "height and width of the picture are dynamic .*export it again with a fixed picture size"
    with pytest.raises(DataError, match=wanted):
        read_graph(path)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((2, 3, SIZE, SIZE), "batch size is fixed at 2"),
        ((1, SIZE, SIZE, 4), "expected a static input shape"),
        ((1, SIZE, "width", 3), "width of the picture are dynamic"),
    ],
)
def test_other_shapes_are_refused(shape: tuple[int, ...], reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        read_graph(with_shape(small_yolox(tmp_path / "m.onnx"), *shape))


def external(path: Path) -> Path:
    """Save a model with its weights in a file beside it, and return that file."""
    small_yolox(path)
    onnx.save(
        onnx.load(str(path)), str(path), save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    return path.with_name("weights.bin")


def test_weights_in_another_file_are_read(tmp_path: Path) -> None:
    weights = external(tmp_path / "m.onnx")
    assert weights.exists()
    graph = read_graph(tmp_path / "m.onnx")
    whole = read_graph(small_yolox(tmp_path / "whole.onnx"))
    for name, array in whole.constants.items():
        np.testing.assert_array_equal(graph.constants[name], array)


@pytest.mark.parametrize("kept", [None, 100])
def test_missing_or_short_weights_are_a_clear_error(kept: int | None, tmp_path: Path) -> None:
    weights = external(tmp_path / "m.onnx")
    if kept is None:
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"weights lie in weights\.bin, which cannot be read whole"):
        read_graph(tmp_path / "m.onnx")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_named(value: float, tmp_path: Path) -> None:
    path = small_yolox(tmp_path / "m.onnx")
    model = onnx.load(str(path))
    broken = next(item for item in model.graph.initializer if len(item.dims) == 4)
    array = numpy_helper.to_array(broken).copy()
    array[0, 0, 0, 0] = value
    broken.CopyFrom(numpy_helper.from_array(array, broken.name))
    onnx.save(model, str(path))
    with pytest.raises(DataError, match=f"NaN or infinity in {broken.name}"):
        read_graph(path)


def test_nodes_without_names_and_of_one_name_get_unique_ones(tmp_path: Path) -> None:
    path = small_yolox(tmp_path / "m.onnx")
    model = onnx.load(str(path))
    for index, node in enumerate(model.graph.node):
        node.name = ("", "same", "a.b", "a_b")[index % 4]
    onnx.save(model, str(path))
    names = [node.name for node in read_graph(path).nodes]
    assert all(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("opset", [7, 11, 22, 25])
def test_opsets_are_read_whose_operators_are_known(opset: int, tmp_path: Path) -> None:
    g = GraphBuilder()
    head = g.conv(g.node("Relu", g.conv("images", (3, 8))), (8, 2))
    graph = read_graph(g.save(tmp_path / "m.onnx", {head: (1, 2, SIZE, SIZE)}, opset))
    assert [node.operator for node in graph.nodes] == ["Conv", "Relu", "Conv"]


def test_an_old_opset_is_refused(tmp_path: Path) -> None:
    g = GraphBuilder()
    path = g.save(tmp_path / "m.onnx", {g.conv("images", (3, 2)): (1, 2, SIZE, SIZE)}, opset=6)
    with pytest.raises(DataError, match=r"opset 6 is not supported; export .* an opset from 11 to 25"):
        read_graph(path)


def test_a_new_opset_is_refused_by_the_operators_that_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constant_folding, "KNOWN_OPSET", 21)
    g = GraphBuilder()
    x = g.node("Relu", g.conv("images", (3, 8)))
    path = g.save(tmp_path / "m.onnx", {x: (1, 8, SIZE, SIZE)}, opset=22)
    with pytest.raises(
        DataError, match=r"operator Conv of node Conv\.0 is that of opset 22, qat knows .* up to 21"
    ):
        read_graph(path)
    monkeypatch.setattr(constant_folding, "KNOWN_OPSET", 22)
    assert read_graph(path).nodes


def test_an_opset_that_onnx_does_not_know_is_refused(tmp_path: Path) -> None:
    path = small_yolox(tmp_path / "m.onnx")
    model = onnx.load(str(path))
    model.opset_import[0].version = 99
    path.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match=r"opset 99 is newer than onnx .* knows"):
        read_graph(path)


def with_scale(path: Path, before_heads: bool) -> Path:
    """A second input scales the boxes behind the heads, as PicoDet's, or the features before them."""
    g = GraphBuilder()
    x = g.node("Relu", g.conv("images", (3, 8)))
    one = g.node("Slice", "scale_factor", g.constant([0]), g.constant([1]), g.constant([1]))
    scale = g.node("Reshape", one, g.constant([1, 1, 1, 1]))
    head = g.conv(g.node("Mul", x, scale) if before_heads else x, (8, 4))
    boxes = head if before_heads else g.node("Div", head, scale)
    g.save(path, {boxes: (1, 4, SIZE, SIZE)}, inputs={"scale_factor": (1, 2)})
    return path


def test_an_input_that_only_scales_boxes_is_ignored(tmp_path: Path) -> None:
    graph = read_graph(with_scale(tmp_path / "m.onnx", before_heads=False))
    assert (graph.input, [node.operator for node in graph.nodes]) == ("images", ["Conv", "Relu", "Conv"])


def test_an_input_that_the_heads_need_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="heads depend on the inputs scale_factor besides the picture images"):
        read_graph(with_scale(tmp_path / "m.onnx", before_heads=True))


def test_two_pictures_are_refused(tmp_path: Path) -> None:
    g = GraphBuilder()
    head = g.node("Add", g.conv("images", (3, 2)), g.conv("depth", (3, 2)))
    shape = (1, 3, SIZE, SIZE)
    path = g.save(tmp_path / "m.onnx", {head: (1, 2, SIZE, SIZE)}, inputs={"depth": shape})
    with pytest.raises(DataError, match=r"expected one picture .* found images, depth"):
        read_graph(path)


def test_a_picture_with_channels_last_is_refused_with_what_to_do_if_it_is_used_so(tmp_path: Path) -> None:
    g = GraphBuilder()
    scaled = g.node("Mul", "images", g.constant([0.1, 0.2, 0.3], np.float32))
    head = g.conv(g.node("Transpose", scaled, perm=[0, 3, 1, 2]), (3, 2))
    path = with_shape(g.save(tmp_path / "m.onnx", {head: (1, 2, SIZE, SIZE)}), 1, SIZE, SIZE, 3)
    with pytest.raises(DataError, match=r"channels last.*tf2onnx: --inputs-as-nchw"):
        read_graph(path)


def test_a_quantized_model_is_refused_as_such(tmp_path: Path) -> None:
    g = GraphBuilder()
    scale, zero = g.constant(0.1, np.float32), g.constant(3, np.uint8)
    codes = g.node("QuantizeLinear", g.conv("images", (3, 8)), scale, zero)
    head = g.conv(g.node("DequantizeLinear", codes, scale, zero), (8, 2))
    path = g.save(tmp_path / "m.onnx", {head: (1, 2, SIZE, SIZE)})
    with pytest.raises(DataError, match="quantized already; give the float model"):
        read_graph(path)


def test_every_use_that_is_not_supported_is_named(tmp_path: Path) -> None:
    g = GraphBuilder()
    x = g.node("Pow", g.conv("images", (3, 8)), g.constant(3.0, np.float32))
    x = g.node("Softmax", x, axis=0)
    path = g.save(tmp_path / "m.onnx", {g.conv(g.node("Erf", x), (8, 2)): (1, 2, SIZE, SIZE)})
    with pytest.raises(DataError) as caught:
        read_graph(path)
    for part in (r"exponent [3.0] of node Pow.1", "axis 0, which would mix", "operator Erf of node Erf.3"):
        assert part in str(caught.value)


def test_half_precision_is_read_as_single(tmp_path: Path) -> None:
    g = GraphBuilder()
    half = g.node("Cast", "images", to=TensorProto.FLOAT16)
    weight = g.constant(np.full((2, 3, 1, 1), 0.5), np.float16)
    head = g.node("Cast", g.node("Conv", half, weight), to=TensorProto.FLOAT)
    graph = read_graph(g.save(tmp_path / "m.onnx", {head: (1, 2, SIZE, SIZE)}))
    assert [node.operator for node in graph.nodes] == ["Conv"]
    assert graph.constants[graph.nodes[0].inputs[1]].dtype == np.float32

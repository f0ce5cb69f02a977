"""Every form of a float model gives every engine, and qat, the same model."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from edgeagent.engines.engine import Engine
from edgeagent.engines.onnx_file import read_onnx
from edgeagent.engines.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.engines.openvino_engine import OpenvinoEngine
from edgeagent.errors import EngineError
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.affine import plan_affine_grids
from edgeagent.qat.network.network import Network
from tests.engines import onnx_graphs as graphs
from tests.included import QUICK_BUNDLE
from tests.qat.float_files import FORMS, external_weights, half_precision, repeated_names
from tests.qat.models import SIZE, small_yolox

Form = Callable[[Path], Path]
PICTURE = np.random.default_rng(3).random((1, 3, SIZE, SIZE), np.float32)


def run(engine: Engine) -> np.ndarray:
    """Return the only output for the picture."""
    (given,), (out,) = engine.inputs, engine.outputs
    assert (given.dtype.name, out.dtype.name) == ("float32", "float32")
    picture = PICTURE if given.shape[1] == 3 else np.ascontiguousarray(PICTURE.transpose(0, 2, 3, 1))
    buffer = out.allocate()
    engine.infer([picture], [buffer])
    return buffer


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("engine", [OnnxRuntimeEngine, OpenvinoEngine])
def test_every_form_runs_in_every_engine(
    engine: type[OnnxRuntimeEngine] | type[OpenvinoEngine], form: Form, tmp_path: Path
) -> None:
    wanted = run(OnnxRuntimeEngine(small_yolox(tmp_path / "plain.onnx"), 1))
    tolerance = 0.05 * np.abs(wanted).max() if form is half_precision else 1e-3
    np.testing.assert_allclose(run(engine(form(tmp_path / "m.onnx"), 1)), wanted, atol=tolerance)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_trained(form: Form, tmp_path: Path) -> None:
    heads = []
    for path in (small_yolox(tmp_path / "plain.onnx"), form(tmp_path / "m.onnx")):
        graph = read_graph(path)
        assert graph.input_shape == (1, 3, SIZE, SIZE)
        assert "Transpose" not in {node.operator for node in graph.nodes}
        with torch.no_grad():
            heads.append(Network(graph, plan_affine_grids(graph, None))(torch.from_numpy(PICTURE)))
    for wanted, found in zip(*heads, strict=True):
        tolerance = 0.05 * float(wanted.abs().max()) if form is half_precision else 1e-4
        np.testing.assert_allclose(found, wanted, atol=tolerance)


def test_a_model_in_order_is_returned_unchanged(tmp_path: Path) -> None:
    for path in (small_yolox(tmp_path / "m.onnx"), *QUICK_BUNDLE.glob("*.onnx")):
        assert read_onnx(path) == path.read_bytes()


def test_a_file_that_is_no_model_is_returned_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    for content in (b"not a model", small_yolox(path).read_bytes()[:-100]):
        path.write_bytes(content)
        assert read_onnx(path) == content


def test_what_is_read_is_a_valid_model(tmp_path: Path) -> None:
    for form in FORMS:
        onnx.checker.check_model(onnx.load_model_from_string(read_onnx(form(tmp_path / "m.onnx"))))


def test_names_of_nodes_are_unique_and_kept_where_they_can_be(tmp_path: Path) -> None:
    before = onnx.load(str(repeated_names(tmp_path / "m.onnx"))).graph.node
    after = onnx.load_model_from_string(read_onnx(tmp_path / "m.onnx")).graph.node
    names = [node.name for node in after if node.name]
    assert len(set(names)) == len(names)
    assert [node.name for node in after[:9]] == [node.name for node in before[:9]]


def test_a_graph_in_a_node_is_sorted_by_what_it_reads(tmp_path: Path) -> None:
    inner = helper.make_graph(
        [helper.make_node("Neg", ["late"], ["negative"])], "then", [], [graphs.value("negative")]
    )
    other = helper.make_graph(
        [helper.make_node("Abs", ["late"], ["positive"])], "else", [], [graphs.value("positive")]
    )
    nodes = [
        helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=other),
        helper.make_node("Add", ["x", "x"], ["late"]),
        helper.make_node(
            "Constant", [], ["yes"], value=helper.make_tensor("t", TensorProto.BOOL, [], [True])
        ),
    ]
    path = graphs.write_graph(tmp_path / "m.onnx", nodes, [graphs.value("x")], [graphs.value("y")])
    order = [node.op_type for node in onnx.load_model_from_string(read_onnx(path)).graph.node]
    assert order == ["Add", "Constant", "If"]
    engine = OnnxRuntimeEngine(path, 1)
    x, y = np.ones(graphs.SHAPE, np.float32), engine.outputs[0].allocate()
    engine.infer([x], [y])
    np.testing.assert_array_equal(y, -2 * x)


def test_nodes_that_need_each_other_are_left_to_the_engine(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Neg", ["a"], ["b"])]
    path = graphs.write_graph(tmp_path / "m.onnx", nodes, [graphs.value("x")], [graphs.value("b")])
    with pytest.raises(EngineError, match="cannot load it"):
        OnnxRuntimeEngine(path, 1)


@pytest.mark.parametrize(
    "location", ["", "../weights.bin", "absent.bin", "/etc/hostname", "linked.bin", "a\0b"]
)
def test_weights_outside_the_folder_are_not_read(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = external_weights(folder / "m.onnx")
    (folder / "m.onnx.data").rename(tmp_path / "weights.bin")
    (folder / "linked.bin").symlink_to(tmp_path / "weights.bin")
    model = onnx.load(str(path), load_external_data=False)
    for item in model.graph.initializer:
        for entry in item.external_data:
            entry.value = location if entry.key == "location" else entry.value
    path.write_bytes(model.SerializeToString())
    with pytest.raises(EngineError, match=r"its weights lie in .*put that file beside the model"):
        read_onnx(path)


@pytest.mark.parametrize(("key", "value"), [("offset", "-1"), ("length", "99999999"), ("length", "many")])
def test_places_outside_the_file_of_weights(key: str, value: str, tmp_path: Path) -> None:
    path = external_weights(tmp_path / "m.onnx")
    model = onnx.load(str(path), load_external_data=False)
    for entry in model.graph.initializer[-1].external_data:
        entry.value = value if entry.key == key else entry.value
    path.write_bytes(model.SerializeToString())
    with pytest.raises(EngineError, match=r"its weights lie in m\.onnx\.data, which cannot be read whole"):
        read_onnx(path)


def test_thousands_of_equal_names_and_sizes_are_quick(tmp_path: Path) -> None:
    many = 4000
    nodes = [helper.make_node("Neg", [f"t{i}"], [f"t{i + 1}"], name="n") for i in range(many)]
    inputs = [graphs.value("t0", graphs.HALF, ["batch", 3, 4, 4])]
    inputs += [graphs.value(f"i{i}", graphs.HALF, [1]) for i in range(many)]
    inputs.append(graphs.value("long", graphs.FLOAT, [1] * 4 * many))
    path = graphs.write_graph(tmp_path / "m.onnx", nodes, inputs, [graphs.value(f"t{many}")])
    started = time.process_time()
    graph = onnx.load_model_from_string(read_onnx(path)).graph
    assert time.process_time() - started < 20  # the square of the number takes minutes
    names = [node.name for node in graph.node if node.op_type == "Neg"]
    assert names[:2] == ["n", "n_2"]
    assert len(set(names)) == many


@pytest.mark.parametrize(("kind", "why"), [("pipe", "it is no file"), ("huge", "more than a model can have")])
def test_weights_that_are_no_file_or_too_large(kind: str, why: str, tmp_path: Path) -> None:
    path, weights = external_weights(tmp_path / "m.onnx"), tmp_path / "m.onnx.data"
    if kind == "huge":
        os.truncate(weights, 1 << 40)
    else:
        weights.unlink()
        os.mkfifo(weights)
    with pytest.raises(EngineError, match=why):
        read_onnx(path)


def test_weights_that_are_used_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = external_weights(tmp_path / "m.onnx")
    monkeypatch.setattr("edgeagent.engines.onnx_file._MOST_BYTES", (tmp_path / "m.onnx.data").stat().st_size)
    read_onnx(path)
    model = onnx.load(str(path), load_external_data=False)
    first = next(item for item in model.graph.initializer if item.external_data)
    model.graph.initializer.extend([first] * 1000)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(EngineError, match="the weights have more than"):
        read_onnx(path)


def test_a_model_that_does_not_fit_into_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, sha256: str | None) -> bytes:
        raise MemoryError

    monkeypatch.setattr("edgeagent.engines.onnx_file.read_artefact", fail)
    with pytest.raises(EngineError, match="does not fit into the memory"):
        read_onnx(tmp_path / "m.onnx")


def test_a_pipe_as_model_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.onnx")
    with pytest.raises(EngineError, match=r"m\.onnx: is no file"):
        read_onnx(tmp_path / "m.onnx")


def test_the_name_of_a_file_of_weights_is_one_line(tmp_path: Path) -> None:
    path = external_weights(tmp_path / "m.onnx")
    model = onnx.load(str(path), load_external_data=False)
    for item in model.graph.initializer:
        for entry in item.external_data:
            entry.value = "a\n\x1b[31m" if entry.key == "location" else entry.value
    path.write_bytes(model.SerializeToString())
    with pytest.raises(EngineError, match=r"lie in a\\n\\x1b\[31m"):
        read_onnx(path)

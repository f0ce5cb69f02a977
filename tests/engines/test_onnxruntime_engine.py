from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from edgeagent.engines.engine import Engine
from edgeagent.engines.onnxruntime_engine import MOST_BINDINGS, OnnxRuntimeEngine
from edgeagent.errors import EngineError
from tests.engines import onnx_graphs as graphs

RANDOM = np.random.default_rng(1)


def numbers(shape: tuple[int, ...] = graphs.SHAPE) -> Any:
    return RANDOM.normal(size=shape).astype(np.float32)


def refusal(path: Path) -> str:
    """Return the one sentence with which a file is refused."""
    with pytest.raises(EngineError) as caught:
        OnnxRuntimeEngine(path, 1)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_it_tells_what_it_is(tmp_path: Path) -> None:
    engine: Engine = OnnxRuntimeEngine(graphs.sum_and_product(tmp_path / "m.onnx"), 3)
    assert [(spec.name, spec.shape, spec.dtype.name, spec.scale) for spec in engine.inputs] == [
        ("a", (2, 3, 4), "float32", None),
        ("b", (2, 3, 4), "float32", None),
    ]
    assert [spec.name for spec in engine.outputs] == ["sum", "product"]
    facts = engine.facts
    assert (facts.engine, facts.version) == ("onnxruntime", onnxruntime.__version__)
    assert (facts.delegate, facts.threads) == ("CPUExecutionProvider", 3)
    assert facts.load_s > 0


def test_it_computes_what_a_plain_session_does(tmp_path: Path) -> None:
    path = graphs.sum_and_product(tmp_path / "m.onnx")
    engine, a, b = OnnxRuntimeEngine(path, 1), numbers(), numbers()
    outputs = [spec.allocate() for spec in engine.outputs]
    engine.infer([a, b], outputs)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for mine, plain in zip(outputs, session.run(None, {"a": a, "b": b}), strict=True):
        np.testing.assert_array_equal(mine, plain)


def test_buffers_are_used_in_place_and_nothing_is_allocated(tmp_path: Path) -> None:
    shape = (512, 512)
    engine = OnnxRuntimeEngine(graphs.sum_and_product(tmp_path / "m.onnx", shape), 1)
    inputs = [spec.allocate() for spec in engine.inputs]
    outputs = [spec.allocate() for spec in engine.outputs]
    engine.infer(inputs, outputs)
    tracemalloc.start()
    try:
        for number in range(5):
            inputs[0][...], inputs[1][...] = number, 3
            engine.infer(inputs, outputs)
            assert (outputs[0] == number + 3).all()
            assert (outputs[1] == number * 3).all()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < outputs[0].nbytes // 2  # the masks of the assertions; a copy of a tensor is 1 MiB


def test_several_sets_of_buffers_take_turns(tmp_path: Path) -> None:
    engine = OnnxRuntimeEngine(graphs.one_operator(tmp_path / "m.onnx"), 1)
    sets = [([numbers()], [engine.outputs[0].allocate()]) for _ in range(2 * MOST_BINDINGS)]
    for _ in range(2):
        for inputs, outputs in sets:
            engine.infer(inputs, outputs)
            np.testing.assert_array_equal(outputs[0], -inputs[0])
            outputs[0][...] = 0


def test_buffers_given_once_are_let_go(tmp_path: Path) -> None:
    engine = OnnxRuntimeEngine(graphs.one_operator(tmp_path / "m.onnx", shape=(256, 1024)), 1)
    tracemalloc.start()
    try:
        for _ in range(8 * MOST_BINDINGS):
            engine.infer([engine.inputs[0].allocate()], [engine.outputs[0].allocate()])
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 3 * MOST_BINDINGS << 20  # two of 1 MiB in each set


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (np.zeros((2, 3), np.float32), "tensor x needs a contiguous float32 buffer of shape (2, 3, 4)"),
        (np.zeros((2, 3, 4)), "got float64 (2, 3, 4)"),
        (np.zeros((4, 3, 2), np.float32).T, "not contiguous"),
    ],
)
def test_wrong_buffers_are_refused(tmp_path: Path, wrong: Any, sentence: str) -> None:
    engine = OnnxRuntimeEngine(graphs.one_operator(tmp_path / "m.onnx"), 1)
    right = [engine.inputs[0].allocate()]
    with pytest.raises(EngineError) as caught:
        engine.infer([wrong], right)
    assert sentence in str(caught.value)
    with pytest.raises(EngineError, match="tensor y needs"):
        engine.infer(right, [wrong])
    with pytest.raises(EngineError, match="got 0 buffers"):
        engine.infer(right, [])


def test_a_known_address_does_not_make_a_wrong_buffer_right(tmp_path: Path) -> None:
    engine = OnnxRuntimeEngine(graphs.one_operator(tmp_path / "m.onnx", shape=(4, 4)), 1)
    given, taken = numbers((4, 4)), engine.outputs[0].allocate()
    engine.infer([given], [taken])
    for wrong in (given.T, given[:2], given.view(np.int32)):
        assert wrong.ctypes.data == given.ctypes.data
        with pytest.raises(EngineError, match="tensor x needs a contiguous float32 buffer of shape"):
            engine.infer([wrong], [taken])
    engine.infer([given.view()], [taken.view()])
    np.testing.assert_array_equal(taken, -given)


def test_a_read_only_output_is_never_written(tmp_path: Path) -> None:
    engine = OnnxRuntimeEngine(graphs.one_operator(tmp_path / "m.onnx"), 1)
    frozen = np.frombuffer(bytes(96), np.float32).reshape(graphs.SHAPE)
    with pytest.raises(EngineError, match="read-only"):
        engine.infer([numbers()], [frozen])
    assert not frozen.any()


def test_a_failure_while_running_is_told(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("NonZero", ["x"], ["found"]),
        helper.make_node("Cast", ["found"], ["y"], to=graphs.FLOAT),
    ]
    values = graphs.value("x", shape=(1, 2)), graphs.value("y", shape=(2, 2))
    engine = OnnxRuntimeEngine(graphs.write_graph(tmp_path / "m.onnx", nodes, values[:1], values[1:]), 1)
    outputs = [spec.allocate() for spec in engine.outputs]
    engine.infer([np.ones((1, 2), np.float32)], outputs)  # two are not zero, as declared
    with pytest.raises(EngineError, match="onnxruntime failed while running: ") as caught:
        engine.infer([np.zeros((1, 2), np.float32)], outputs)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    assert refusal(path) == "the model cannot be read (No such file or directory); check the path"
    assert "is no file; give the path of a model" in refusal(tmp_path)
    whole = graphs.sum_and_product(path).read_bytes()
    for content in (whole[: len(whole) // 2], b"this is a text file\n" * 20, bytes(1000)):
        path.write_bytes(content)
        assert refusal(path).startswith(f"onnxruntime {onnxruntime.__version__} cannot load it: ")
    path.write_bytes(b"")
    assert refusal(path) == "the model is empty; copy it again"


def test_an_operator_that_nobody_has(tmp_path: Path) -> None:
    path = graphs.one_operator(tmp_path / "m.onnx", "Fold", domain="nowhere")
    assert "nowhere:Fold" in refusal(path)


@pytest.mark.parametrize("size", ["batch", None])
def test_dynamic_shapes(tmp_path: Path, size: str | None) -> None:
    path = graphs.one_operator(tmp_path / "m.onnx", shape=(size, 3))
    assert refusal(path).endswith(f"has the dynamic shape [{size!r}, 3]; export a static one")


@pytest.mark.parametrize(
    ("dtype", "name"),
    [(graphs.INT64, "int64"), (graphs.TEXT, "string")],
)
def test_types_that_are_not_supported(tmp_path: Path, dtype: int, name: str) -> None:
    path = graphs.one_operator(tmp_path / "m.onnx", "Identity", dtype)
    assert refusal(path).endswith(f"has the unsupported type tensor({name})")


@pytest.mark.parametrize("dtype", [graphs.DOUBLE, graphs.HALF])
def test_other_floats_are_single_outside(tmp_path: Path, dtype: int) -> None:
    engine = OnnxRuntimeEngine(graphs.one_operator(tmp_path / "m.onnx", "Neg", dtype), 1)
    x, y = numbers(), engine.outputs[0].allocate()
    engine.infer([x], [y])
    np.testing.assert_allclose(y, -x, rtol=1e-3)


@pytest.mark.parametrize("dtype", [graphs.UINT8, graphs.INT8])
def test_the_noted_grid_is_that_of_an_integer_input(tmp_path: Path, dtype: int) -> None:
    noted = {"edgeagent.input": '{"scale": 0.25, "zero_point": 7}'}
    engine = OnnxRuntimeEngine(graphs.one_operator(tmp_path / "m.onnx", "Identity", dtype, metadata=noted), 1)
    assert (engine.inputs[0].scale, engine.inputs[0].zero_point) == (0.25, 7)
    assert engine.outputs[0].scale is None
    codes, out = engine.inputs[0].allocate(), engine.outputs[0].allocate()
    codes[...] = np.arange(24).reshape(graphs.SHAPE)
    engine.infer([codes], [out])
    np.testing.assert_array_equal(out, codes)
    real = OnnxRuntimeEngine(graphs.one_operator(tmp_path / "f.onnx", metadata=noted), 1)
    assert real.inputs[0].scale is None


@pytest.mark.parametrize(
    "noted", ["no json", "[]", "{}", '{"scale": "x", "zero_point": 1}', '{"scale": 0.1}']
)
def test_a_damaged_grid_is_refused(tmp_path: Path, noted: str) -> None:
    metadata = {"edgeagent.input": noted}
    path = graphs.one_operator(tmp_path / "m.onnx", "Identity", graphs.UINT8, metadata=metadata)
    assert refusal(path) == f"its metadata entry edgeagent.input holds no grid: {noted!r}; export it again"


@pytest.mark.parametrize("scale", ["0", "-1", "NaN", "Infinity"])
def test_a_senseless_scale_is_refused(tmp_path: Path, scale: str) -> None:
    metadata = {"edgeagent.input": f'{{"scale": {scale}, "zero_point": 0}}'}
    path = graphs.one_operator(tmp_path / "m.onnx", "Identity", graphs.UINT8, metadata=metadata)
    assert "its input has the scale" in refusal(path)


def test_a_graph_without_input_loads(tmp_path: Path) -> None:
    nodes = [helper.make_node("Constant", [], ["y"], value_floats=[1.0, 2.0])]
    engine = OnnxRuntimeEngine(
        graphs.write_graph(tmp_path / "m.onnx", nodes, [], [graphs.value("y", shape=(2,))]), 1
    )
    out = engine.outputs[0].allocate()
    engine.infer([], [out])
    assert out.tolist() == [1.0, 2.0]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = graphs.one_operator(tmp_path / os.fsdecode(b"\xff.onnx"))
    assert OnnxRuntimeEngine(path, 1).inputs[0].name == "x"

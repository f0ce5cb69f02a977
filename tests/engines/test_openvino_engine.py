from __future__ import annotations

import os
import platform
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from edgeagent.bundle.golden import compare_outputs, load_reference_outputs
from edgeagent.bundle.reading import open_bundle
from edgeagent.engines.delegates import PRECISION
from edgeagent.engines.engine import Engine
from edgeagent.engines.onnxruntime_engine import MOST_BINDINGS, OnnxRuntimeEngine
from edgeagent.engines.openvino_engine import (
    DEVICE,
    FLOAT_DELEGATE,
    OpenvinoEngine,
    computes_in_float32,
)
from edgeagent.errors import EngineError
from edgeagent.imaging.picture import read_picture
from edgeagent.vision.preprocessor import Preprocessor
from tests.engines import onnx_graphs as graphs
from tests.included import QUICK_BUNDLE

ROOT = Path(__file__).parents[2]
RANDOM = np.random.default_rng(1)


def numbers(shape: tuple[int, ...] = graphs.SHAPE) -> Any:
    return RANDOM.normal(size=shape).astype(np.float32)


def refusal(path: Path) -> str:
    """Return the one sentence with which a file is refused."""
    with pytest.raises(EngineError) as caught:
        OpenvinoEngine(path, 1)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_it_tells_what_it_is(tmp_path: Path) -> None:
    engine: Engine = OpenvinoEngine(graphs.sum_and_product(tmp_path / "m.onnx"), 2)
    assert [(spec.name, spec.shape, spec.dtype.name, spec.scale) for spec in engine.inputs] == [
        ("a", (2, 3, 4), "float32", None),
        ("b", (2, 3, 4), "float32", None),
    ]
    assert [spec.name for spec in engine.outputs] == ["sum", "product"]
    facts = engine.facts
    assert (facts.engine, facts.threads) == ("openvino", 2)
    assert facts.version[:2] == "20"
    assert facts.delegate == (FLOAT_DELEGATE if computes_in_float32() else DEVICE)
    assert facts.load_s > 0


def test_arm64_computes_in_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    engine = OpenvinoEngine(graphs.sum_and_product(tmp_path / "m.onnx"), 1)
    assert engine.facts.delegate == FLOAT_DELEGATE


def test_buffers_are_used_in_place_and_nothing_is_allocated(tmp_path: Path) -> None:
    shape = (512, 512)
    engine = OpenvinoEngine(graphs.sum_and_product(tmp_path / "m.onnx", shape), 1)
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
    engine = OpenvinoEngine(graphs.one_operator(tmp_path / "m.onnx"), 1)
    sets = [([numbers()], [engine.outputs[0].allocate()]) for _ in range(2 * MOST_BINDINGS)]
    for _ in range(2):
        for inputs, outputs in sets:
            engine.infer(inputs, outputs)
            np.testing.assert_array_equal(outputs[0], -inputs[0])
            outputs[0][...] = 0


def test_buffers_given_once_are_let_go(tmp_path: Path) -> None:
    engine = OpenvinoEngine(graphs.one_operator(tmp_path / "m.onnx", shape=(256, 1024)), 1)
    tracemalloc.start()
    try:
        for _ in range(8 * MOST_BINDINGS):
            engine.infer([engine.inputs[0].allocate()], [engine.outputs[0].allocate()])
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 3 * MOST_BINDINGS << 20  # two of 1 MiB in each set


def test_a_read_only_input_is_read_anew_each_time(tmp_path: Path) -> None:
    engine = OpenvinoEngine(graphs.one_operator(tmp_path / "m.onnx"), 1)
    memory, out = bytearray(96), engine.outputs[0].allocate()
    given = np.frombuffer(memory, np.float32).reshape(graphs.SHAPE)
    given.flags.writeable = False
    for value in (1.0, 2.0):
        np.frombuffer(memory, np.float32)[...] = value
        engine.infer([given], [out])
        assert (out == -value).all()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (np.zeros((2, 3), np.float32), "tensor x needs a contiguous float32 buffer of shape (2, 3, 4)"),
        (np.zeros((2, 3, 4)), "got float64 (2, 3, 4)"),
        (np.zeros((4, 3, 2), np.float32).T, "not contiguous"),
    ],
)
def test_wrong_buffers_are_refused(tmp_path: Path, wrong: Any, sentence: str) -> None:
    engine = OpenvinoEngine(graphs.one_operator(tmp_path / "m.onnx"), 1)
    right = [engine.inputs[0].allocate()]
    with pytest.raises(EngineError) as caught:
        engine.infer([wrong], right)
    assert sentence in str(caught.value)
    with pytest.raises(EngineError, match="tensor y needs"):
        engine.infer(right, [wrong])
    with pytest.raises(EngineError, match="got 0 buffers"):
        engine.infer(right, [])
    frozen = np.frombuffer(bytes(96), np.float32).reshape(graphs.SHAPE)
    with pytest.raises(EngineError, match="read-only"):
        engine.infer(right, [frozen])


def test_a_known_address_does_not_make_a_wrong_buffer_right(tmp_path: Path) -> None:
    engine = OpenvinoEngine(graphs.one_operator(tmp_path / "m.onnx", shape=(4, 4)), 1)
    given, taken = numbers((4, 4)), engine.outputs[0].allocate()
    engine.infer([given], [taken])
    for wrong in (given.T, given[:2], given.view(np.int32)):
        with pytest.raises(EngineError, match="tensor x needs a contiguous float32 buffer of shape"):
            engine.infer([wrong], [taken])
    engine.infer([given.view()], [taken.view()])
    np.testing.assert_array_equal(taken, -given)


def test_files_that_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    assert refusal(path) == "the model cannot be read (No such file or directory); check the path"
    whole = graphs.sum_and_product(path).read_bytes()
    for content in (whole[: len(whole) // 2], b"this is a text file\n" * 20, bytes(1000)):
        path.write_bytes(content)
        message = refusal(path)
        assert message.startswith("openvino 20")
        assert " cannot load it: " in message
        assert "Exception" not in message
    path.write_bytes(b"")
    assert refusal(path) == "the model is empty; copy it again"


def test_an_operator_that_nobody_has(tmp_path: Path) -> None:
    path = graphs.one_operator(tmp_path / "m.onnx", "Fold", domain="nowhere")
    assert refusal(path).endswith("No conversion rule found for operations: nowhere.Fold")


def test_dynamic_shapes(tmp_path: Path) -> None:
    path = graphs.one_operator(tmp_path / "m.onnx", shape=("batch", 3))
    assert refusal(path) == "tensor x has the dynamic shape [?,3]; export a static one"


@pytest.mark.parametrize(
    ("dtype", "name"),
    [(graphs.INT64, "i64"), (graphs.TEXT, "string")],
)
def test_types_that_are_not_supported(tmp_path: Path, dtype: int, name: str) -> None:
    path = graphs.one_operator(tmp_path / "m.onnx", "Identity", dtype)
    assert refusal(path) == f"tensor x has the unsupported type {name}"


@pytest.mark.parametrize("dtype", [graphs.DOUBLE, graphs.HALF])
def test_other_floats_are_single_outside(tmp_path: Path, dtype: int) -> None:
    engine = OpenvinoEngine(graphs.one_operator(tmp_path / "m.onnx", "Neg", dtype), 1)
    x, y = numbers(), engine.outputs[0].allocate()
    engine.infer([x], [y])
    np.testing.assert_allclose(y, -x, rtol=1e-3)


@pytest.mark.parametrize("dtype", [graphs.UINT8, graphs.INT8])
def test_the_noted_grid_is_that_of_an_integer_input(tmp_path: Path, dtype: int) -> None:
    noted = {"edgeagent.input": '{"scale": 0.25, "zero_point": 7}'}
    engine = OpenvinoEngine(graphs.one_operator(tmp_path / "m.onnx", "Identity", dtype, metadata=noted), 1)
    assert (engine.inputs[0].scale, engine.inputs[0].zero_point) == (0.25, 7)
    codes, out = engine.inputs[0].allocate(), engine.outputs[0].allocate()
    codes[...] = np.arange(24).reshape(graphs.SHAPE)
    engine.infer([codes], [out])
    np.testing.assert_array_equal(out, codes)
    path = graphs.one_operator(tmp_path / "d.onnx", "Identity", dtype, metadata={"edgeagent.input": "[]"})
    assert refusal(path) == "its metadata entry edgeagent.input holds no grid: '[]'; export it again"


def test_a_graph_without_input_loads(tmp_path: Path) -> None:
    nodes = [helper.make_node("Constant", [], ["y"], value_floats=[1.0, 2.0])]
    path = graphs.write_graph(tmp_path / "m.onnx", nodes, [], [graphs.value("y", shape=(2,))])
    engine = OpenvinoEngine(path, 1)
    out = engine.outputs[0].allocate()
    engine.infer([], [out])
    assert out.tolist() == [1.0, 2.0]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = graphs.one_operator(tmp_path / os.fsdecode(b"\xff.onnx"))
    assert OpenvinoEngine(path, 1).inputs[0].name == "x"


@pytest.mark.parametrize("file", ["model.onnx", "model.openvino.onnx"])
def test_coco_nano_is_computed_as_exactly_as_by_onnxruntime(file: str) -> None:
    bundle = open_bundle(QUICK_BUNDLE)
    (artefact,) = (one for one in bundle.manifest.artefacts if one.file == file)
    outputs = bundle.golden_outputs(artefact)
    assert outputs is not None
    golden = load_reference_outputs(outputs)
    means = {}
    for engine_class in (OnnxRuntimeEngine, OpenvinoEngine):
        engine = engine_class(bundle.directory / file, 1)
        codes, taken = engine.inputs[0].allocate(), [spec.allocate() for spec in engine.outputs]
        differences = []
        for picture, reference in zip(bundle.golden_pictures(), golden.outputs, strict=True):
            Preprocessor(bundle.manifest.input, engine.inputs[0]).write(read_picture(picture), codes)
            engine.infer([codes], taken)
            differences += compare_outputs(reference, taken, golden.steps)
        means[engine_class] = float(np.mean(differences))
    # both are as far from the trained network as rounding leads; where sums saturate it is twice that
    assert means[OpenvinoEngine] < 1.2 * means[OnnxRuntimeEngine]


@pytest.mark.parametrize("precision", ["bf16", "f16"])
def test_a_precision_is_used_or_refused(tmp_path: Path, precision: str) -> None:
    path = graphs.sum_and_product(tmp_path / "m.onnx")
    try:
        engine = OpenvinoEngine(path, 1, options={PRECISION: precision})
    except EngineError as error:
        assert f"on this processor, not in {precision}" in str(error)
    else:
        assert engine.facts.delegate == f"{DEVICE}-{precision}"


def test_importing_it_reports_to_nobody(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from edgeagent.engines.openvino_engine import OpenvinoEngine
engine = OpenvinoEngine(Path(sys.argv[1]), 1)
print([name for name in sys.modules if name.startswith("openvino_telemetry")])
"""
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-c", program, str(graphs.one_operator(tmp_path / "m.onnx"))]
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, env=environment)
    assert done.stdout == "[]\n"
    assert list(home.iterdir()) == []


def test_no_openvino(tmp_path: Path) -> None:
    program = """
import sys
sys.modules["openvino"] = None
from pathlib import Path
from edgeagent.errors import EngineError
from edgeagent.engines.loading import available_engines, load_engine
print(available_engines())
try:
    load_engine(Path("m.onnx"), "onnx", 1, "openvino")
except EngineError as error:
    print(error)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    engines, message = done.stdout.splitlines()
    assert engines == "['onnxruntime', 'tflite']"
    assert message.startswith("openvino cannot be imported (")
    assert message.endswith("; pip install 'edgeagent[openvino]'")

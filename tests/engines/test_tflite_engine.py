from __future__ import annotations

import importlib.metadata
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeagent.engines.engine import Engine
from edgeagent.engines.tflite_engine import TfliteEngine
from edgeagent.errors import EngineError
from tests.data import shared
from tests.engines.tflite_graphs import CUSTOM, SHAPE, write_model

SSD = ("models", "ssd_mobilenet_v1_coco_quant_uint8.tflite")
VERSION = importlib.metadata.version("ai-edge-litert")
RANDOM = np.random.default_rng(1)


def numbers(shape: tuple[int, ...] = SHAPE) -> Any:
    return RANDOM.normal(size=shape).astype(np.float32)


def refusal(path: Path) -> str:
    """Return the one sentence with which a file is refused."""
    with pytest.raises(EngineError) as caught:
        TfliteEngine(path, 1)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_it_tells_what_it_is(tmp_path: Path) -> None:
    engine: Engine = TfliteEngine(write_model(tmp_path / "m.tflite"), 2)
    assert [(spec.name, spec.shape, spec.dtype.name, spec.scale) for spec in engine.inputs] == [
        ("a", SHAPE, "float32", None),
        ("b", SHAPE, "float32", None),
    ]
    assert [spec.name for spec in engine.outputs] == ["y"]
    assert (engine.facts.engine, engine.facts.version, engine.facts.threads) == ("tflite", VERSION, 2)
    assert engine.facts.load_s > 0


def test_it_computes(tmp_path: Path) -> None:
    engine = TfliteEngine(write_model(tmp_path / "m.tflite"), 1)
    out = engine.outputs[0].allocate()
    for _ in range(3):
        a, b = numbers(), numbers()
        engine.infer([a, b], [out])
        np.testing.assert_array_equal(out, a + b)


def test_integer_tensors_have_their_grid(tmp_path: Path) -> None:
    engine = TfliteEngine(write_model(tmp_path / "m.tflite", "RELU", "UINT8", grid=(0.5, 128)), 1)
    (given,), (wanted,) = engine.inputs, engine.outputs
    assert (given.dtype.name, given.scale, given.zero_point) == ("uint8", 0.5, 128)
    codes, out = given.allocate(), wanted.allocate()
    codes[...] = np.array([0, 100, 127, 128, 129, 255]).reshape(SHAPE)
    engine.infer([codes], [out])
    assert wanted.dequantize(out).ravel().tolist() == [0.0, 0.0, 0.0, 0.0, 0.5, 63.5]


def test_nothing_is_allocated_for_a_call(tmp_path: Path) -> None:
    engine = TfliteEngine(write_model(tmp_path / "m.tflite", shape=(1, 512, 512)), 1)
    inputs = [spec.allocate() for spec in engine.inputs]
    outputs = [spec.allocate() for spec in engine.outputs]
    engine.infer(inputs, outputs)
    tracemalloc.start()
    try:
        for _ in range(5):
            engine.infer(inputs, outputs)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < outputs[0].nbytes // 8


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (np.zeros(3, np.float32), "tensor a needs a contiguous float32 buffer of shape (1, 2, 3)"),
        (np.zeros((1, 1, 1), np.float32), "got float32 (1, 1, 1)"),  # NumPy would spread it over all
        (np.zeros((1, 2, 3)), "got float64 (1, 2, 3)"),
        (np.zeros((3, 2, 1), np.float32).T, "not contiguous"),
    ],
)
def test_wrong_buffers_are_refused(tmp_path: Path, wrong: Any, sentence: str) -> None:
    engine = TfliteEngine(write_model(tmp_path / "m.tflite"), 1)
    right = [spec.allocate() for spec in engine.inputs]
    out = [engine.outputs[0].allocate()]
    with pytest.raises(EngineError) as caught:
        engine.infer([wrong, right[1]], out)
    assert sentence in str(caught.value)
    with pytest.raises(EngineError, match="tensor y needs a contiguous float32 buffer"):
        engine.infer(right, [wrong])
    with pytest.raises(EngineError, match=r"got 1 buffers for 2 tensors \(a, b\)"):
        engine.infer(right[:1], out)
    frozen = engine.outputs[0].allocate()
    frozen.flags.writeable = False
    with pytest.raises(EngineError, match="read-only"):
        engine.infer(right, [frozen])
    engine.infer(right, out)  # none of this hurt it


def test_files_that_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    assert refusal(path) == "the model cannot be read (No such file or directory); check the path"
    assert "is no file; give the path of a model" in refusal(tmp_path)
    whole = write_model(path).read_bytes()
    for content in (whole[: len(whole) // 2], whole[:10], b"this is a text file\n" * 20, bytes(1000)):
        path.write_bytes(content)
        assert refusal(path).startswith(f"ai-edge-litert {VERSION} cannot load it: ")
    path.write_bytes(b"")
    assert refusal(path) == "the model is empty; copy it again"


def test_an_operator_that_nobody_has(tmp_path: Path) -> None:
    sentence = refusal(write_model(tmp_path / "m.tflite", "CUSTOM"))
    assert sentence.startswith(f"ai-edge-litert {VERSION} cannot load it: ")
    assert CUSTOM in sentence


def test_text_tensors_are_not_supported(tmp_path: Path) -> None:
    sentence = refusal(write_model(tmp_path / "m.tflite", "RELU", "STRING"))
    assert sentence.startswith("tensor a has the unsupported type ")


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = write_model(tmp_path / os.fsdecode(b"\xff.tflite"))
    assert len(TfliteEngine(path, 1).inputs) == 2


@pytest.mark.data
class TestRealModel:
    def test_it_runs(self) -> None:
        engine = TfliteEngine(shared(*SSD), 1)
        (picture,) = engine.inputs
        assert (picture.shape, picture.dtype.name, picture.zero_point) == ((1, 300, 300, 3), "uint8", 128)
        assert [spec.shape for spec in engine.outputs] == [(1, 10, 4), (1, 10), (1, 10), (1,)]
        outputs = [spec.allocate() for spec in engine.outputs]
        engine.infer([picture.allocate()], outputs)
        assert outputs[3].tolist() == [10.0]

    def test_a_truncated_one_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "m.tflite"
        content = shared(*SSD).read_bytes()
        for size in (100, len(content) // 2, len(content) * 9 // 10):
            path.write_bytes(content[:size])
            assert refusal(path).startswith(f"ai-edge-litert {VERSION} cannot load it: ")

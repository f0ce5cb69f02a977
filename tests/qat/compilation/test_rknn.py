"""Compilation for RKNN: with a stand-in of its Python that behaves in every way, and with the real one."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from edgeagent.bundle.evidence import COMPILATION
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.cli import main
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.engines.delegates import RKNN_CHIPS, find_delegates
from edgeagent.engines.loading import load_on
from edgeagent.engines.rknn_file import parse_rknn
from edgeagent.errors import ConfigurationError
from edgeagent.files.resources import find_bundle
from edgeagent.qat.compilation.compiled_bundle import compile_bundle
from edgeagent.qat.compilation.rknn_program import with_real_input
from tests.cli.command import mistake
from tests.qat.compilation.standin import StandIn

TARGET = "rknn-rk3588"
ROOT = Path(__file__).parents[3]
LITE = ROOT / "tests" / "engines" / "standin_rknn"
REAL = os.environ.get("EDGEAGENT_RKNN")
STANDIN = f"""#!{sys.executable}
import sys
from pathlib import Path
how = Path(__file__).with_suffix(".how").read_text()
model, chip, mean, std, result, *archives = sys.argv[3:]
if how == "hangs":
    import signal
    signal.pause()
if how == "crashes":
    print("RuntimeError: RKNN could not build the model", file=sys.stderr)
    sys.exit(1)
if how == "lacks the toolkit":
    raise ModuleNotFoundError("No module named 'rknn'", name="rknn")
sys.path.insert(0, {str(ROOT)!r})
import numpy as np, onnx, onnxruntime
from tests.engines.rknn_files import described, write_rknn
source = onnx.load(model)
print(f"I rknn-toolkit2 version: 2.5.0\\nI mean {{mean}} std {{std}}")
print("D RKNN: [09:23:14.554] ID   OpType             DataType Target InputShape   OutputShape   FullName")
numbers = "FLOAT16" if how == "half precision" else "INT8"
place = "CPU" if how == "all on the processor" else "NPU"
for number, (kind, numbers, place, name) in enumerate((
    ("InputOperator", "INT8", "CPU", "InputOperator:pi\\x1b[2Jcture"),
    ("ConvExSwish", numbers, place, "Conv:Conv_41/0"),
    ("Concat", numbers, place, "Concat:Conv_44/groups"),
)):
    if how != "no table":
        row = f"{{number:<4}} {{kind:18}} {{numbers:8}} {{place}}    \\\\   (1,3,4,4)  0/0/0  {{name}}  "
        print(f"D RKNN: [09:23:14.554] {{row}}")
print("D RKNN: [09:23:14.572] 1    ConvExSwish   1178.focus/0_dq2    INT8      (8,3,6,6)     | 0x0 0x6c0")
if how == "an error":
    print("E RKNN: [09:28:45.250] REGTASK: The bit width of field value exceeds the limit")
if how != "writes nothing":
    write_rknn(Path(result), Path(model).read_bytes(), described(source, chip))
options = onnxruntime.SessionOptions()
options.add_session_config_entry("session.x64quantprecision", "1")  # no saturated sums without VNNI
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
names, results = [one.name for one in session.get_outputs()], {{}}
with np.load(archives[0]) as archive:
    for number in range(len(archive.files)):
        values = session.run(names, {{session.get_inputs()[0].name: archive[str(number)]}})
        results |= {{f"{{number}}/{{name}}": value for name, value in zip(names, values)}}
if how == "fewer outputs":
    results.popitem()
if how != "no outputs":
    np.savez(archives[1], **results)
"""


@pytest.fixture
def rknn(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path / "python", STANDIN)


def test_a_bundle_gets_a_file_that_its_engine_runs(
    rknn: StandIn, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, record = compile_bundle(bundle, TARGET, tmp_path / "made", rknn.program, licence_accepted=True)
    artefact = made.manifest.artefacts[-1]
    assert (artefact.file, artefact.format, artefact.compiled_for) == (
        "model.rknn-rk3588.rknn",
        "rknn",
        TARGET,
    )
    assert (record.on_accelerator, record.on_processor, record.estimated_ms) == (2, 1, None)
    assert record.compiler == "rknn-toolkit2 2.5.0"
    assert record.licence is not None
    assert "RKNN SDK License" in record.licence
    assert record.left[0].operator == "InputOperator"
    assert "\x1b" not in record.left[0].tensor
    assert record.simulated is not None
    assert record.simulated.right
    assert COMPILATION.read(made) == (record,)
    assert main(["qat", "report", str(made.directory), "--out", str(tmp_path / "report.html")]) == 0
    assert "<td>rknn-toolkit2 2.5.0</td>" in (tmp_path / "report.html").read_text(encoding="utf-8")

    monkeypatch.syspath_prepend(LITE)
    try:
        engine = load_on(find_delegates(TARGET)[0], made.directory / artefact.file, sha256=artefact.sha256)
        assert GoldenCheck(made, artefact).run(engine).right
        engine.close()
    finally:
        sys.modules.pop("rknnlite.api", None)
        sys.modules.pop("rknnlite", None)


@pytest.mark.parametrize("name", ["coco-nano", "coco-small"])
def test_the_form_with_a_real_input_computes_the_same(name: str) -> None:
    """The second has a normalized picture; without optimizations, engines compute on the real numbers."""
    bundle = open_bundle(find_bundle(Path(name)))
    spec = bundle.manifest.input
    model = onnx.load(str(bundle.directory / "model.onnx"))
    real = with_real_input(model)
    onnx.checker.check_model(real, full_check=True)
    kinds = {one.data_type for one in real.graph.initializer}
    assert onnx.TensorProto.UINT8 not in kinds
    assert onnx.TensorProto.INT8 in kinds

    (tensor,) = real.graph.input
    pixels = np.random.default_rng(5).integers(0, 256, (1, spec.height, spec.width, 3))
    picture = ((pixels - np.array(spec.mean)) / np.array(spec.std)).astype(np.float32)
    first = next(node for node in real.graph.node if node.op_type == "QuantizeLinear")
    scale, zero = (
        onnx.numpy_helper.to_array(one)
        for wanted in first.input[1:]
        for one in real.graph.initializer
        if one.name == wanted
    )
    codes = np.clip(np.round(picture / scale) + zero + 128, 0, 255).astype(np.uint8)
    wanted = run(model, model.graph.input[0].name, codes)
    for found, expected in zip(run(real, tensor.name, picture.transpose(0, 3, 1, 2)), wanted, strict=True):
        np.testing.assert_array_equal(found, expected)


def run(model: onnx.ModelProto, name: str, value: Any) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return list(session.run(None, {name: np.ascontiguousarray(value)}))


def test_a_model_without_codes_of_a_picture_has_no_such_form(bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="does not start with the codes of a picture"):
        with_real_input(onnx.load(str(bundle.directory / "model.tensorrt.onnx")))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("crashes", r"python: failed \(exit code 1\): RuntimeError: RKNN could not build the model"),
        ("writes nothing", r"ended without an error and wrote no model\.rknn"),
        ("all on the processor", "RKNN runs no operator on the NPU in integers"),
        ("half precision", "RKNN runs no operator on the NPU in integers"),
        ("no table", "RKNN runs no operator on the NPU in integers"),
        ("an error", "RKNN wrote a file in spite of an error: .* bit width of field value exceeds the limit"),
        ("fewer outputs", "RKNN's simulator: its outputs cannot be used"),
        ("no outputs", "RKNN's simulator: its outputs cannot be used"),
        ("hangs", r"did not end within 2 s and was killed"),
    ],
)
def test_a_compiler_for_rknn_that_fails_is_named(
    rknn: StandIn, bundle: Bundle, tmp_path: Path, how: str, words: str
) -> None:
    assert re.search(words, rknn.fails(how, bundle, TARGET, tmp_path / "made"))


def test_what_rknn_needs_is_named(
    rknn: StandIn, bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made"
    with pytest.raises(ConfigurationError, match="give rknn/bin/python with --tool"):
        compile_bundle(bundle, TARGET, out, licence_accepted=True)
    with pytest.raises(ConfigurationError, match="is no program that can be run"):
        compile_bundle(bundle, TARGET, out, tmp_path / "absent", licence_accepted=True)
    with pytest.raises(ConfigurationError, match=r"rknn-rv1106: is no chip .*; known are rknn-rk3562, "):
        compile_bundle(bundle, "rknn-rv1106", out, rknn.program, licence_accepted=False)
    rknn.does("lacks the toolkit")
    with pytest.raises(ConfigurationError, match="has no package rknn, so RKNN is not installed there; inst"):
        compile_bundle(bundle, TARGET, out, rknn.program, licence_accepted=True)
    command = ["qat", "compile", "coco-nano", "--target", TARGET, "--tool", str(rknn.program)]
    line = mistake(capsys, 2, *command, "--out", str(out))
    assert "RKNN SDK License" in line
    assert "accept it with --accept-licence" in line
    assert not out.exists()


@pytest.mark.skipif(REAL is None, reason="rknn-toolkit2 is not installed: EDGEAGENT_RKNN=/path/of/python")
@pytest.mark.parametrize("chip", RKNN_CHIPS)
def test_a_file_of_the_real_compiler_is_right_in_its_simulator(
    tmp_path: Path, chip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["qat", "compile", "coco-small", "--target", f"rknn-{chip}", "--tool", str(REAL)]
    assert main([*command, "--accept-licence", "--out", str(tmp_path / "made")]) == 0
    assert "the golden check of a board allows it" in capsys.readouterr().out
    made = open_bundle(tmp_path / "made")
    (record,) = COMPILATION.read(made) or ()
    assert record.on_accelerator > 300
    assert {one.operator for one in record.left} <= {"InputOperator", "OutputOperator"}
    file = parse_rknn((made.directory / record.file).read_bytes())
    assert list(file.outputs) == [one.name for one in made.manifest.artefacts[-1].outputs]
    assert chip in file.chips

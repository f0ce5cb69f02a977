"""Compilation for QNN: with a stand-in of its Python that behaves in every way, and with the real package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from edgeagent.bundle.evidence import COMPILATION
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.cli import main
from edgeagent.detection.golden_check import GoldenCheck, GoldenResult
from edgeagent.errors import ConfigurationError
from edgeagent.files.resources import find_bundle
from edgeagent.qat.compilation.compiled_bundle import compile_bundle
from edgeagent.qat.compilation.simulation import board_tolerance
from tests.cli.command import mistake
from tests.qat.compilation.standin import StandIn

TARGET = "qnn-v73"
ROOT = Path(__file__).parents[3]
REAL = os.environ.get("EDGEAGENT_QNN")
STANDIN = f"""#!{sys.executable}
import json, sys
from pathlib import Path
how = Path(__file__).with_suffix(".how").read_text()
command, files = sys.argv[3], sys.argv[4:]
if how == "hangs" or (how == "hangs in the simulator" and command == "simulate"):
    import signal
    signal.pause()
if how == "crashes" or (how == "crashes in the simulator" and command == "simulate"):
    print("QNN SetupBackend failed", file=sys.stderr)
    sys.exit(3)
if command == "compile":
    model, version, context, facts = files
    if how != "writes nothing":
        Path(context).write_bytes(Path(model).read_bytes())
    found = {{"onnxruntime": "1.32.0", "onnxruntime_qnn": "2.7.0",
             "on_accelerator": 0 if how == "all on the processor" else 355,
             "left": [{{"operator": "DequantizeLinear", "tensor": "last\\x1b[2J"}}]}}
    if how == "no version":
        del found["onnxruntime"]
    text = json.dumps(found)
    odd = {{
        "no facts": "{{",
        "infinite": text.replace("355", "Infinity"),
        "negative": text.replace("355", "-5"),
        "nested": "[" * 100_000,
        "a list": "[1]",
        "surrogate": text.replace("1.32.0", "\\\\ud800"),
    }}
    Path(facts).write_text(odd.get(how, text))
    sys.exit()
import numpy as np, onnxruntime
context, inputs, outputs = files
options = onnxruntime.SessionOptions()
options.add_session_config_entry("session.x64quantprecision", "1")  # no saturated sums without VNNI
session = onnxruntime.InferenceSession(context, options, providers=["CPUExecutionProvider"])
results = {{}}
with np.load(inputs) as archive:
    for number in range(len(archive.files)):
        names = [one.name for one in session.get_outputs()]
        values = session.run(names, {{session.get_inputs()[0].name: archive[str(number)]}})
        for name, value in zip(names, values):
            if how == "other outputs":
                value = value[:, ::-1]
            if how == "somewhat off":
                value = value + np.float32(0.13)  # seven steps of the finest output
            results[f"{{number}}/{{name}}"] = value
if how == "fewer outputs":
    results.popitem()
if how == "not finite":
    results["0/" + names[0]] = results["0/" + names[0]] * np.nan
if how == "objects":
    results["0/" + names[0]] = np.array([{{}}], object)
if how == "text":
    results["0/" + names[0]] = np.full(results["0/" + names[0]].shape, "x")
if how == "other kind":
    results["0/" + names[0]] = results["0/" + names[0]] * 1j
np.savez(outputs, **results)
if how == "garbage":
    Path(outputs).write_bytes(b"PK\\x03\\x04garbage")
if how == "one array":
    np.save(open(outputs, "wb"), np.zeros(3))
if how == "giant":
    import zipfile
    head = b"{{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000000,), }}".ljust(117) + b"\\n"
    with zipfile.ZipFile(outputs, "w") as archive:
        start = b"\\x93NUMPY\\x01\\x00" + len(head).to_bytes(2, "little")
        archive.writestr(f"0/{{names[0]}}.npy", start + head)
"""


@pytest.fixture
def qnn(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path / "python", STANDIN)


def test_a_bundle_gets_a_context_and_its_evidence(qnn: StandIn, bundle: Bundle, tmp_path: Path) -> None:
    made, record = compile_bundle(bundle, TARGET, tmp_path / "made", qnn.program, licence_accepted=True)
    artefact = made.manifest.artefacts[-1]
    assert (artefact.file, artefact.format, artefact.compiled_for) == (
        "model.qnn-v73.onnx",
        "onnx",
        TARGET,
    )
    assert (record.on_accelerator, record.on_processor) == (355, 1)
    assert record.compiler == "onnxruntime-qnn 2.7.0, onnxruntime 1.32.0"
    assert "\x1b" not in record.left[0].tensor
    assert record.licence is not None
    assert "Qualcomm_LICENSE.pdf" in record.licence
    assert record.simulated is not None
    assert record.simulated.right
    assert (record.simulated.pictures, record.simulated.found) == (4, record.simulated.labelled)
    assert COMPILATION.read(made) == (record,)


def test_outputs_that_differ_in_the_simulator_are_told(
    qnn: StandIn, bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    qnn.does("other outputs")
    command = ["qat", "compile", "coco-nano", "--target", TARGET, "--tool", str(qnn.program)]
    assert main([*command, "--accept-licence", "--out", str(tmp_path / "made")]) == 0
    printed = capsys.readouterr().out
    assert "355 operators on the accelerator, 1 on the processor" in printed
    assert "the golden check of a board would refuse it" in printed


def test_a_chip_may_be_as_far_off_as_its_simulator_that_finds_all(
    qnn: StandIn, bundle: Bundle, tmp_path: Path
) -> None:
    qnn.does("somewhat off")
    made, record = compile_bundle(bundle, TARGET, tmp_path / "made", qnn.program, licence_accepted=True)
    golden, simulated, artefact = bundle.manifest.golden, record.simulated, made.manifest.artefacts[-1]
    assert golden is not None
    assert simulated is not None
    assert golden.tolerance < simulated.worst_steps
    assert simulated.tolerance == round(1.5 * simulated.worst_steps, 1)
    assert simulated.right
    assert GoldenCheck(made, artefact).tolerance == artefact.tolerance == simulated.tolerance
    assert GoldenCheck(made, made.manifest.artefacts[0]).tolerance == golden.tolerance


@pytest.mark.parametrize(
    ("worst", "labelled", "found", "tolerance"),
    [
        (3.0, 41, 41, 5.0),  # within what the golden set allows, with room
        (4.0, 41, 41, 6.0),
        (9.8, 41, 38, 14.7),
        (10.1, 41, 41, 5.0),  # too far off
        (9.9, 41, 37, 5.0),  # objects are missing
        (9.9, 0, 0, 5.0),  # nothing tells whether it finds objects
    ],
)
def test_tolerance_of_a_chip(worst: float, labelled: int, found: int, tolerance: float) -> None:
    measured = GoldenResult(worst, 5.0, 1.0, labelled, found, 38 if labelled else 0)
    assert board_tolerance(measured) == tolerance


def test_a_simulator_that_finds_nothing_gives_a_chip_no_room() -> None:
    """Also where the claim of the golden set is 0, and none is needed."""
    assert board_tolerance(GoldenResult(9.9, 5.0, 1.0, 41, 0, 0)) == 5.0


def test_a_licence_that_is_not_accepted_is_named(
    qnn: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["qat", "compile", "coco-nano", "--target", TARGET, "--tool", str(qnn.program)]
    assert main([*command, "--out", str(tmp_path / "made")]) == 2
    assert "accept it with --accept-licence" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("crashes", r"python: failed \(exit code 3\): QNN SetupBackend failed"),
        ("crashes in the simulator", r"python: failed \(exit code 3\)"),
        ("writes nothing", r"ended without an error and wrote no context\.onnx"),
        ("all on the processor", "leaves every operator to the processor"),
        ("no facts", "did not tell its placement"),
        *((how, "did not tell its placement") for how in ("infinite", "negative", "nested", "a list")),
        ("surrogate", "did not tell its placement"),
        *(
            (how, "QNN's simulator: its outputs cannot be used")
            for how in ("garbage", "one array", "giant", "objects", "text", "other kind")
        ),
        ("no version", "did not tell its placement"),
        ("fewer outputs", "QNN's simulator: its outputs cannot be used"),
        ("not finite", "QNN's simulator: its outputs cannot be used"),
        ("hangs", r"did not end within 2 s and was killed"),
        ("hangs in the simulator", r"did not end within 2 s and was killed"),
    ],
)
def test_a_compiler_for_qnn_that_fails_is_named(
    qnn: StandIn, bundle: Bundle, tmp_path: Path, how: str, words: str
) -> None:
    assert re.search(words, qnn.fails(how, bundle, TARGET, tmp_path / "made"))


def test_a_python_without_qnn_gets_the_way_to_install_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    tool_given = ["--tool", str(tmp_path / "env" / "bin" / "python"), "--accept-licence"]
    out = str(tmp_path / "made")
    line = mistake(capsys, 2, "qat", "compile", "coco-nano", "--target", TARGET, *tool_given, "--out", out)
    assert "has no package numpy, so QNN is not installed there; install it" in line
    assert "Traceback" not in line


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("qnn", "qnn: is no version of the processor; known are qnn-v68, "),
        ("qnn-v99", "qnn-v99: is no version of the processor"),
        ("hailo", "hailo: no compiler here makes files for it"),
    ],
)
def test_a_target_that_is_none_is_told_from_the_known_ones(
    qnn: StandIn, bundle: Bundle, tmp_path: Path, target: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):  # before the licence is asked for
        compile_bundle(bundle, target, tmp_path / "made", qnn.program, licence_accepted=False)


def test_what_qnn_needs_is_named(qnn: StandIn, bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "made"
    with pytest.raises(ConfigurationError, match="give qnn/bin/python with --tool"):
        compile_bundle(bundle, TARGET, out, licence_accepted=True)
    with pytest.raises(ConfigurationError, match="is no program that can be run"):
        compile_bundle(bundle, TARGET, out, tmp_path / "absent", licence_accepted=True)
    with pytest.raises(ConfigurationError, match="--tool-config: the compiler for qnn-v73 has no such file"):
        compile_bundle(bundle, TARGET, out, qnn.program, tmp_path / "file", licence_accepted=True)


@pytest.mark.skipif(REAL is None, reason="onnxruntime-qnn is not installed: EDGEAGENT_QNN=/path/of/python")
def test_a_context_of_the_real_compiler_runs_in_its_simulator(tmp_path: Path) -> None:
    """The engine of the device loads it, through the plug-in, as it does on a board."""
    python = Path(str(REAL))
    bundle = open_bundle(find_bundle(Path("coco-small")))
    made, record = compile_bundle(bundle, TARGET, tmp_path / "made", python, licence_accepted=True)
    assert record.on_accelerator > 400
    assert {one.operator for one in record.left} == {"DequantizeLinear"}
    assert record.simulated is not None
    assert record.simulated.right
    program = (
        "import sys; from pathlib import Path\n"
        "from edgeagent.engines.delegates import find_delegates\n"
        "from edgeagent.engines.loading import load_on\n"
        "engine = load_on(find_delegates('onnxruntime-qnn-v73')[0], Path(sys.argv[1]))\n"
        "engine.close()\nengine = load_on(find_delegates('onnxruntime-qnn-v73')[0], Path(sys.argv[1]))\n"
        "print(engine.facts.delegate, engine.facts.placed)"
    )
    path = made.directory / "model.qnn-v73.onnx"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [str(python), "-c", program, str(path)], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.splitlines()[-1].startswith("QNNExecutionProvider 0.")

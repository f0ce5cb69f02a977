"""Compilation for Ethos-U: with a stand-in of Vela that behaves in every way, and with the real one."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from edgeagent.bundle.evidence import COMPILATION
from edgeagent.bundle.reading import Bundle
from edgeagent.cli import main
from edgeagent.errors import ConfigurationError
from edgeagent.qat.compilation.compiled_bundle import compile_bundle
from edgeagent.qat.compilation.tool import MOST_LEFT
from edgeagent.qat.compilation.vela import compile_for_ethos_u
from tests.qat.compilation.standin import StandIn

TARGET = "ethos-u65-256"
REAL = os.environ.get("EDGEAGENT_VELA") or shutil.which("vela")
STANDIN = f"""#!{sys.executable}
import sys
from pathlib import Path
how = Path(__file__).with_suffix(".how").read_text()
if "--version" in sys.argv:
    print("5.2.0")
    sys.exit()
folder, model = Path(sys.argv[sys.argv.index("--output-dir") + 1]), Path(sys.argv[-1])
if how == "hangs":
    import signal
    signal.pause()
if how == "crashes":
    print("Traceback: no such operator", file=sys.stderr)
    sys.exit(3)
if how != "writes nothing":
    (folder / f"{{model.stem}}_vela.tflite").write_bytes(model.read_bytes() + b"ethos-u")
    if how == "prints without end":
        print("Warning (supported operators) operator: ADD, ofm: 'x\\x1b[2J'\\nReason: r\\n" * 300_000)
    if how in ("nan", "inf", "-1", "1" * 200_000):
        (folder / f"{{model.stem}}_summary_default.csv").write_text(
            f"network,inference_time,cycles_total\\nmodel,{{how}},{{how}}\\n")
    elif how != "no summary":
        (folder / f"{{model.stem}}_summary_default.csv").write_text(
            "network,system_config,memory_mode,inference_time,cycles_total\\n"
            "model,Ethos_U65_Client_Server,Dedicated_Sram,0.0125,12500000.0\\n")
print()
print("Warning (supported operators) operator: SPACE_TO_DEPTH, ofm: 'folded'")
print("Reason: Unsupported opType")
print()
print("CPU operators = 1 (0.3%)")
print(f"NPU operators = {{0 if how == 'all on the processor' else 338}} (99.7%)")
"""


@pytest.fixture
def vela(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path / "vela", STANDIN)


def test_a_bundle_gets_an_artefact_and_its_evidence(vela: StandIn, bundle: Bundle, tmp_path: Path) -> None:
    made, record = compile_bundle(bundle, TARGET, tmp_path / "made", vela.program)
    artefact = made.manifest.artefacts[-1]
    assert (artefact.file, artefact.compiled_for) == ("model.ethos-u65-256.tflite", TARGET)
    tflite = next(a for a in bundle.manifest.artefacts if a.file == "model.tflite")
    assert artefact.outputs == tflite.outputs
    assert (record.on_accelerator, record.on_processor) == (338, 1)
    assert [(one.operator, one.reason) for one in record.left] == [("SPACE_TO_DEPTH", "Unsupported opType")]
    assert record.estimated_cycles == 12_500_000
    assert record.estimated_ms == pytest.approx(12.5)
    assert COMPILATION.read(made) == (record,)
    assert set(bundle.manifest.evidence.files) <= set(made.manifest.evidence.files)
    again, _ = compile_bundle(made, TARGET, tmp_path / "again", vela.program)
    assert [a.compiled_for for a in again.manifest.artefacts].count(TARGET) == 1
    assert len(COMPILATION.read(again) or ()) == 1


@pytest.mark.parametrize("how", ["no summary", "nan", "inf", "-1", "1" * 200_000])
def test_without_a_summary_nothing_is_estimated(
    vela: StandIn, bundle: Bundle, tmp_path: Path, how: str
) -> None:
    vela.does(how)
    _, record = compile_bundle(bundle, TARGET, tmp_path / "made", vela.program)
    assert (record.estimated_cycles, record.estimated_ms, record.assumed) == (None, None, None)


def test_a_compiler_that_prints_without_end_gives_a_short_record(
    vela: StandIn, bundle: Bundle, tmp_path: Path
) -> None:
    vela.does("prints without end")
    made, record = compile_bundle(bundle, TARGET, tmp_path / "made", vela.program)
    assert len(record.left) == MOST_LEFT
    assert "\x1b" not in record.left[0].tensor
    assert COMPILATION.read(made) == (record,)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("crashes", r"vela: failed \(exit code 3\): Traceback: no such operator"),
        ("writes nothing", r"ended without an error and wrote no model_vela\.tflite"),
        ("all on the processor", "leaves every operator to the processor"),
        ("hangs", r"did not end within 2 s and was killed"),
    ],
)
def test_a_compiler_that_fails_is_named(
    vela: StandIn, bundle: Bundle, tmp_path: Path, how: str, words: str
) -> None:
    assert re.search(words, vela.fails(how, bundle, TARGET, tmp_path / "made"))


def test_a_compiler_that_is_not_there_is_named_with_its_installation(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"vela: not found; .*pip install ethos-u-vela"):
        compile_bundle(bundle, TARGET, tmp_path / "made")
    with pytest.raises(ConfigurationError, match="is no program that can be run"):
        compile_bundle(bundle, TARGET, tmp_path / "made", tmp_path / "absent")


def test_a_target_that_is_none_is_named(vela: StandIn, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ethos-u9: is no Ethos-U"):
        compile_for_ethos_u(tmp_path / "model.tflite", "ethos-u9", tmp_path / "out.tflite", vela.program)


def test_the_command_prints_placement_and_estimate(
    vela: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["qat", "compile", "coco-nano", "--target", TARGET, "--tool", str(vela.program)]
    assert main([*command, "--out", str(tmp_path / "made")]) == 0
    printed = capsys.readouterr().out
    assert "338 operators on the accelerator, 1 on the processor" in printed
    assert "12.5 ms" in printed
    assert main([*command, "--out", str(tmp_path / "made")]) == 3  # is there already
    capsys.readouterr()
    assert main([*command, "--out", str(tmp_path / "made"), "--replace", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["on_accelerator"] == 338


@pytest.mark.skipif(REAL is None, reason="Vela is not installed: EDGEAGENT_VELA=/path/of/vela")
def test_the_included_bundle_runs_on_the_accelerator(bundle: Bundle, tmp_path: Path) -> None:
    _, record = compile_bundle(bundle, TARGET, tmp_path / "made", Path(str(REAL)))
    assert record.on_accelerator / (record.on_accelerator + record.on_processor) > 0.99
    assert [one.operator for one in record.left] == ["SPACE_TO_DEPTH"]
    assert record.estimated_ms is not None
    assert record.estimated_ms < 50

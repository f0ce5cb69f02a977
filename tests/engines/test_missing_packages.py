"""What happens on a machine where a package is not installed: in processes of their own, which lack it."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.onnx_graphs import one_operator
from tests.engines.standin import build_standin
from tests.engines.tflite_graphs import write_model

ROOT = Path(__file__).parents[2]
LITERT = "ai_edge_litert", "ai_edge_litert.interpreter"
OPENVINO = ("openvino",)
TFLITE = "tflite_runtime", "tflite_runtime.interpreter"

_LOAD = """
import sys
for name in sys.argv[2].split(","):
    sys.modules[name] = None  # importing it fails then, as for a package that is not there
from pathlib import Path
from edgeagent.errors import EngineError
from edgeagent.engines.loading import available_engines, load_engine
print(available_engines())
path = Path(sys.argv[1])
try:
    load_engine(path, path.suffix[1:], 1)
except EngineError as error:
    print(error)
"""
_OLDER_PACKAGE = """
import sys
import ai_edge_litert.interpreter as interpreter
sys.modules["tflite_runtime"] = sys.modules["ai_edge_litert"]
sys.modules["tflite_runtime.interpreter"] = interpreter
sys.modules["ai_edge_litert"] = sys.modules["ai_edge_litert.interpreter"] = None
from pathlib import Path
from edgeagent.engines.loading import available_engines, load_engine
print(available_engines())
facts = load_engine(Path(sys.argv[1]), "tflite", 1).facts
print(facts.engine, facts.version)
"""
_BOTH_PACKAGES = """
import sys
import types
package, module = types.ModuleType("tflite_runtime"), types.ModuleType("tflite_runtime.interpreter")
sys.modules["tflite_runtime"], sys.modules["tflite_runtime.interpreter"] = package, module
import ai_edge_litert.interpreter as interpreter
module.Interpreter = interpreter.Interpreter
def load_delegate(library, options):
    raise ValueError(f"the older package got {library}")
module.load_delegate = load_delegate
from pathlib import Path
from edgeagent.errors import EngineError
from edgeagent.engines.loading import load_engine
from edgeagent.engines.tflite_engine import TfliteEngine
print(load_engine(Path(sys.argv[1]), "tflite", 1).facts.version)
try:
    TfliteEngine(Path(sys.argv[1]), 1, sys.argv[2])
except EngineError as error:
    print(error)
"""


def output(program: str, *arguments: object) -> list[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout.splitlines()


def test_no_onnxruntime(tmp_path: Path) -> None:
    engines, message = output(_LOAD, one_operator(tmp_path / "m.onnx"), "onnxruntime,openvino")
    assert engines == "['tflite']"
    assert message.startswith("onnxruntime cannot be imported (")
    assert message.endswith("; pip install onnxruntime")


def test_no_tflite(tmp_path: Path) -> None:
    engines, message = output(_LOAD, write_model(tmp_path / "m.tflite"), ",".join(LITERT + TFLITE))
    assert engines == "['onnxruntime', 'openvino']"
    assert message == ("no TFLite package is installed; pip install ai-edge-litert (or tflite-runtime)")


def test_openvino_takes_the_place_of_onnxruntime(tmp_path: Path) -> None:
    assert output(_LOAD, one_operator(tmp_path / "m.onnx"), "onnxruntime") == ["['openvino', 'tflite']"]


@pytest.mark.parametrize(("present", "suffix"), [("onnxruntime", "onnx"), ("tflite", "tflite")])
def test_one_engine_does_not_need_the_other(tmp_path: Path, present: str, suffix: str) -> None:
    path = tmp_path / f"m.{suffix}"
    absent = ",".join(OPENVINO + (LITERT + TFLITE if present == "onnxruntime" else ("onnxruntime",)))
    (one_operator if suffix == "onnx" else write_model)(path)
    assert output(_LOAD, path, absent) == [f"['{present}']"]


def test_the_older_tflite_package_is_used_when_it_is_the_one_there(tmp_path: Path) -> None:
    # The code of the newer package stands in for it under the older name; its metadata are not there.
    engines, facts = output(_OLDER_PACKAGE, write_model(tmp_path / "m.tflite"))
    assert engines == "['onnxruntime', 'openvino', 'tflite']"
    assert facts == "tflite of unknown version"


def test_of_two_tflite_packages_the_newer_runs_on_the_cpu_and_the_older_the_delegate(tmp_path: Path) -> None:
    library = build_standin(tmp_path)
    version, refused = output(_BOTH_PACKAGES, write_model(tmp_path / "m.tflite"), library)
    assert version == importlib.metadata.version("ai-edge-litert")
    assert refused.startswith(f"{library}: the delegate does not start (the older package got {library})")

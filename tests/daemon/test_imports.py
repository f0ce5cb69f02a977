"""Modules that the agent and its workers do without: each takes memory and time of the start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from edgeagent.files.resources import sample_clip

NEVER_IN_MAIN = (
    "onnxruntime",
    "openvino",
    "ai_edge_litert",
    "tflite_runtime",
    "tensorrt",
    "hailo_platform",
    "torch",
)
WITHOUT_DELIVERY = ("tuf", "securesystemslib", "cryptography", "urllib3", "requests")
OF_OTHER_COMMANDS = ("rich", "onnx", "scipy", "PIL", "av", "amqtt", "starlette", "uvicorn", "opentelemetry")
OWN_WITHOUT_NEED = (
    "edgeagent.bench",
    "edgeagent.doctor",
    "edgeagent.publisher",
    "edgeagent.qat",
    "edgeagent.delivery.service",
    "edgeagent.delivery.repository",
    "edgeagent.telemetry.sparkplug",
    "edgeagent.telemetry.prometheus",
    "edgeagent.telemetry.otlp",
)
NOT_IN_WORKERS = (
    "pydantic",
    "yaml",
    "cv2",
    "paho",
    "psutil",
    "sqlite3",
    "email",
    "edgeagent.settings",
    "edgeagent.telemetry",
    "edgeagent.detection",
    "edgeagent.daemon",
    "edgeagent.camera",
    "edgeagent.bundle.manifest",
)
ENGINES = ("onnxruntime", "openvino", "ai_edge_litert", "tflite_runtime")
AGENT = """
import json, sys
import edgeagent.cli.run
from edgeagent.daemon.agent import Agent
from edgeagent.settings.file import load_settings
from pathlib import Path
agent = Agent(load_settings(Path(sys.argv[1])), on_result=lambda result: agent.request_stop())
agent.run()
print(json.dumps(sorted(sys.modules)))
"""
CONFIG = """\
state: {state}
cameras: [{{name: clip, source: '{clip}', loop: true}}]
model: {{engine: onnxruntime-cpu, threads: 1}}
"""


def modules_after(program: str, *arguments: str) -> list[str]:
    """Return the names of the modules that a program has imported, which it prints last."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    names: list[str] = json.loads(done.stdout.splitlines()[-1])
    return names


def among(modules: list[str], unwanted: tuple[str, ...]) -> list[str]:
    """Return the modules that are unwanted, or lie in a package that is."""
    return [name for name in modules if any(name == one or name.startswith(f"{one}.") for one in unwanted)]


def test_an_agent_that_detects_has_imported_no_engine_and_nothing_of_delivery(tmp_path: Path) -> None:
    config = tmp_path / "edgeagent.yaml"
    config.write_text(CONFIG.format(state=tmp_path / "state", clip=sample_clip()), "utf-8")
    modules = modules_after(AGENT, str(config))
    assert "edgeagent.detection.pipeline" in modules
    assert among(modules, NEVER_IN_MAIN) == []
    assert among(modules, WITHOUT_DELIVERY) == []
    assert among(modules, OF_OTHER_COMMANDS) == []
    assert among(modules, OWN_WITHOUT_NEED) == []


def test_a_worker_imports_nothing_of_the_agent_and_its_engine_only_to_load() -> None:
    modules = modules_after(
        "import json, sys, edgeagent.worker.process; print(json.dumps(sorted(sys.modules)))"
    )
    assert "numpy" in modules
    assert among(modules, NOT_IN_WORKERS) == []
    assert among(modules, ENGINES) == []

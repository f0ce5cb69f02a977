"""Program for the Python of an environment with ``onnxruntime-qnn``; it knows nothing of edgeagent.

::

    python qnn_program.py compile MODEL VERSION CONTEXT FACTS     a context for a version of the processor
    python qnn_program.py simulate CONTEXT INPUTS OUTPUTS         its outputs in the simulator of the package

``FACTS`` is JSON: versions, the number of operators on the accelerator, and the nodes that are left.
``INPUTS`` and ``OUTPUTS`` are NumPy archives: ``0``, ``1``, ... are the inputs, ``0/name`` the outputs of
the first.
Source: ONNX Runtime, "QNN Execution Provider" and "EP context design".
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PROVIDER = "QNNExecutionProvider"
MARKS = ("QuantizeLinear", "DequantizeLinear")
"""Nodes that become part of their neighbours on the accelerator, and count only where they are left."""
BEST = "3"
"""Highest effort of preparing a graph (``htp_graph_finalization_optimization_mode``)."""


def open_qnn(model: str, options: dict[str, str], entries: dict[str, str]) -> Any:
    """Return a session on the tensor processor, or its simulator on x86-64."""
    onnxruntime, package = importlib.import_module("onnxruntime"), importlib.import_module("onnxruntime_qnn")
    onnxruntime.register_execution_provider_library(PROVIDER, package.get_library_path())
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == PROVIDER]
    wanted = onnxruntime.SessionOptions()
    wanted.log_severity_level = 3
    for name, value in entries.items():
        wanted.add_session_config_entry(name, value)
    wanted.add_provider_for_devices(devices[:1], {"backend_path": package.get_qnn_htp_path(), **options})
    return onnxruntime.InferenceSession(model, wanted)


def write_context(model: str, version: str, context: str, facts: str) -> None:
    """Compile a model; what the processor must run stays beside the context in the file."""
    options = {"htp_arch": version, "htp_graph_finalization_optimization_mode": BEST}
    entries = {
        "ep.context_enable": "1",
        "ep.context_file_path": context,
        "ep.context_embed_mode": "1",
        "session.record_ep_graph_assignment_info": "1",
    }
    session = open_qnn(model, options, entries)
    parts = session.get_provider_graph_assignment_info()
    nodes = [(part.ep_name == PROVIDER, node) for part in parts for node in part.get_nodes()]
    found = {
        "onnxruntime": importlib.import_module("onnxruntime").__version__,
        "onnxruntime_qnn": importlib.import_module("onnxruntime_qnn").__version__,
        "on_accelerator": sum(own and node.op_type not in MARKS for own, node in nodes),
        "left": [{"operator": node.op_type, "tensor": node.name} for own, node in nodes if not own],
    }
    Path(facts).write_text(json.dumps(found), encoding="utf-8")


def simulate_context(context: str, inputs: str, outputs: str) -> None:
    """Run a context on each input."""
    session = open_qnn(context, {}, {})
    (given,), names = session.get_inputs(), [output.name for output in session.get_outputs()]
    results: dict[str, Any] = {}
    with np.load(inputs) as archive:
        for number in range(len(archive.files)):
            values = session.run(names, {given.name: archive[str(number)]})
            results |= {f"{number}/{name}": value for name, value in zip(names, values, strict=True)}
    np.savez(outputs, **results)


if __name__ == "__main__":
    ACTIONS: dict[str, Callable[..., None]] = {"compile": write_context, "simulate": simulate_context}
    ACTIONS[sys.argv[1]](*sys.argv[2:])

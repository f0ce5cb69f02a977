"""Running litert-torch in a process of its own: it is talkative, may abort, and leaves threads behind."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from edgeagent.errors import ConfigurationError, DataError
from edgeagent.qat.network.network import Network


def check_converter() -> None:
    """Make sure that litert-torch is there.

    Raises:
        ConfigurationError: it is not.
    """
    if importlib.util.find_spec("litert_torch") is None:
        raise ConfigurationError(
            "a TFLite artefact needs litert-torch, which is not installed; pip install 'edgeagent[qat]', or "
            "ask for --format onnx alone"
        )


def convert(module: str, network: Network, path: Path, *arguments: str) -> bytes:
    """Run a converter module on a network and return the flatbuffer that it wrote.

    Args:
        module: run with ``python -m``; it gets a file for :func:`load_given`, the file to write, and
            ``arguments``.
        network: what is converted.
        path: that the result is meant for, to be named in messages.

    Raises:
        ConfigurationError: litert-torch is missing.
        DataError: the converter failed.
    """
    check_converter()
    with tempfile.TemporaryDirectory() as folder:
        given, converted = Path(folder) / "given.pt", Path(folder) / "converted.tflite"
        torch.save((network.graph, network.plan, network.state_dict()), given)
        command = [sys.executable, "-m", module, str(given), str(converted), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
        if done.returncode != 0:
            last = "".join(done.stderr.strip().splitlines()[-1:])
            raise DataError(
                f"{path}: litert-torch cannot convert the graph (exit code {done.returncode}, {last!r}); ask "
                "for --format onnx alone"
            )
        return converted.read_bytes()


def load_given(given: Path) -> Network:
    """Return the network that :func:`convert` passed to this process."""
    graph, plan, state = torch.load(given, weights_only=False)  # written a moment ago
    network = Network(graph, plan)
    network.load_state_dict(state)
    return network

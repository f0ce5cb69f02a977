"""litert-torch in its own process: it writes to the terminal, may abort, and leaves threads running."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from edgeagent.errors import ConfigurationError, DataError
from edgeagent.qat.network.network import Network


def check_converter() -> None:
    """Check that litert-torch is installed.

    Raises:
        ConfigurationError: litert-torch is not installed.
    """
    if importlib.util.find_spec("litert_torch") is None:
        raise ConfigurationError(
            "a TFLite artefact needs litert-torch, which is not installed; pip install 'edgeagent[qat]', or "
            "ask for --format onnx alone"
        )


def convert(module: str, network: Network, path: Path, *arguments: str) -> bytes:
    """Run a converter module on a network and return the flatbuffer that it wrote.

    Args:
        module: module run with ``python -m``; its arguments are a file for :func:`load_given`, the file to
            write, and ``arguments``.
        network: network to convert.
        path: final path of the result, for error messages.
        arguments: further arguments of the module.

    Raises:
        ConfigurationError: litert-torch is not installed.
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
    graph, plan, state = torch.load(given, weights_only=False)  # written by convert
    network = Network(graph, plan)
    network.load_state_dict(state)
    return network


def keep_shapes() -> None:
    """Patch a defect of litert-torch 0.10.0 in this process: its layout pass loses the shapes of tensors.

    The pass replaces all metadata of a dequantized tensor, its shape included, when one reader needs it
    channels last. A second such reader then fails with "Attempting to convert non-NHWC compatible node".
    This happens where channels-first operators (attention) meet several convolutions or concatenations.
    """
    from litert_torch._convert.fx_passes.optimize_layout_transposes_pass import pass_body

    layout = pass_body.OptimizeLayoutTransposesPass
    insert = layout.insert_t_q_dq

    def insert_and_keep(self: Any, graph: Any, input_dq: Any, *rest: Any) -> Any:
        known = dict(input_dq.meta)
        nodes = insert(self, graph, input_dq, *rest)
        input_dq.meta = {**known, **input_dq.meta}
        return nodes

    layout.insert_t_q_dq = insert_and_keep

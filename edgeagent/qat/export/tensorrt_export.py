"""Export to QDQ ONNX on symmetric grids, for TensorRT (:mod:`edgeagent.qat.export.paired_onnx`)."""

from __future__ import annotations

from pathlib import Path

import onnx

from edgeagent.errors import DataError
from edgeagent.qat.core.work_file import write_work_file
from edgeagent.qat.export.paired_onnx import PairedWriter
from edgeagent.qat.lint.finding import errors
from edgeagent.qat.lint.tensorrt_lint import lint_tensorrt
from edgeagent.qat.network.network import Network


def export_tensorrt(network: Network, path: Path) -> None:
    """Write the network's weights and grids as a QDQ ONNX file for TensorRT.

    Raises:
        DataError: the network is not on symmetric grids, or the file breaks a rule of TensorRT.
        EdgeagentError: the file cannot be written.
    """
    if network.plan.kind != "symmetric":
        raise DataError(
            f"{path}: TensorRT needs a network trained on symmetric grids; plan and train it on these"
        )
    model = PairedWriter(network).model()
    onnx.checker.check_model(model, full_check=True)
    broken = errors(lint_tensorrt(model))
    if broken:
        first = broken[0]
        raise DataError(
            f"{path}: TensorRT would not run it as trained ({len(broken)} findings; first "
            f"{first.rule} at {first.node}: {first.message})"
        )
    write_work_file(path, model.SerializeToString())

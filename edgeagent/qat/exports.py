"""The artefacts of one trained grid: one entry for each format, and what each must satisfy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeagent.bundle.manifest import OperatorCounts, OutputSpec, Role
from edgeagent.errors import DataError
from edgeagent.qat.float_export import export_float
from edgeagent.qat.graph import Graph, Head
from edgeagent.qat.network import Network
from edgeagent.qat.onnx_export import export_onnx
from edgeagent.qat.operator_counts import count_operators
from edgeagent.qat.tflite_export import check_converter, count_tflite_operators, export_tflite
from edgeagent.runtime.loading import load_engine


@dataclass(frozen=True)
class Format:
    """How a network becomes a file of one format.

    Attributes:
        file: name of the artefact in a bundle.
        export: writes the network to a path.
        count: operators of the file, as its engine runs them.
        check: raises when what the export needs is not installed.
    """

    file: str
    export: Callable[[Network, Path], None]
    count: Callable[[Path], OperatorCounts]
    check: Callable[[], None] = lambda: None


FORMATS: dict[str, Format] = {
    "onnx": Format("model.onnx", export_onnx, count_operators),
    "tflite": Format(
        "model.tflite",
        export_tflite,
        lambda path: count_tflite_operators(path.read_bytes()),
        check_converter,
    ),
}


@dataclass(frozen=True)
class Exported:
    """A file that was exported.

    Attributes:
        path: in the work folder.
        format: key of :data:`FORMATS`.
        outputs: roles of its outputs, in its order.
        operators: what its engine runs.
    """

    path: Path
    format: str
    outputs: tuple[OutputSpec, ...]
    operators: OperatorCounts

    def entry(self) -> dict[str, object]:
        """Return the entry for the manifest, see :class:`edgeagent.bundle.manifest.Artefact`."""
        return {
            "file": self.path.name,
            "format": self.format,
            "grid": "a",
            "outputs": self.outputs,
            "operators": self.operators,
        }


def export(network: Network, folder: Path, name: str) -> Exported:
    """Export a network to ``folder`` in one format.

    Raises:
        DataError: a convolution would compute on floats, or the graph cannot be converted.
        ConfigurationError: what the format needs is not installed.
        EdgeagentError: the file cannot be written.
    """
    chosen = FORMATS[name]
    path = folder / chosen.file
    network.set_mode("quantize")
    chosen.export(network, path)
    operators = chosen.count(path)
    floating = [operator for operator in operators.float if "CONV" in operator.upper()]
    if floating:
        raise DataError(f"{path}: its engine leaves {floating} in float; the graph cannot be fused")
    return Exported(path, name, _outputs(path, name, network.graph), operators)


def export_reference(graph: Graph, folder: Path) -> Exported:
    """Export the float graph to ``folder``, see :func:`edgeagent.qat.float_export.export_float`."""
    path = folder / "float.onnx"
    export_float(graph, path)
    return Exported(path, "onnx", _outputs(path, "onnx", graph), count_operators(path))


def _outputs(path: Path, name: str, graph: Graph) -> tuple[OutputSpec, ...]:
    """Return the roles of a file's outputs, which are the heads in their order under names of its own."""
    engine = load_engine(path, name, threads=1)
    names = [tensor.name for tensor in engine.outputs]
    engine.close()
    roles = (_role(head, graph) for head in graph.heads)
    return tuple(
        OutputSpec(name=tensor, role=role, stride=stride)
        for tensor, (role, stride) in zip(names, roles, strict=True)
    )


def _role(head: Head, graph: Graph) -> tuple[Role, int]:
    channels, stride = head.shape[1], graph.input_shape[2] // head.shape[2]
    if not head.logits:
        return "box", stride
    return ("objectness" if channels == 1 else "classes"), stride

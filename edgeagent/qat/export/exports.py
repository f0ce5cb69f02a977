"""The artefacts of one trained grid: one entry for each format, and what each must satisfy.

The formats of grid ``float`` are references: the model as it was before training, in the same cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeagent.bundle.manifest import GridName, OperatorCounts, OutputSpec
from edgeagent.engines.loading import load_engine
from edgeagent.errors import DataError
from edgeagent.qat.export.float_export import export_float
from edgeagent.qat.export.litert_process import check_converter
from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.export.operator_counts import count_operators
from edgeagent.qat.export.reference_export import (
    export_onnx_float16,
    export_tflite_float16,
    export_tflite_float32,
)
from edgeagent.qat.export.tensorrt_export import count_operators_b, export_onnx_b
from edgeagent.qat.export.tflite_export import count_tflite_operators, export_tflite
from edgeagent.qat.export.tflite_input import export_tflite_uint8
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.heads import role, stride
from edgeagent.qat.graph.node import Node
from edgeagent.qat.network.network import Network


@dataclass(frozen=True)
class Format:
    """How a network becomes a file of one format.

    Attributes:
        file: name of the artefact in a bundle.
        engine: format as a manifest tells it to engines.
        grid: preset that the network must have been planned for; ``float`` for any.
        export: writes the network to a path.
        count: operators of the file, as its engine runs them.
        check: raises when what the export needs is not installed.
    """

    file: str
    engine: Literal["onnx", "tflite"]
    grid: GridName
    export: Callable[[Network, Path], None]
    count: Callable[[Path], OperatorCounts]
    check: Callable[[], None] = lambda: None


def _count_tflite(path: Path) -> OperatorCounts:
    return count_tflite_operators(path.read_bytes())


FORMATS: dict[str, Format] = {
    "onnx": Format("model.onnx", "onnx", "a", export_onnx, count_operators),
    "tflite": Format("model.tflite", "tflite", "a", export_tflite, _count_tflite, check_converter),
    "tflite-uint8": Format(
        "model.uint8.tflite", "tflite", "a", export_tflite_uint8, _count_tflite, check_converter
    ),
    "onnx-b": Format("model.tensorrt.onnx", "onnx", "b", export_onnx_b, count_operators_b),
    "onnx-fp16": Format("float16.onnx", "onnx", "float", export_onnx_float16, count_operators),
    "tflite-fp32": Format(
        "float32.tflite", "tflite", "float", export_tflite_float32, _count_tflite, check_converter
    ),
    "tflite-fp16": Format(
        "float16.tflite", "tflite", "float", export_tflite_float16, _count_tflite, check_converter
    ),
}


@dataclass(frozen=True)
class Exported:
    """A file that was exported.

    Attributes:
        path: in the work folder.
        format: as the manifest has it.
        grid: as the manifest has it.
        outputs: roles of its outputs, in its order.
        operators: what its engine runs.
    """

    path: Path
    format: str
    grid: GridName
    outputs: tuple[OutputSpec, ...]
    operators: OperatorCounts

    def entry(self) -> dict[str, object]:
        """Return the entry for the manifest, see :class:`edgeagent.bundle.manifest.Artefact`."""
        return {
            "file": self.path.name,
            "format": self.format,
            "grid": self.grid,
            "outputs": self.outputs,
            "operators": self.operators,
        }


def export(network: Network, folder: Path, name: str) -> Exported:
    """Export a network to ``folder`` in one format.

    Raises:
        DataError: the network was planned for another preset, a convolution would compute on floats, or the
            graph cannot be converted.
        ConfigurationError: what the format needs is not installed.
        EdgeagentError: the file cannot be written.
    """
    chosen = FORMATS[name]
    if chosen.grid not in (network.plan.preset, "float"):
        raise DataError(
            f"format {name} needs a network trained under preset {chosen.grid}, this one has preset "
            f"{network.plan.preset}; train with --preset {chosen.grid}"
        )
    path = folder / chosen.file
    network.set_mode("quantize")
    chosen.export(network, path)
    operators = chosen.count(path)
    floating = {name: count for name, count in operators.float.items() if "CONV" in name.upper()}
    chosen_float = sum(node.name in network.plan.float_nodes for node in _convolutions(network.graph))
    if sum(floating.values()) > chosen_float and chosen.grid != "float":
        raise DataError(
            f"{path}: its engine leaves {floating} in float, where {chosen_float} were to be; the graph "
            "cannot be fused"
        )
    outputs = _outputs(path, chosen.engine, network.graph)
    return Exported(path, chosen.engine, chosen.grid, outputs, operators)


def _convolutions(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.operator == "Conv"]


def export_reference(graph: Graph, folder: Path) -> Exported:
    """Export the float graph to ``folder``, see :func:`edgeagent.qat.export.float_export.export_float`."""
    path = folder / "float.onnx"
    export_float(graph, path)
    return Exported(path, "onnx", "float", _outputs(path, "onnx", graph), count_operators(path))


def _outputs(path: Path, name: str, graph: Graph) -> tuple[OutputSpec, ...]:
    """Return the roles of a file's outputs, which are the heads in their order under names of its own."""
    engine = load_engine(path, name, threads=1)
    names = [tensor.name for tensor in engine.outputs]
    engine.close()
    return roles(graph, names)


def roles(graph: Graph, names: Sequence[str]) -> tuple[OutputSpec, ...]:
    """Return the roles of the heads of a graph, under other names in their order."""
    return tuple(
        OutputSpec(name=name, role=role(head, graph), stride=stride(head, graph))
        for name, head in zip(names, graph.heads, strict=True)
    )

"""Formats of artefacts, and the export of a network to one of them.

The formats of grid ``float`` are references: the float model before training, cut at the same heads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeagent.bundle.manifest import GridName, OperatorCounts, OutputSpec
from edgeagent.engines.loading import load_engine
from edgeagent.errors import DataError
from edgeagent.qat.core.codes import STORED_NAMES, ArtefactGrid, GridKind
from edgeagent.qat.export.litert_process import check_converter
from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.export.openvino_export import export_openvino
from edgeagent.qat.export.operator_counts import count_operators
from edgeagent.qat.export.paired_onnx import count_paired_operators
from edgeagent.qat.export.reference_export import (
    export_float,
    export_onnx_float16,
    export_tflite_float16,
    export_tflite_float32,
)
from edgeagent.qat.export.tensorrt_export import export_tensorrt
from edgeagent.qat.export.tflite_export import count_tflite_operators, export_tflite
from edgeagent.qat.export.tflite_input import export_tflite_uint8
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.heads import role, stride
from edgeagent.qat.graph.node import Node
from edgeagent.qat.network.network import Network


@dataclass(frozen=True)
class Format:
    """Format of an artefact.

    Attributes:
        file: name of the artefact in a bundle.
        engine: format in the manifest.
        kind: kind of grid that the network must have; ``float`` for a float reference of any network.
        export: function that writes a network to a path.
        count: function that counts the operators of a file, as its engine runs them.
        check: function that raises ConfigurationError when a package for the export is missing.
    """

    file: str
    engine: Literal["onnx", "tflite"]
    kind: ArtefactGrid
    export: Callable[[Network, Path], None]
    count: Callable[[Path], OperatorCounts]
    check: Callable[[], None] = lambda: None


def _count_tflite(path: Path) -> OperatorCounts:
    return count_tflite_operators(path.read_bytes())


FORMATS: dict[str, Format] = {
    "onnx": Format("model.onnx", "onnx", "affine", export_onnx, count_operators),
    "tflite": Format("model.tflite", "tflite", "affine", export_tflite, _count_tflite, check_converter),
    "tflite-uint8": Format(
        "model.uint8.tflite", "tflite", "affine", export_tflite_uint8, _count_tflite, check_converter
    ),
    "onnx-b": Format("model.tensorrt.onnx", "onnx", "symmetric", export_tensorrt, count_paired_operators),
    "onnx-c": Format("model.openvino.onnx", "onnx", "partial", export_openvino, count_paired_operators),
    "onnx-fp16": Format("float16.onnx", "onnx", "float", export_onnx_float16, count_operators),
    "tflite-fp32": Format(
        "float32.tflite", "tflite", "float", export_tflite_float32, _count_tflite, check_converter
    ),
    "tflite-fp16": Format(
        "float16.tflite", "tflite", "float", export_tflite_float16, _count_tflite, check_converter
    ),
}

ONNX_FORMATS: Mapping[GridKind, str] = {"affine": "onnx", "symmetric": "onnx-b"}
"""Format in which ONNX Runtime runs a network of each kind of grid that is calibrated."""


@dataclass(frozen=True)
class Exported:
    """Exported file.

    Attributes:
        path: file in the work folder.
        format: format in the manifest.
        kind: kind of grid.
        outputs: roles of its outputs, in order.
        operators: operators that its engine runs.
    """

    path: Path
    format: str
    kind: ArtefactGrid
    outputs: tuple[OutputSpec, ...]
    operators: OperatorCounts

    @property
    def grid(self) -> GridName:
        """Name of the grid in the manifest."""
        return STORED_NAMES[self.kind]

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
    """Export a network in one format.

    Args:
        network: trained or calibrated network.
        folder: folder of the file.
        name: name of the format, a key of :data:`FORMATS`.

    Raises:
        DataError: the network has another kind of grid, a convolution would compute on floats, or the graph
            cannot be converted.
        ConfigurationError: a package for the export is not installed.
        EdgeagentError: the file cannot be written.
    """
    chosen = FORMATS[name]
    if chosen.kind not in (network.plan.kind, "float"):
        raise DataError(
            f"format {name} needs a network trained on {chosen.kind} grids, this one has {network.plan.kind} "
            f"grids; plan and train it on {chosen.kind} grids"
        )
    path = folder / chosen.file
    network.set_mode("quantize")
    chosen.export(network, path)
    operators = chosen.count(path)
    floating = {name: count for name, count in operators.float.items() if "CONV" in name.upper()}
    chosen_float = 0
    if network.plan.kind == "affine":  # on partial grids gates are convolutions of the graph alone
        chosen_float = sum(node.name in network.plan.float_nodes for node in _convolutions(network.graph))
    if sum(floating.values()) > chosen_float and chosen.kind != "float":
        raise DataError(
            f"{path}: its engine computes {floating} in float, expected {chosen_float}; the graph cannot be "
            "fused"
        )
    outputs = _outputs(path, chosen.engine, network.graph)
    return Exported(path, chosen.engine, chosen.kind, outputs, operators)


def _convolutions(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.operator == "Conv"]


def export_reference(graph: Graph, folder: Path) -> Exported:
    """Export the float graph as ``float.onnx`` in a folder.

    Raises:
        EdgeagentError: the file cannot be written.
    """
    path = folder / "float.onnx"
    export_float(graph, path)
    return Exported(path, "onnx", "float", _outputs(path, "onnx", graph), count_operators(path))


def _outputs(path: Path, name: str, graph: Graph) -> tuple[OutputSpec, ...]:
    """Return the roles of a file's outputs: the heads in order, under the file's own names."""
    engine = load_engine(path, name, threads=1)
    names = [tensor.name for tensor in engine.outputs]
    engine.close()
    return roles(graph, names)


def roles(graph: Graph, names: Sequence[str]) -> tuple[OutputSpec, ...]:
    """Return the roles of the heads of a graph in order, under the given names."""
    return tuple(
        OutputSpec(name=name, role=role(head, graph), stride=stride(head, graph))
        for name, head in zip(names, graph.heads, strict=True)
    )

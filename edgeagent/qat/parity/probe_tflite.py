"""Probes of a TFLite artefact, see :mod:`edgeagent.qat.parity.probe`.

Names do not survive the conversion, so a tensor of the file is found in the trained graph by its grid and
shape; where several have both (outputs of sigmoids), by its operator and by what that operator reads.
Outputs of operators that only move codes (slice, split, reshape) are not looked for: what is wrong with them
shows behind them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.parity.probe import Kind, Port, Probe, Quantized

_OPERATORS = {
    "Add": "ADD",
    "AveragePool": "AVERAGE_POOL_2D",
    "Concat": "CONCATENATION",
    "MaxPool": "MAX_POOL_2D",
    "Mul": "MUL",
    "Resize": "RESIZE_NEAREST_NEIGHBOR",
    "Sigmoid": "LOGISTIC",
    "Sub": "SUB",
}
_MOVES = frozenset({"Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"})
_PRECISION = 1e-6  # of scales, which the converter carries as float32


def probe_tflite(
    artefact: Path, target: Path, kind: Kind, graph: Graph, tensors: Mapping[str, Quantized]
) -> Probe:
    """Write a probe of an artefact.

    Args:
        artefact: full-integer TFLite file.
        target: file to write.
        kind: of the probe.
        graph: that was trained.
        tensors: its quantized tensors, from the input to the heads.
    """
    import flatbuffers  # comes with ai-edge-litert
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(artefact.read_bytes(), 0)
    (body,) = model.subgraphs
    model.signatureDefs = None  # it names the outputs of the artefact
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    kinds = [names[model.operatorCodes[operator.opcodeIndex].builtinCode] for operator in body.operators]
    types = {schema.TensorType.INT8: 128, schema.TensorType.UINT8: 0}
    found = _Match(body, kinds, graph, tensors, types).run()
    computed = [int(index) for operator in body.operators for index in operator.outputs]
    shown = [index for index in computed if index in found]
    given = {int(index): "" for index in body.inputs}
    fed = {}
    if kind == "cut":
        fed = _cut(body, found)
        body.inputs = [*body.inputs, *fed.values()]
    for index in (*shown, *fed.values(), *given):
        body.tensors[index].name = f"probe{index}".encode()
    body.outputs = shown
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    target.write_bytes(bytes(builder.Output()))

    def port(index: int, at: int) -> Port:
        tensor = found[index]
        return Port(tensor, f"probe{at}", len(tensors[tensor].shape) == 4, types[body.tensors[index].type])

    return Probe(
        target,
        "tflite",
        tuple(port(index, at) for index, at in fed.items()),
        tuple(port(index, index) for index in shown),
    )


def _cut(body: Any, found: Mapping[int, str]) -> dict[int, int]:
    """Let operators read copies of the tensors that were found, and return the copy of each."""
    copies: dict[int, int] = {}
    for operator in body.operators:
        read = [int(index) for index in operator.inputs]
        for index in read:
            if index in found and index not in body.inputs and index not in copies:
                copies[index] = len(body.tensors)
                body.tensors.append(copy.copy(body.tensors[index]))
        operator.inputs = [copies.get(index, index) for index in read]
    return copies


class _Match:
    """Finds the tensors of a file in the trained graph."""

    def __init__(
        self,
        body: Any,
        kinds: list[str],
        graph: Graph,
        tensors: Mapping[str, Quantized],
        types: Mapping[int, int],
    ) -> None:
        self._body, self._kinds, self._types = body, kinds, types
        self._producers = {name: node for node in graph.nodes for name in node.outputs}
        self._input = graph.input
        self._free = {n: item for n, item in tensors.items() if self._operator(n) not in _MOVES}
        self._found: dict[int, str] = {}

    def run(self) -> dict[int, str]:
        """Return the tensor of the trained graph for each position in the file's list of tensors."""
        (picture,) = (int(index) for index in self._body.inputs)
        self._take(picture, self._input)
        for kind, operator in zip(self._kinds, self._body.operators, strict=True):
            read = {self._found.get(int(index), "") for index in operator.inputs if index >= 0} - {""}
            for index in map(int, operator.outputs):
                self._find(index, kind, read)
        return self._found

    def _find(self, index: int, kind: str, read: set[str]) -> None:
        candidates = [name for name, tensor in self._free.items() if self._fits(index, tensor)]
        candidates = _narrowed(candidates, lambda name: _OPERATORS.get(self._operator(name)) == kind)
        candidates = _narrowed(candidates, lambda name: read == self._reads(name))
        if candidates:
            self._take(index, candidates[0])

    def _take(self, index: int, name: str) -> None:
        if self._free.pop(name, None) is not None:
            self._found[index] = name

    def _operator(self, name: str) -> str:
        return self._producers[name].operator if name in self._producers else ""

    def _reads(self, name: str) -> set[str]:
        known = set(self._found.values())
        return known.intersection(self._producers[name].inputs) if name in self._producers else set()

    def _fits(self, index: int, tensor: Quantized) -> bool:
        found = self._body.tensors[index]
        grid = found.quantization
        if found.type not in self._types or grid is None or grid.scale is None or len(grid.scale) != 1:
            return False
        shape = tensor.shape
        turned = (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape
        zero_point = int(grid.zeroPoint[0]) + self._types[found.type]
        return (
            tuple(map(int, found.shape)) == turned
            and zero_point == tensor.zero_point
            and bool(np.isclose(grid.scale[0], tensor.scale, rtol=_PRECISION, atol=0))
        )


def _narrowed(candidates: list[str], fits: Callable[[str], bool]) -> list[str]:
    """Return those that fit; all of them where none or only one could be told apart."""
    if len(candidates) < 2:
        return candidates
    return [name for name in candidates if fits(name)] or candidates

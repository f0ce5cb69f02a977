"""Parity layer by layer: comparison of an artefact in its engine with the trained network.

::

    codes of every quantized tensor in the trained network       (layer_reference)
        -> instrumented model with these codes as inputs          (alone: rounding of this layer only)
        -> instrumented model with the picture as input           (accumulated: rounding of all layers before)
        -> share of different codes, mean and largest difference, for each layer and engine

Alone, a layer may only round ties differently, so the bound is tight for all layers. Different codes multiply
through a hundred layers, so the accumulated bound is tight only for the first layers, up to the first one
with an engine-specific rounding; at the heads the mean is bounded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeagent.bundle.evidence import ArtefactParity, Differences, LayerParity
from edgeagent.bundle.manifest import InputSpec
from edgeagent.engines.engine import TensorSpec
from edgeagent.engines.loading import READERS, available_engines, load_engine
from edgeagent.errors import DataError
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.export.exports import Exported
from edgeagent.qat.network.network import Network
from edgeagent.qat.parity.instrumented_model import InstrumentedModel, Kind, Port, QuantizedTensor
from edgeagent.qat.parity.instrumented_onnx import instrument_onnx
from edgeagent.qat.parity.instrumented_tflite import instrument_tflite
from edgeagent.qat.parity.layer_reference import Codes, LayerReference
from edgeagent.qat.pictures.fitted import fit, normalized
from edgeagent.vision.preprocessor import Preprocessor

ALONE_LARGEST = 1
ALONE_SHARE = 0.05
ALONE_SHARES = {
    "AveragePool": 0.25,
    "GlobalAveragePool": 0.25,
    "LeakyRelu": 0.5,
    "ReduceMean": 0.25,
    "Resize": 0.25,
}
"""Bounds for operators with engine-specific rounding: every fourth mean of four codes is a tie, up to 31 % of
a linear resize by two; XNNPACK multiplies each side of a leaky relu by an 8-bit factor, with errors of up to
half a step at the ends."""
FIRST = 8
FIRST_SHARE = 0.02
HEAD_MEAN = 6.0


@dataclass(frozen=True)
class _Case:
    """Picture, and the codes of the trained network for it."""

    picture: Path
    codes: Mapping[str, Codes]


def compare_layers(
    network: Network, spec: InputSpec, pictures: Sequence[Path], artefacts: Sequence[Exported]
) -> list[ArtefactParity]:
    """Compare artefacts with the trained network, each in every installed engine that reads it.

    Args:
        network: trained network.
        spec: input of the model.
        pictures: files.
        artefacts: exported artefacts of the network.

    Raises:
        DataError: a layer is outside the bounds in the engine that serves an artefact, the first of its
            readers; the message names the first such layer. For other engines it is only recorded in
            ``broken``.
    """
    reference = LayerReference(network)
    cases = [
        _Case(path, reference.codes(normalized(fit(read_picture(path), spec), spec)[None]))
        for path in pictures
    ]
    found = []
    for artefact in artefacts:
        engines = [name for name in READERS[artefact.format] if name in available_engines()]
        for engine in engines:
            parity = _Comparison(artefact, engine, network, reference, spec).run(cases)
            if parity.broken and engine == engines[0]:
                raise DataError(
                    f"{artefact.path}: in {parity.engine}, {parity.broken}; it does not compute what was "
                    "trained"
                )
            found.append(parity)
    return found


def first_broken(layers: Sequence[LayerParity], heads: Sequence[str]) -> str | None:
    """Return a description of the first layer outside the bounds; None if all layers are within.

    Args:
        layers: layers from the input to the heads.
        heads: names of the head tensors.
    """
    exact = True
    for position, layer in enumerate(layers):
        alone, accumulated = layer.alone, layer.accumulated
        where = f"layer {layer.tensor} ({layer.operator})"
        share = ALONE_SHARES.get(layer.operator, ALONE_SHARE)
        exact = exact and layer.operator not in ALONE_SHARES
        if alone and (alone.largest > ALONE_LARGEST or alone.share > share):
            return (
                f"{where} alone differs from the trained network by up to {alone.largest} steps in "
                f"{alone.share:.1%} of its codes ({ALONE_LARGEST} step in {share:.0%} are allowed)"
            )
        if exact and position < FIRST and accumulated.share > FIRST_SHARE:
            return (
                f"{where}, one of the first {FIRST}, differs from the trained network in "
                f"{accumulated.share:.1%} of its codes ({FIRST_SHARE:.0%} are allowed)"
            )
        if layer.tensor in heads and accumulated.mean > HEAD_MEAN:
            return (
                f"head {layer.tensor} differs from the trained network by {accumulated.mean:.1f} steps on "
                f"average ({HEAD_MEAN:g} are allowed)"
            )
    return None


class _Comparison:
    """Comparison of an artefact in one engine."""

    def __init__(
        self, artefact: Exported, engine: str, network: Network, reference: LayerReference, spec: InputSpec
    ) -> None:
        self._artefact, self._engine, self._network = artefact, engine, network
        self._reference, self._spec = reference, spec
        self._facts = ""

    def run(self, cases: Sequence[_Case]) -> ArtefactParity:
        tensors = self._reference.quantized(cases[0].codes)
        with tempfile.TemporaryDirectory() as folder:
            alone = self._differences(self._instrumented(Path(folder), "cut", tensors), cases)
            accumulated = self._differences(self._instrumented(Path(folder), "tapped", tensors), cases)
        layers = tuple(
            LayerParity(
                tensor=name,
                operator=self._reference.operator(name),
                alone=alone.get(name),
                accumulated=accumulated[name],
            )
            for name in tensors
            if name in accumulated
        )
        heads = [head.tensor for head in self._network.graph.heads]
        compared = {layer.tensor for layer in layers}
        return ArtefactParity(
            file=self._artefact.path.name,
            engine=self._facts,
            pictures=len(cases),
            layers=layers,
            not_compared=tuple(name for name in tensors if name not in compared),
            broken=first_broken(layers, heads),
        )

    def _instrumented(
        self, folder: Path, kind: Kind, tensors: Mapping[str, QuantizedTensor]
    ) -> InstrumentedModel:
        target = folder / f"{kind}-{self._artefact.path.name}"
        if self._artefact.format == "onnx":
            return instrument_onnx(self._artefact.path, target, kind, tensors)
        return instrument_tflite(self._artefact.path, target, kind, self._network, tensors)

    def _differences(self, model: InstrumentedModel, cases: Sequence[_Case]) -> dict[str, Differences]:
        """Return the differences of each output of an instrumented model, over all pictures."""
        engine = load_engine(model.path, model.format, 1, self._engine)
        self._facts = f"{engine.facts.engine} {engine.facts.version} {engine.facts.delegate}"
        fed = {port.name: port for port in model.inputs}
        shown = {port.name: port for port in model.outputs}
        outputs = [tensor.allocate() for tensor in engine.outputs]
        sums = {port.tensor: _Sum() for port in model.outputs}
        for case in cases:
            inputs = [self._input(tensor, fed.get(tensor.name), case) for tensor in engine.inputs]
            engine.infer(inputs, outputs)
            for tensor, output in zip(engine.outputs, outputs, strict=True):
                port = shown.get(tensor.name)
                if port is not None:
                    sums[port.tensor].add(_from_engine(output, port), case.codes[port.tensor])
        engine.close()
        return {tensor: item.differences() for tensor, item in sums.items()}

    def _input(self, tensor: TensorSpec, port: Port | None, case: _Case) -> npt.NDArray[Any]:
        if port is not None:
            return _for_engine(case.codes[port.tensor], port, tensor)
        codes = tensor.allocate()
        Preprocessor(self._spec, tensor).write(read_picture(case.picture), codes)
        return codes


class _Sum:
    """Sum of the differences of one tensor over several pictures."""

    def __init__(self) -> None:
        self._codes, self._differing, self._total, self._largest = 0, 0, 0, 0

    def add(self, measured: npt.NDArray[np.int16], reference: Codes) -> None:
        difference = np.abs(measured - reference.astype(np.int16))
        self._codes += difference.size
        self._differing += int(np.count_nonzero(difference))
        self._total += int(difference.sum(dtype=np.int64))
        self._largest = max(self._largest, int(difference.max(initial=0)))

    def differences(self) -> Differences:
        share, mean = self._differing / self._codes, self._total / self._codes
        return Differences(share=round(share, 6), mean=round(mean, 6), largest=self._largest)


def _from_engine(codes: npt.NDArray[Any], port: Port) -> npt.NDArray[np.int16]:
    """Return the codes of an engine as 0..255, channels first."""
    counted: npt.NDArray[np.int16] = codes.astype(np.int16) + np.int16(port.offset)
    return counted.transpose(0, 3, 1, 2) if port.channels_last else counted


def _for_engine(codes: Codes, port: Port, tensor: TensorSpec) -> npt.NDArray[Any]:
    """Return codes 0..255, channels first, in the form of an input."""
    counted = (codes.astype(np.int16) - port.offset).astype(tensor.dtype)
    turned = counted.transpose(0, 2, 3, 1) if port.channels_last else counted
    return np.ascontiguousarray(turned)

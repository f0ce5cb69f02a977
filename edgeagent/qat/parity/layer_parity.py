"""Layer by layer: whether an artefact computes, in its engine, what was trained.

::

    codes of every quantized tensor in the trained network  (layer_reference)
        -> a probe that feeds each layer with them           (alone: rounding of this layer only)
        -> a probe that runs from the picture                (accumulated: rounding of all layers before)
        -> share of codes that differ, mean and largest difference, for each layer and engine

Alone, a layer may round a tie to the other side and nothing else, so the bound is tight everywhere. Flips
grow through a hundred layers, so the accumulated bound is tight for the first layers only, up to the first
whose rounding is the engine's own; at the end it is one on the mean.
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
from edgeagent.qat.parity.instrumented_model import InstrumentedModel, Kind, Port, Quantized
from edgeagent.qat.parity.instrumented_onnx import instrument_onnx
from edgeagent.qat.parity.instrumented_tflite import instrument_tflite
from edgeagent.qat.parity.layer_reference import Codes, Reference
from edgeagent.qat.training.pictures import fit, normalized
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
"""Where engines round in their own ways: of a mean of four codes every fourth lies between two, of a linear
resize by two up to 31 %; XNNPACK multiplies each side of a leaky relu by a factor of 8 bits, which is up to
half a step off at the ends."""
FIRST = 8
FIRST_SHARE = 0.02
HEAD_MEAN = 6.0


@dataclass(frozen=True)
class _Case:
    """A picture and the trained network's codes for it."""

    picture: Path
    codes: Mapping[str, Codes]


def compare_layers(
    network: Network, spec: InputSpec, pictures: Sequence[Path], artefacts: Sequence[Exported]
) -> list[ArtefactParity]:
    """Compare artefacts with the trained network, each in every installed engine that reads it.

    Raises:
        DataError: in the engine that serves an artefact, the first of its readers, a layer is outside the
            bounds; the first such layer is named. What another engine does is only recorded, in ``broken``.
    """
    reference = Reference(network)
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
                    f"{artefact.path}: in {parity.engine}, {parity.broken}; it is not what was trained"
                )
            found.append(parity)
    return found


def first_broken(layers: Sequence[LayerParity], heads: Sequence[str]) -> str | None:
    """Return what is wrong with the first layer outside the bounds, None where all are within.

    Args:
        layers: from the input to the heads.
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
    """An artefact in one engine."""

    def __init__(
        self, artefact: Exported, engine: str, network: Network, reference: Reference, spec: InputSpec
    ) -> None:
        self._artefact, self._engine, self._network = artefact, engine, network
        self._reference, self._spec = reference, spec
        self._facts = ""

    def run(self, cases: Sequence[_Case]) -> ArtefactParity:
        tensors = self._reference.quantized(cases[0].codes)
        with tempfile.TemporaryDirectory() as folder:
            alone = self._differences(self._probe(Path(folder), "cut", tensors), cases)
            accumulated = self._differences(self._probe(Path(folder), "tapped", tensors), cases)
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

    def _probe(self, folder: Path, kind: Kind, tensors: Mapping[str, Quantized]) -> InstrumentedModel:
        target = folder / f"{kind}-{self._artefact.path.name}"
        if self._artefact.format == "onnx":
            return instrument_onnx(self._artefact.path, target, kind, tensors)
        return instrument_tflite(self._artefact.path, target, kind, self._network, tensors)

    def _differences(self, probe: InstrumentedModel, cases: Sequence[_Case]) -> dict[str, Differences]:
        """Run a probe on every picture; return the differences of each tensor that it shows."""
        engine = load_engine(probe.path, probe.format, 1, self._engine)
        self._facts = f"{engine.facts.engine} {engine.facts.version} {engine.facts.delegate}"
        fed = {port.name: port for port in probe.inputs}
        shown = {port.name: port for port in probe.outputs}
        outputs = [tensor.allocate() for tensor in engine.outputs]
        sums = {port.tensor: _Sum() for port in probe.outputs}
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
    """Differences of one tensor over several pictures."""

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
    """Return codes 0..255, channels first."""
    counted: npt.NDArray[np.int16] = codes.astype(np.int16) + np.int16(port.offset)
    return counted.transpose(0, 3, 1, 2) if port.channels_last else counted


def _for_engine(codes: Codes, port: Port, tensor: TensorSpec) -> npt.NDArray[Any]:
    """Return codes 0..255, channels first, as an input takes them."""
    counted = (codes.astype(np.int16) - port.offset).astype(tensor.dtype)
    turned = counted.transpose(0, 2, 3, 1) if port.channels_last else counted
    return np.ascontiguousarray(turned)

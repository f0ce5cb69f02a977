"""Parity of outputs: comparison of an artefact's outputs in its engine with those of the trained network.

Engines round ties differently, and the differences multiply through a hundred layers: the heads of YOLOX-nano
differ by 2 to 4 steps on average between two exact engines, and by 9 where 8-bit sums saturate. Outputs are
therefore compared by their mean difference over the pictures, in steps of their grid: on a single picture
two exact engines were 6.1 steps apart (selfie segmentation, LiteRT, 2.7 over eight pictures).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgeagent.bundle.golden import ReferenceOutputs, compare_outputs
from edgeagent.bundle.manifest import InputSpec
from edgeagent.engines.loading import load_engine, measuring_engines
from edgeagent.errors import DataError
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.core.codes import HIGHEST
from edgeagent.qat.export.exports import Exported
from edgeagent.qat.graph.graph import GraphHead
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from edgeagent.qat.pictures.fitted import fit, normalized
from edgeagent.vision.preprocessor import Preprocessor

FloatArray = npt.NDArray[np.float32]

LIMIT = 6.0  # steps
MARGIN = 1.5


@torch.no_grad()
def reference_outputs(network: Network, spec: InputSpec, pictures: Sequence[Path]) -> ReferenceOutputs:
    """Return the outputs of the trained network for pictures, with the steps of its output grids."""
    network.set_mode("quantize")
    answers = [
        network(normalized(fit(read_picture(path), spec, exact=True), spec)[None]) for path in pictures
    ]
    heads = network.graph.heads
    values = zip(heads, zip(*answers, strict=True), strict=True)
    steps = tuple(_step(network, head, one) for head, one in values)
    gridless = [head.tensor not in network.plan.of for head in heads]
    outputs = (
        tuple(_stored(*one) for one in zip(answer, steps, gridless, strict=True)) for answer in answers
    )
    return ReferenceOutputs(tuple(outputs), steps)


def _stored(values: Tensor, step: float, gridless: bool) -> FloatArray:
    """Return the values; those of a head without a grid in whole steps, a third of the size when compressed.

    The mean difference from an engine, a few steps, grows by a fraction of the quarter step lost on average.
    """
    if not gridless:
        return cast(FloatArray, values.numpy())
    return (np.round(values.double().numpy() / step) * step).astype(np.float32)


def float_outputs(
    network: Network, spec: InputSpec, pictures: Sequence[Path], steps: ReferenceOutputs
) -> ReferenceOutputs:
    """Return the outputs of the network's original float model, with the steps of ``steps``."""
    original = Network(network.graph, network.plan)
    original.set_mode("float")
    with torch.no_grad():
        answers = [
            original(normalized(fit(read_picture(path), spec, exact=True), spec)[None]) for path in pictures
        ]
    return ReferenceOutputs(tuple(tuple(head.numpy() for head in heads) for heads in answers), steps.steps)


def _step(network: Network, head: GraphHead, answers: Sequence[Tensor]) -> float:
    """Return the step of a head's grid; for a float head, 1/255 of the range of its values."""
    index = network.plan.of.get(head.tensor)
    if index is not None:
        return float(cast(ActivationGrid, network.grids[index]).quantization()[0])
    low, high = (
        min(float(answer.min()) for answer in answers),
        max(float(answer.max()) for answer in answers),
    )
    return max(high - low, 1e-6) / HIGHEST


def worst_difference(
    artefact: Exported, spec: InputSpec, pictures: Sequence[Path], golden: ReferenceOutputs
) -> float:
    """Return the largest mean difference of an output for a picture, in steps.

    Raises:
        DataError: the mean difference of an output over all pictures is more than :data:`LIMIT`: the artefact
            does not compute what was trained.
    """
    differences = [
        compare_outputs(reference, _outputs(artefact, spec, path), golden.steps)
        for path, reference in zip(pictures, golden.outputs, strict=True)
    ]
    mean = float(np.mean(differences, axis=0).max())
    if not mean <= LIMIT:
        raise DataError(
            f"{artefact.path}: on {len(differences)} pictures it differs from the trained network by "
            f"{mean:.1f} steps on average (at most {LIMIT:g} are allowed); it does not compute what was "
            "trained"
        )
    return float(np.max(differences))


def tolerance(differences: Sequence[float]) -> float:
    """Return the tolerance for engines of devices: 1.5 times the largest difference here, at least 1 step."""
    return round(max(1.0, max(differences) * MARGIN), 1)


def _outputs(artefact: Exported, spec: InputSpec, path: Path) -> list[FloatArray]:
    engines = measuring_engines(artefact.format, artefact.grid)
    engine = load_engine(artefact.path, artefact.format, threads=1, engine=engines[0])
    codes = engine.inputs[0].allocate()
    outputs = [tensor.allocate() for tensor in engine.outputs]
    Preprocessor(spec, engine.inputs[0], exact=True).write(read_picture(path), codes)
    engine.infer([codes], outputs)
    real = [tensor.dequantize(output) for tensor, output in zip(engine.outputs, outputs, strict=True)]
    engine.close()
    return real

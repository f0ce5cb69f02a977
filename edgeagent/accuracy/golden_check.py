"""Does an engine compute here what was trained? Outputs for the golden pictures beside their reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeagent.bundle.golden import compare, load_golden
from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import Bundle
from edgeagent.camera.picture import read_picture
from edgeagent.detector import Detector
from edgeagent.errors import BundleError


@dataclass(frozen=True)
class GoldenDifference:
    """How far the outputs are from their reference.

    Attributes:
        steps: (pictures, outputs) float64, mean absolute difference in steps of the output's grid; infinite
            where an output is not finite.
        tolerance: largest of them that the bundle allows.
    """

    steps: npt.NDArray[np.float64]
    tolerance: float

    @property
    def worst(self) -> float:
        """Largest difference, in steps."""
        return float(self.steps.max())

    @property
    def within(self) -> bool:
        """Whether all are within the tolerance."""
        return self.worst <= self.tolerance


def golden_difference(bundle: Bundle, artefact: Artefact, detector: Detector) -> GoldenDifference | None:
    """Run the golden pictures through a loaded artefact; None for a bundle without a golden set.

    Raises:
        BundleError: reference outputs are damaged, or do not fit the pictures or the artefact.
        DataError: a picture cannot be read.
        EngineError: the engine failed.
    """
    path = bundle.golden_outputs(artefact)
    if path is None or bundle.manifest.golden is None:
        return None
    golden, pictures, buffers = load_golden(path), bundle.golden_pictures(), detector.allocate()
    if len(pictures) != len(golden.outputs):
        raise BundleError(
            f"{bundle.directory}: has {len(pictures)} golden pictures but reference outputs of "
            f"{len(golden.outputs)}; do not use this bundle"
        )
    rows = []
    for picture, reference in zip(pictures, golden.outputs, strict=True):
        detector.preprocessor.write(read_picture(picture), buffers.inputs[0])
        detector.engine.infer(buffers.inputs, buffers.outputs)
        measured = [
            spec.dequantize(codes)
            for spec, codes in zip(detector.engine.outputs, buffers.outputs, strict=True)
        ]
        rows.append(compare(reference, measured, golden.steps))
    return GoldenDifference(np.array(rows), bundle.manifest.golden.tolerance)

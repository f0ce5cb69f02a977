"""Golden check: outputs of an engine on the golden pictures against the reference outputs of the bundle.

Pictures are read and prepared once, so that a repeated check costs a live board a few inferences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgeagent.bundle.golden import ReferenceOutputs, compare_outputs, load_reference_outputs
from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import Bundle
from edgeagent.engines.engine import Array, Engine
from edgeagent.errors import BundleError
from edgeagent.imaging.picture import read_picture
from edgeagent.vision.preprocessor import Preprocessor


@dataclass(frozen=True)
class GoldenResult:
    """Result of a golden check.

    Attributes:
        worst: mean absolute difference of the worst output on the worst picture, in steps of its grid;
            infinite where an output holds a number that is not finite.
        tolerance: allowed for ``worst``, in steps.
        mean: of all outputs and pictures, in steps.
    """

    worst: float
    tolerance: float
    mean: float

    @property
    def right(self) -> bool:
        """Whether the engine computes what was trained."""
        return self.worst <= self.tolerance

    def describe(self) -> str:
        """Return the result as text."""
        worst = f"{self.worst:.2f}" if math.isfinite(self.worst) else "infinitely many"
        return f"{worst} steps off on average at worst, {self.tolerance:g} allowed"


class GoldenCheck:
    """The golden set of one artefact.

    Args:
        bundle: with a golden set.
        artefact: of the bundle.

    Raises:
        BundleError: the bundle has no golden set, or its reference outputs are damaged.
        DataError: a picture cannot be read.
    """

    def __init__(self, bundle: Bundle, artefact: Artefact) -> None:
        path, golden = bundle.golden_outputs(artefact), bundle.manifest.golden
        if path is None or golden is None:
            raise BundleError(f"{bundle.directory}: has no golden set to check an engine with")
        self._golden: ReferenceOutputs = load_reference_outputs(path)
        self._pictures = bundle.golden_pictures()
        if len(self._pictures) != len(self._golden.outputs):
            raise BundleError(
                f"{bundle.directory}: has {len(self._pictures)} golden pictures but reference outputs of "
                f"{len(self._golden.outputs)}; do not use this bundle"
            )
        self._input, self.tolerance = bundle.manifest.input, golden.tolerance
        self._prepared: list[Array] = []

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._pictures)

    def run(self, engine: Engine) -> GoldenResult:
        """Check an engine that has loaded the artefact, on all pictures.

        Raises:
            EngineError: it fails.
            BundleError: its outputs have other shapes than the reference.
        """
        buffers = engine.allocate()
        differences: list[float] = []
        for codes, reference in zip(self._codes(engine), self._golden.outputs, strict=True):
            engine.infer((codes, *buffers.inputs[1:]), buffers.outputs)
            measured = [
                spec.dequantize(output) for spec, output in zip(engine.outputs, buffers.outputs, strict=True)
            ]
            differences += compare_outputs(reference, measured, self._golden.steps)
        return GoldenResult(max(differences), self.tolerance, sum(differences) / len(differences))

    def _codes(self, engine: Engine) -> list[Array]:
        if not self._prepared:
            spec = engine.inputs[0]
            preprocessor = Preprocessor(self._input, spec)
            for picture in self._pictures:
                codes = spec.allocate()
                preprocessor.write(read_picture(picture), codes)
                self._prepared.append(codes)
        return self._prepared

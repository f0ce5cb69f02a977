"""Golden check: an engine and its decoder on the golden pictures of the bundle.

Outputs are compared with the reference outputs, and what is decoded from them with the labels
(:mod:`edgeagent.detection.golden_findings`).

Pictures are read and prepared once, so that a repeated check costs a live board a few inferences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgeagent.bundle.golden import ReferenceOutputs, compare_outputs, load_reference_outputs
from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.detector import build_detector
from edgeagent.detection.golden_boxes import FIND_SCORE
from edgeagent.detection.golden_findings import golden_findings
from edgeagent.engines.engine import Array, Engine
from edgeagent.errors import BundleError
from edgeagent.imaging.letterbox import Fit
from edgeagent.imaging.picture import read_picture
from edgeagent.vision.preprocessor import Preprocessor

IOU_THRESHOLD = 0.65


@dataclass(frozen=True)
class GoldenResult:
    """Result of a golden check.

    Attributes:
        worst: mean absolute difference of the worst output on the worst picture, in steps of its grid;
            infinite where an output holds a number that is not finite.
        tolerance: allowed for ``worst``, in steps.
        mean: of all outputs and pictures, in steps.
        labelled: labelled objects, or pictures, of the golden set; 0 without labels.
        found: number of them that are found.
        least_found: smallest accepted number of them.
        unit: what is counted, for people.
    """

    worst: float
    tolerance: float
    mean: float
    labelled: int = 0
    found: int = 0
    least_found: int = 0
    unit: str = "labelled objects"

    @property
    def right(self) -> bool:
        """Whether the engine computes what was trained, and its decoder finds the labelled objects."""
        return self.outputs_right and self.found >= self.least_found

    @property
    def outputs_right(self) -> bool:
        """Whether the engine computes what was trained; the decoder may be wrong still."""
        return self.worst <= self.tolerance

    def describe(self) -> str:
        """Return the result as text."""
        worst = f"{self.worst:.2f}" if math.isfinite(self.worst) else "infinitely many"
        outputs = f"{worst} steps off on average at worst, {self.tolerance:g} allowed"
        if not self.labelled:
            return outputs
        return f"{outputs}; {self.found} of {self.labelled} {self.unit} found, {self.least_found} needed"


class GoldenCheck:
    """The golden set of one artefact.

    Args:
        bundle: with a golden set.
        artefact: of the bundle.

    Raises:
        BundleError: the bundle has no golden set, or its reference outputs are damaged.
        DataError: a picture or label file cannot be read.
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
        self._manifest, self._artefact = bundle.manifest, artefact
        self.tolerance = golden.tolerance if artefact.tolerance is None else artefact.tolerance
        self._findings = golden_findings(bundle, artefact)
        self._prepared: list[tuple[Array, Fit]] = []

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._pictures)

    def run(self, engine: Engine) -> GoldenResult:
        """Check an engine that has loaded the artefact, on all pictures.

        Raises:
            EngineError: it fails, or its outputs decode to impossible scores or boxes.
            BundleError: its outputs have other shapes than the reference or the manifest.
        """
        buffers = engine.allocate()
        artefact = self._artefact
        detector = build_detector(self._manifest, engine, artefact.outputs, artefact.file, IOU_THRESHOLD)
        differences: list[float] = []
        found, findings = 0, self._findings
        findings.begin()
        pictures = zip(self.prepare(engine), self._golden.outputs, strict=True)
        for number, ((codes, fit), reference) in enumerate(pictures):
            engine.infer((codes, *buffers.inputs[1:]), buffers.outputs)
            detections = detector.decoder.decode(buffers.outputs, FIND_SCORE)
            found += findings.add(number, detections, fit)
            measured = [
                spec.dequantize(output) for spec, output in zip(engine.outputs, buffers.outputs, strict=True)
            ]
            differences += compare_outputs(reference, measured, self._golden.steps)
        findings.check()
        mean = sum(differences) / len(differences)
        counted = (findings.labelled, found, findings.least, findings.unit)
        return GoldenResult(max(differences), self.tolerance, mean, *counted)

    def prepare(self, engine: Engine) -> list[tuple[Array, Fit]]:
        """Return each picture as the input of an engine, and its placement there; prepared once."""
        if not self._prepared:
            spec = engine.inputs[0]
            preprocessor = Preprocessor(self._manifest.input, spec, exact=True)
            for picture in self._pictures:
                codes = spec.allocate()
                self._prepared.append((codes, preprocessor.write(read_picture(picture), codes)))
        return self._prepared

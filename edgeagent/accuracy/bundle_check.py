"""Check of a bundle in the engines of this machine: golden pictures and claimed accuracy.

``edgeagent bundle check`` runs one artefact, ``edgeagent publish add`` every artefact that an engine here
reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.accuracy.coco_map import NoAccuracyError
from edgeagent.accuracy.evaluation import IOU_THRESHOLD
from edgeagent.accuracy.golden_accuracy import measure_golden
from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.detector import Detector, load_bundle_detector
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.engines.loading import READERS, available_engines
from edgeagent.errors import BundleError, DataError, EngineError


@dataclass(frozen=True)
class ArtefactCheck:
    """Result of an artefact that an engine runs as it should.

    Attributes:
        engine: name and version of the engine.
        golden: comparison with the reference outputs, as text; None without a golden set.
        accuracy: comparison with the claimed accuracy, as text; None where it was not compared.
    """

    engine: str
    golden: str | None
    accuracy: str | None


def check_artefact(
    bundle: Bundle, artefact: Artefact, engine: str, tell: Callable[[str], None]
) -> ArtefactCheck:
    """Run an artefact on the golden pictures, in this process.

    Args:
        bundle: verified bundle.
        artefact: artefact of the bundle.
        engine: name of the engine, or ``auto``.
        tell: called with a sentence for every finding.

    Raises:
        BundleError: outputs, boxes or accuracy are not those that the bundle claims, or its golden set or
            tensors do not fit the manifest.
        DataError: a golden picture or label file cannot be read.
        EngineError: the engine does not load or run the artefact.
    """
    detector = load_bundle_detector(
        bundle, engine, threads=0, iou_threshold=IOU_THRESHOLD, file=artefact.file
    )
    facts = detector.engine.facts
    engine = f"{facts.engine} {facts.version}"
    detector.warm_up()
    if bundle.manifest.golden is None:
        tell(f"{engine} loads it; the bundle has no golden pictures")
        return ArtefactCheck(engine, None, None)
    result = GoldenCheck(bundle, artefact).run(detector.engine)
    if result.outputs_right and not result.right:
        raise BundleError(
            f"{bundle.directory}: what is decoded from the outputs of {engine} is not that of the golden "
            f"labels ({result.describe()}); the decoder of the manifest does not fit the model"
        )
    if not result.right:
        raise BundleError(
            f"{bundle.directory}: the outputs of {engine} on this machine differ from the reference outputs "
            f"({result.describe()}); use another engine"
        )
    tell(f"{engine} gives the reference outputs: {result.describe()}")
    return ArtefactCheck(engine, result.describe(), _check_accuracy(bundle, artefact, detector, tell))


def check_for_release(bundle: Bundle, tell: Callable[[str], None]) -> None:
    """Check every artefact that an engine of this machine reads.

    Args:
        bundle: verified bundle.
        tell: called with a sentence for every finding, and for every artefact that no engine here reads.

    Raises:
        BundleError: an artefact does not load or run, or is not what the bundle claims; or no engine here
            reads any artefact.
    """
    installed = set(available_engines())
    checked = 0
    for artefact in bundle.manifest.artefacts:
        if artefact.compiled_for is not None or not installed & set(READERS[artefact.format]):
            tell(f"{artefact.file}: not run, no engine on this machine reads it")
            continue
        try:
            check_artefact(
                bundle,
                artefact,
                "auto",
                lambda line, file=artefact.file: tell(f"{file}: {line}"),  # type: ignore[misc]
            )
        except (DataError, EngineError) as error:
            raise BundleError(f"{bundle.directory}: {artefact.file} does not run here: {error}") from error
        except BundleError as error:
            raise BundleError(f"{artefact.file} is refused: {error}") from error
        checked += 1
    if not checked:
        raise BundleError(f"{bundle.directory}: no engine on this machine reads any of its artefacts")


def _check_accuracy(
    bundle: Bundle, artefact: Artefact, detector: Detector, tell: Callable[[str], None]
) -> str | None:
    facts = detector.engine.facts
    try:
        result = measure_golden(bundle, artefact, detector)
    except NoAccuracyError as error:
        tell(f"accuracy is not measured: {error}")
        return None
    if result is None:
        tell(f"the bundle claims no accuracy of {artefact.file} on golden pictures")
        return None
    if not result.right:
        raise BundleError(
            f"{bundle.directory}: {facts.engine} {facts.version} on this machine is less accurate than "
            f"claimed ({result.describe()}); use another engine"
        )
    tell(f"{facts.engine} {facts.version} has the claimed accuracy: {result.describe()}")
    return result.describe()

"""Golden run: mAP on the golden pictures, measured through the serving engine while live frames continue.

The pictures pass the same worker as the frames, one a second, so that once a second a live frame waits for
one more inference.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from edgeagent.accuracy.coco_map import NoAccuracyError
from edgeagent.accuracy.evaluation import IOU_THRESHOLD
from edgeagent.accuracy.golden_accuracy import measure_golden
from edgeagent.detection.detector import build_detector
from edgeagent.detection.serving import ServingDetector
from edgeagent.errors import BundleError, DataError, EngineError
from edgeagent.telemetry.contract.accuracy import GoldenReport
from edgeagent.timing.utc import utc_time


class InterruptedRunError(Exception):
    """The run was stopped by its caller."""


def run_golden(serving: ServingDetector, pause: Callable[[], None]) -> GoldenReport | None:
    """Return accuracy and claim of the serving model, or the reason why the accuracy is not measured.

    Args:
        serving: source of the engine.
        pause: called between two pictures; may raise :class:`InterruptedRunError`, which is passed on.

    Returns:
        The report; None where another detector began to serve during the run, or none serves.

    Raises:
        InterruptedRunError: raised by ``pause``.
    """
    candidate, detector, bundle = serving.candidate, serving.current(0), serving.bundle
    if candidate is None or detector is None:
        return None
    result, reason = None, f"the bundle has no claim for {candidate.artefact.file}"
    golden = bundle.manifest.golden
    if golden is None or golden.accuracy is None:
        reason = "the bundle has no labelled golden pictures"
    try:
        measured = build_detector(
            bundle.manifest, detector.engine, candidate.artefact.outputs, candidate.name, IOU_THRESHOLD
        )
        result = measure_golden(bundle, candidate.artefact, measured, lambda done: pause())
    except (NoAccuracyError, BundleError, DataError, EngineError) as error:
        reason = str(error)
    if serving.current(0) is not detector:
        return None
    now = utc_time(time.time())
    if result is None or golden is None:
        return GoldenReport(time=now, serving=candidate.name, reason=reason)
    report = GoldenReport(
        time=now,
        serving=candidate.name,
        pictures=len(golden.pictures),
        claimed=result.claimed,
        tolerance=result.tolerance,
        labelled_by=golden.accuracy.labelled_by if golden.accuracy else None,
    )
    return report.model_copy(update={result.measure.field: round(result.measured, 4)})

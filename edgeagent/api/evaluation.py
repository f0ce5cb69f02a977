"""Accuracy of a bundle on labelled pictures, as one call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgeagent.accuracy.coco_map import Accuracy
from edgeagent.accuracy.evaluation import IOU_THRESHOLD, evaluate_detector
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.detection.detector import load_bundle_detector


def evaluate(
    bundle: str | Path | Bundle,
    images: str | Path,
    labels: str | Path,
    *,
    engine: str = "auto",
    threads: int = 0,
    artefact: str | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Accuracy:
    """Return the COCO mAP of a bundle, computed by pycocotools at score .01 and IoU .65.

    Preprocessing, engine and decoding are those of the daemon; the engine runs in this process.

    Args:
        bundle: directory of a model bundle, or an open one.
        images: folder of pictures.
        labels: folder of their labels in YOLO format, one text file a picture.
        engine: key of :data:`edgeagent.engines.loading.ENGINES`, or ``auto`` for the first that is installed.
        threads: intra-operator threads; 0 leaves one processor free.
        artefact: file of the bundle; None takes the first that the engine reads.
        progress: called with the number of pictures done.

    Raises:
        BundleError: the bundle is refused, or has no such artefact.
        EngineError: the engine is missing or cannot load the artefact.
        DataError: pictures or labels cannot be used.
        NoAccuracyError: pycocotools (extra ``eval``) is not installed, or the labels hold no object.
    """
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(Path(bundle))
    data = LabelledPictures.find(Path(images), Path(labels))
    detector = load_bundle_detector(opened, engine, threads, IOU_THRESHOLD, artefact)
    try:
        return evaluate_detector(detector, data, progress)
    finally:
        detector.engine.close()

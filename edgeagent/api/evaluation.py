"""Accuracy of a bundle on labelled pictures, as one call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgeagent.accuracy.evaluation import IOU_THRESHOLD, TaskAccuracy, evaluate_model
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.datasets.given import GivenData, check_data
from edgeagent.detection.detector import load_bundle_detector
from edgeagent.errors import ConfigurationError
from edgeagent.files.resources import find_bundle


def evaluate(
    bundle: str | Path | Bundle,
    images: str | Path | None = None,
    labels: str | Path | None = None,
    *,
    dataset: str | Path | None = None,
    split: str | None = None,
    dataset_images: str | Path | None = None,
    engine: str = "auto",
    threads: int = 0,
    artefact: str | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> TaskAccuracy:
    """Return the accuracy of a bundle, of the kind of its task.

    Detection: COCO mAP, computed by pycocotools at score .01 and IoU .65. Classification: top-1 and top-5.
    Segmentation: mean intersection over union. Instances: COCO mAP of masks, and of boxes.

    Preprocessing, engine and decoding are those of the daemon; the engine runs in this process.

    Args:
        bundle: directory of a model bundle, name of an included one, or an open one.
        images: folder of pictures; instead of ``dataset``.
        labels: folder of their labels in YOLO format, one text file a picture, with the class numbers of the
            model.
        dataset: ``data.yaml`` of Ultralytics or Roboflow, a COCO JSON file, or a folder with one of these or
            with YOLO labels; classes that have names are matched to the labels of the model by name.
        split: ``train``, ``val`` or ``test`` of a data set with splits; None is ``val``.
        dataset_images: folder of the pictures of a COCO JSON file; None looks for it.
        engine: key of :data:`edgeagent.engines.loading.ENGINES`, or ``auto`` for the first that is installed.
        threads: intra-operator threads; 0 leaves one processor free.
        artefact: file of the bundle; None takes the first that the engine reads.
        progress: called with the number of pictures done.

    Raises:
        BundleError: the bundle is refused, or has no such artefact.
        EngineError: the engine is missing or cannot load the artefact.
        ConfigurationError: no pictures are given, or what is given does not go together.
        DataError: pictures or labels cannot be used.
        NoAccuracyError: pycocotools (extra ``eval``) is not installed, or the labels hold no object.
    """
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(find_bundle(bundle))
    given = GivenData(_path(dataset), split, _path(dataset_images), _path(images), _path(labels))
    data = given.open()
    if data is None:
        raise ConfigurationError("no labelled pictures: give `dataset`, or `images` and `labels`")
    check_data(data, opened.manifest.labels)
    detector = load_bundle_detector(opened, engine, threads, IOU_THRESHOLD, artefact)
    try:
        return evaluate_model(detector, data, progress).accuracy
    finally:
        detector.engine.close()


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)

"""Check that the labels of pictures are those of a task, before work begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgeagent.bundle.task import Task
from edgeagent.datasets.labels import Labels
from edgeagent.errors import DataError
from edgeagent.files.naming import printable

POLYGONS = "polygons (YOLO segmentation labels: class x y x y x y ...)"
COVERS = 0.98
"""Share of the width and height of a picture from which a box is the whole picture."""


def check_labels(task: Task, pictures: Sequence[Path], labels: Sequence[Labels]) -> None:
    """Check that labels fit a task.

    Raises:
        DataError: they do not; the message names the first picture and what is needed.
    """
    _CHECKS[task](pictures, labels)


def _refuse_masks(pictures: Sequence[Path], labels: Sequence[Labels], needed: str) -> None:
    for picture, own in zip(pictures, labels, strict=True):
        if own.mask is not None:
            raise DataError(f"{printable(picture)}: has a class for each pixel, and the model {needed}")


def _check_boxes(pictures: Sequence[Path], labels: Sequence[Labels]) -> None:
    _refuse_masks(pictures, labels, "detects objects; give pictures with boxes (YOLO labels or COCO JSON)")
    for picture, own in zip(pictures, labels, strict=True):
        if own.whole:
            raise DataError(
                f"{printable(picture)}: is labelled with the class of the whole picture, and the model "
                "detects objects; give pictures with boxes (YOLO labels or COCO JSON)"
            )


def _check_pixels(pictures: Sequence[Path], labels: Sequence[Labels]) -> None:
    needed = "gives a class to each pixel"
    _check_outlines(pictures, labels, needed, f"{POLYGONS} or PNG masks of class indices")


def _check_instances(pictures: Sequence[Path], labels: Sequence[Labels]) -> None:
    needed = "gives the pixels of each object"
    _refuse_masks(pictures, labels, f"{needed}; give {POLYGONS}, one for each object")
    _check_outlines(pictures, labels, needed, f"{POLYGONS}, one for each object")


def _check_outlines(pictures: Sequence[Path], labels: Sequence[Labels], model: str, needed: str) -> None:
    for picture, own in zip(pictures, labels, strict=True):
        if own.whole:
            raise DataError(
                f"{printable(picture)}: is labelled with the class of the whole picture, and the model "
                f"{model}; give {needed}"
            )
        if len(own.classes) and (not own.outlines or any(one is None for one in own.outlines)):
            raise DataError(
                f"{printable(picture)}: has an object of which only the box is known, and the model "
                f"{model}; give {needed}"
            )


def _check_classes(pictures: Sequence[Path], labels: Sequence[Labels]) -> None:
    needed = "gives one class to the whole picture; give pictures in one folder for each label"
    _refuse_masks(pictures, labels, needed)
    for picture, own in zip(pictures, labels, strict=True):
        if len(own.classes) == 1 and (own.boxes[:, 2:] >= COVERS).all():
            continue
        found = f"{len(own.classes)} labelled objects" if len(own.classes) != 1 else "a box in a part of it"
        raise DataError(
            f"{printable(picture)}: has {found}, and the model gives one class to the whole picture; give "
            "pictures in one folder for each label"
        )


_CHECKS: Mapping[Task, Callable[[Sequence[Path], Sequence[Labels]], None]] = {
    "detection": _check_boxes,
    "classification": _check_classes,
    "segmentation": _check_pixels,
    "instances": _check_instances,
}

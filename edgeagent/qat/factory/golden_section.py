"""Golden pictures of a bundle, and the accuracy of its artefacts on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgeagent.accuracy.evaluation import IOU_THRESHOLD
from edgeagent.accuracy.golden_claims import accuracy_entry, claims, label_file_name, labels_by
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.bundle.task import MEASURES
from edgeagent.datasets.class_folders import ClassFolders
from edgeagent.datasets.labelled_pixels import outline_text
from edgeagent.datasets.labels import Labels
from edgeagent.datasets.task_labels import check_labels
from edgeagent.datasets.yolo_labels import LabelledPictures, whole_picture_text
from edgeagent.detection.detector import load_detector
from edgeagent.errors import DataError
from edgeagent.files.naming import printable
from edgeagent.qat.export.exports import Exported

GOLDEN = "golden"


@dataclass(frozen=True)
class GoldenPictures:
    """Pictures that are published with a bundle.

    Attributes:
        pictures: files; may be empty.
        labels: the same pictures with label files made by people, or in one folder for each class; None
            without labels.

    Raises:
        DataError: two pictures have the same name.
    """

    pictures: Sequence[Path]
    labels: LabelledPictures | ClassFolders | None = None

    def __post_init__(self) -> None:
        """Reject pictures of the same stem, which would share a label file in the bundle."""
        known: dict[str, Path] = {}
        for path in self.pictures:
            if path.stem in known:
                raise DataError(
                    f"{printable(known[path.stem])} and {printable(path)}: two golden pictures have the "
                    "same name but for folder and suffix; rename one"
                )
            known[path.stem] = path

    @property
    def names(self) -> list[str]:
        """Names of the pictures in the bundle."""
        return [f"{GOLDEN}/{path.name}" for path in self.pictures]

    def accuracy(
        self, description: ModelDescription, reference: Exported, artefacts: Sequence[Exported], work: Path
    ) -> tuple[dict[str, Any] | None, dict[str, bytes]]:
        """Return ``golden.accuracy`` of the manifest, and the label files by their names in the bundle.

        Both are empty if the pictures have no labelled object.

        Args:
            description: description of the model.
            reference: float model; what it finds are the labels where people made none.
            artefacts: artefacts to measure.
            work: folder of intermediate files.

        Raises:
            DataError: a picture or label file cannot be used.
        """
        texts = self._given(description) or _found(description, reference, self.pictures)
        if not any(texts):
            return None, {}
        files, folder = {}, work / GOLDEN
        folder.mkdir(exist_ok=True)
        for name, text in zip(self.names, texts, strict=True):
            files[label_file_name(name)] = text
            (work / label_file_name(name)).write_bytes(text)
        data = LabelledPictures.pair(self.pictures, folder)
        claimed = claims(
            description, {artefact.path.name: (artefact.path, artefact) for artefact in artefacts}, data
        )
        by: Literal["people", "float model"] = "people" if self.labels else "float model"
        measure = MEASURES[description.task]
        return accuracy_entry(dict(zip(self.names, files, strict=True)), by, claimed, measure), files

    def _given(self, description: ModelDescription) -> list[bytes] | None:
        if self.labels is None:
            return None
        read = self.labels.read(description.labels)
        check_labels(description.task, self.labels.pictures, read)
        if isinstance(self.labels, ClassFolders):
            return [whole_picture_text(int(one.classes[0])) for one in read]
        files = zip(read, self.labels.label_files, strict=True)
        return [_text(own, path, description.labels) for own, path in files]


def _text(labels: Labels, path: Path | None, names: Sequence[str]) -> bytes:
    """Return the content of the label file in the bundle, which has the polygons of a mask."""
    if labels.mask is not None:
        return outline_text(labels.mask.read(), names)
    return b"" if path is None else path.read_bytes()


def _found(description: ModelDescription, reference: Exported, pictures: Sequence[Path]) -> list[bytes]:
    detector = load_detector(
        description, reference.path, reference.format, reference.outputs, 0, IOU_THRESHOLD
    )
    found = labels_by(detector, pictures)
    detector.engine.close()
    return found

"""Labels in COCO JSON: ``images``, ``annotations`` and ``categories`` of an instances file.

Format: "COCO, Data format" (https://cocodataset.org/#format-data), object detection. Boxes are x, y, width,
height in pixels of the picture; class indices of the result are the categories in the order of their ids.

- Pictures that are not on the disk are left out, with their number and first names.
- Boxes are clipped to the picture. Boxes without an area and boxes outside it are left out, repeated
  annotations count once; an annotation with polygons and no box gets the box around them.
- Annotations with ``iscrowd`` are regions of :attr:`edgeagent.datasets.labels.Labels.crowds`.
- A picture of another size than stated is scaled with its boxes; a picture of another shape is refused.

Each of these is logged with its count.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeagent.datasets.class_names import ClassNames
from edgeagent.datasets.coco_entries import CocoAnnotation, CocoEntries, check_entries
from edgeagent.datasets.labels import POLYGON, WITHOUT_AREA, Labels, labels_of, log_remarks
from edgeagent.datasets.picture_files import names_file
from edgeagent.datasets.picture_shape import Size, displayed_size, is_scaled
from edgeagent.errors import DataError
from edgeagent.files.naming import escape_controls, printable

logger = logging.getLogger(__name__)

ANNOTATIONS_FOLDER = "annotations"
REPEATED = "repeated annotations are counted once"
OUTSIDE = "boxes outside the picture are left out"
CLIPPED = "boxes reach beyond the picture and are clipped"
CROWDS = "annotations are of crowds: detections there count neither as right nor as wrong"
STRANGE = "annotations are left out, as they belong to no picture of the file"
RESIZED = "pictures have another size than the file states; their boxes are scaled"
SLACK = 1.0
"""Pixels that a box may reach beyond the picture without a remark: annotation tools round."""
SHOWN = 5
"""Most names of missing pictures in a message."""


@dataclass(frozen=True, slots=True)
class CocoPictures:
    """Pictures with the labels of a COCO JSON file.

    Attributes:
        file: the file.
        pictures: paths of the pictures that are on the disk.
        objects: labels of each picture; classes are categories in the order of their ids.
        names: names of the categories; None where the file has none.
        categories: number of categories.
    """

    file: Path
    pictures: tuple[Path, ...]
    objects: tuple[Labels, ...]
    names: ClassNames | None
    categories: int
    _read: dict[tuple[str, ...], list[Labels]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def find(cls, file: Path, images: Path | None = None) -> CocoPictures:
        """Read a file and find its pictures; what is left out or changed is logged.

        Args:
            file: COCO JSON, UTF-8.
            images: folder of the pictures; None looks where tools put them, see :func:`picture_folders`.

        Raises:
            DataError: the file cannot be read, an entry cannot be used, or no picture is on the disk.
        """
        entries = _load(file)
        places = _locate(entries, file, images)
        remarks: Counter[str] = Counter()
        rows: dict[int | str, list[CocoAnnotation]] = {}
        for annotation in entries.annotations:
            if annotation.image not in entries.images:
                remarks[STRANGE] += 1
            rows.setdefault(annotation.image, []).append(annotation)
        found = []
        for key, path in places.items():
            size = _size(path, entries.images[key].size, file, remarks)
            found.append(_labels(rows.get(key, ()), size, remarks))
        log_remarks(remarks, file)
        names = ClassNames(entries.names, file) if entries.names else None
        return cls(file, tuple(places.values()), tuple(found), names, entries.categories)

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, labels: Sequence[str]) -> list[Labels]:
        """Return the labels of all pictures; see :class:`edgeagent.datasets.labels.LabelledData`.

        Raises:
            DataError: no class has the name of a label; or the file has no names, and more categories than
                the model has labels.
        """
        if self.names is None:
            if self.categories > len(labels):
                raise DataError(
                    f"{printable(self.file)}: categories: {self.categories} categories without names, the "
                    f"model has {len(labels)} labels; give each category its `name`"
                )
            return list(self.objects)
        key = tuple(labels)
        if key not in self._read:
            self._read[key] = self.names.renumber(self.objects, labels)
        return self._read[key]

    def data_hash(self) -> str:
        """Return the SHA-256 (hexadecimal) over names and contents of the pictures, and over the file."""
        digest = hashlib.sha256()
        for path in (*self.pictures, self.file):
            digest.update(path.name.encode("utf-8", "surrogateescape") + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def picture_folders(file: Path) -> list[Path]:
    """Return the folders to which the names of pictures in a COCO JSON file may be relative.

    These are its own folder (Roboflow), ``images`` there, and for ``annotations/instances_NAME.json``
    ``../NAME`` (COCO), ``../images/NAME``, ``../images`` and the folder above.
    """
    own, above = file.parent, file.absolute().parent.parent
    folders = [own, own / "images"]
    if own.absolute().name == ANNOTATIONS_FOLDER:
        name = file.stem.rpartition("_")[2]
        folders += [above / name, above / "images" / name]
    return [*folders, above / "images", above]


def _load(file: Path) -> CocoEntries:
    where = printable(file)
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{where}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8 text; save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: line {error.lineno}: not JSON ({error.msg}); export it again") from error
    except (RecursionError, ValueError) as error:
        raise DataError(f"{where}: not JSON that can be read ({error}); export it again") from error
    return check_entries(document, where)


def _locate(entries: CocoEntries, file: Path, given: Path | None) -> dict[int | str, Path]:
    """Return the path of each picture that is on the disk, by its id."""
    if given is not None and not given.is_dir():
        raise DataError(f"{printable(given)}: no such folder of pictures")
    folders = picture_folders(file) if given is None else [given]
    best: dict[int | str, Path] = {}
    for folder in folders:
        paths = {key: folder / image.name for key, image in entries.images.items()}
        found = {key: path for key, path in paths.items() if names_file(path)}
        if len(found) > len(best):
            best = found
    missing = [escape_controls(image.name) for key, image in entries.images.items() if key not in best]
    if not best:
        searched = ", ".join(printable(folder) for folder in dict.fromkeys(folders))
        raise DataError(
            f"{printable(file)}: none of its {len(missing)} pictures is on the disk; {missing[0]} was looked "
            f"for in {searched}; name their folder with --dataset-images"
        )
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        names = ", ".join(missing[:SHOWN]) + more
        logger.warning(
            "%s: %d of %d pictures are not on the disk and are left out: %s",
            printable(file),
            len(missing),
            len(entries.images),
            names,
        )
    return best


def _size(path: Path, stated: Size | None, file: Path, remarks: Counter[str]) -> Size:
    """Return the size of a picture to which its boxes refer."""
    if stated is not None:
        remarks[RESIZED] += is_scaled(path, stated, printable(file))
        return stated
    size = displayed_size(path)
    if size is None:
        raise DataError(
            f"{printable(path)}: its size cannot be read, and {printable(file)} does not state it; give the "
            "picture `width` and `height` there"
        )
    return size


def _labels(annotations: Sequence[CocoAnnotation], size: Size, remarks: Counter[str]) -> Labels:
    unique = list(dict.fromkeys((one.category, one.box, one.crowd) for one in annotations))
    remarks[REPEATED] += len(annotations) - len(unique)
    remarks[POLYGON] += sum(one.polygon for one in annotations)
    width, height = size
    objects: list[Sequence[float]] = []
    crowds: list[Sequence[float]] = []
    for category, (x, y, box_width, box_height), crowd in unique:
        if box_width <= 0 or box_height <= 0:
            remarks[WITHOUT_AREA] += 1
            continue
        x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + box_width, width), min(y + box_height, height)
        if x1 >= x2 or y1 >= y2:
            remarks[OUTSIDE] += 1
            continue
        remarks[CLIPPED] += max(x1 - x, y1 - y, x + box_width - x2, y + box_height - y2) > SLACK
        remarks[CROWDS] += crowd
        row = (category, (x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        (crowds if crowd else objects).append(row)
    return labels_of(objects, crowds)

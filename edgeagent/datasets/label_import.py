"""Labels that come back from a tool, checked against pictures and model, in the layout that training reads.

::

    COCO JSON, YOLO folder, CVAT XML, Label Studio JSON -> pictures with objects (returned_labels)
        -> the classes are labels of the model, the objects fit its task
        -> every picture is there, and has the size for which it was labelled
        -> detection, segmentation, instances   images/  labels/  data.yaml       class numbers of the model
           classification                       LABEL/picture

Either all of it is written, or nothing: into a folder beside, which then takes the name.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from edgeagent.bundle.task import OUTLINE_TASKS, Task
from edgeagent.datasets.class_names import match_names
from edgeagent.datasets.picture_files import list_pictures
from edgeagent.datasets.picture_shape import displayed_size
from edgeagent.datasets.returned_kinds import read_returned
from edgeagent.datasets.returned_labels import ReturnedLabels, ReturnedObject, ReturnedPicture
from edgeagent.errors import DataError
from edgeagent.files.atomic import PRIVATE_FILE
from edgeagent.files.naming import printable, shortened

SHOWN = 5
"""Most names in a message."""


@dataclass(frozen=True)
class LabelTarget:
    """Model for which labels are taken.

    Attributes:
        task: of the model.
        labels: of the model, by class index.
    """

    task: Task
    labels: tuple[str, ...]


@dataclass(frozen=True)
class ImportedLabels:
    """What was taken.

    Attributes:
        pictures: number of labelled pictures.
        objects: number of objects by label of the model.
        empty: number of pictures without an object.
        waiting: number of pictures that nobody has labelled; they are left out.
    """

    pictures: int
    objects: dict[str, int]
    empty: int
    waiting: int


def import_labels(
    given: Path, images: Path, target: LabelTarget, out: Path, skip_empty: bool = False
) -> ImportedLabels:
    """Take labels back, and write them with their pictures into a new folder.

    Args:
        given: file or folder of the tool; see the module.
        images: folder of the pictures that were labelled, searched recursively.
        target: model that they are for.
        out: folder, which is made.
        skip_empty: whether pictures without an object count as those that nobody has labelled.

    Raises:
        DataError: something does not fit; nothing is written.
    """
    if not given.exists():
        raise DataError(f"{printable(given)}: no such file or folder of labels")
    if out.exists():
        raise DataError(f"{printable(out)}: is there already; name a new folder")
    if not images.is_dir():
        raise DataError(f"{printable(images)}: no such folder of pictures; --images names it")
    returned = read_returned(given, images)
    if skip_empty:
        seen = tuple(one for one in returned.pictures if one.objects)
        left = len(returned.pictures) - len(seen)
        returned = replace(returned, pictures=seen, waiting=returned.waiting + left)
    files = _pictures(returned, images)
    indices = _check_classes(returned, target, given)
    for one in returned.pictures:
        _check_task(one, target.task)
        _check_size(one, files[one.name])
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise DataError(f"{printable(out)}: cannot be written ({error.strerror})") from error
    try:
        if target.task == "classification":
            _write_folders(returned, files, indices, target, beside)
        else:
            _write_yolo(returned, files, indices, target, beside)
        beside.rename(out)
    except OSError as error:
        raise DataError(
            f"{printable(error.filename or out)}: cannot be written ({error.strerror})"
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    counts = Counter(
        target.labels[indices[one.label]] for picture in returned.pictures for one in picture.objects
    )
    empty = sum(not one.objects for one in returned.pictures)
    return ImportedLabels(len(returned.pictures), dict(sorted(counts.items())), empty, returned.waiting)


def _pictures(returned: ReturnedLabels, images: Path) -> dict[str, Path]:
    """Return the file of each picture by its name."""
    if not returned.pictures:
        raise DataError(f"none of the {returned.waiting} pictures is labelled yet; nothing to take")
    twice = [name for name, count in Counter(one.name for one in returned.pictures).items() if count > 1]
    if twice:
        raise DataError(f"{printable(twice[0])}: is listed twice; which labels belong to it? keep one")
    files: dict[str, Path] = {}
    for path in list_pictures(images, recursive=True):
        first = files.setdefault(path.name, path)
        if first != path and any(one.name == path.name for one in returned.pictures):
            raise DataError(
                f"{printable(first)} and {printable(path)}: which of them was labelled? rename one"
            )
    absent = [one for one in returned.pictures if one.name not in files]
    if absent:
        raise DataError(
            f"{absent[0].place}: the picture {printable(absent[0].name)} is not in {printable(images)}"
            f"{_more(len(absent))}; give --images the folder of the pictures that were labelled"
        )
    return files


def _check_classes(returned: ReturnedLabels, target: LabelTarget, given: Path) -> dict[str, int]:
    """Return the class index of each name."""
    names = tuple(dict.fromkeys(one.label for picture in returned.pictures for one in picture.objects))
    indices = dict(zip(names, match_names(names, target.labels), strict=True))
    strange = [name for name in names if indices[name] < 0]
    if strange:
        shown = ", ".join(shortened(repr(name), 60) for name in strange[:SHOWN])
        raise DataError(
            f"{printable(given)}: the model has no label {shown}{_more(len(strange), SHOWN)}; its "
            f"{len(target.labels)} labels are {', '.join(target.labels[:SHOWN])}"
            f"{' ...' if len(target.labels) > SHOWN else ''}: rename the class in the tool, or remove "
            "its objects"
        )
    return indices


def _check_task(picture: ReturnedPicture, task: Task) -> None:
    whole = [one for one in picture.objects if one.box is None]
    if task == "classification":
        if len(whole) != 1 or len(picture.objects) != 1:
            raise DataError(
                f"{picture.place}: has {len(whole)} classes of the whole picture and "
                f"{len(picture.objects) - len(whole)} objects; the model is a classifier: give it one class"
                f"{'' if picture.objects else ', or leave such pictures out with --skip-empty'}"
            )
        return
    if whole:
        raise DataError(
            f"{picture.place}: has a class of the whole picture ({whole[0].label!r}), and the model is for "
            f"{task}: draw the objects"
        )
    if task in OUTLINE_TASKS and any(not one.outline for one in picture.objects):
        raise DataError(f"{picture.place}: has a box, and the model is for {task}: draw polygons")


def _check_size(picture: ReturnedPicture, file: Path) -> None:
    real = displayed_size(file)
    if real is None:
        raise DataError(f"{printable(file)}: cannot be read as a picture; give the one that was labelled")
    if picture.size is not None and picture.size != real:
        stated = f"{picture.size[0]:g} x {picture.size[1]:g}"
        raise DataError(
            f"{picture.place}: was labelled with {stated} pixels, {printable(file)} has "
            f"{real[0]:g} x {real[1]:g}; give the picture that was labelled"
        )


def _write_yolo(
    returned: ReturnedLabels, files: dict[str, Path], indices: dict[str, int], target: LabelTarget, out: Path
) -> None:
    (out / "images").mkdir()
    (out / "labels").mkdir()
    for one in returned.pictures:
        _copy(files[one.name], out / "images" / one.name)
        lines = (f"{indices[thing.label]} {_numbers(thing)}\n" for thing in one.objects)
        label_file = (out / "labels" / one.name).with_suffix(".txt")
        if label_file.exists():
            raise DataError(f"{one.place}: another picture has the same name but for its suffix; rename one")
        _text(label_file, "".join(lines))
    data = {"path": ".", "train": "images", "val": "images", "names": dict(enumerate(target.labels))}
    _text(out / "data.yaml", yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def _write_folders(
    returned: ReturnedLabels, files: dict[str, Path], indices: dict[str, int], target: LabelTarget, out: Path
) -> None:
    for one in returned.pictures:
        label = target.labels[indices[one.objects[0].label]]
        if label in (".", "..") or "/" in label or "\0" in label:
            raise DataError(f"the label {label!r} is no name of a folder; rename it in the model")
        (out / label).mkdir(exist_ok=True)
        _copy(files[one.name], out / label / one.name)


def _numbers(one: ReturnedObject) -> str:
    if one.outline:
        return " ".join(f"{value:.7f}" for point in one.outline for value in point)
    x1, y1, x2, y2 = one.box or (0.0, 0.0, 1.0, 1.0)
    return " ".join(f"{value:.7f}" for value in ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1))


def _copy(source: Path, to: Path) -> None:
    shutil.copyfile(source, to)
    to.chmod(PRIVATE_FILE)


def _text(path: Path, text: str) -> None:
    path.touch(PRIVATE_FILE)
    path.write_text(text, encoding="utf-8")


def _more(count: int, shown: int = 1) -> str:
    return f" (and {count - shown} more)" if count > shown else ""

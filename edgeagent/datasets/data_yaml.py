"""``data.yaml`` of Ultralytics and Roboflow: folders or lists of pictures for each split, names of classes.

Sources: "Object Detection Datasets Overview", Ultralytics; exports of Roboflow in the YOLO formats::

    path: ../coco8          # root of the data set; default: the folder of the file
    train: images/train     # folder, list of folders, or .txt file that lists pictures; relative to the root
    val: images/val
    test:                   # optional
    names: {0: person, 1: bicycle}    # or a list
    nc: 2                   # number of classes; optional

Roboflow writes ``../train/images`` for a folder beside the file; as in Ultralytics' reader, ``../`` is left
out where nothing is there. Other keys are not used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edgeagent.datasets.class_names import ClassNames
from edgeagent.datasets.image_folders import with_label_files
from edgeagent.datasets.picture_files import RESOURCE_FORK, list_pictures, names_file, names_folder
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.errors import DataError
from edgeagent.files.naming import escape_controls, printable
from edgeagent.files.strict_yaml import Document, Place, YamlMistakeError, parse
from edgeagent.imaging.picture import PICTURE_SUFFIXES

logger = logging.getLogger(__name__)

SPLIT_KEYS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
"""Keys by split; the first that has a value counts."""
LIST_SUFFIX = ".txt"
ABOVE = "../"


def data_yaml_splits(file: Path) -> dict[str, Callable[[], LabelledPictures]]:
    """Return what opens each split of a file; its names and its root are checked at once.

    Raises:
        DataError: the file cannot be used; calling what is returned raises it for the pictures and labels.
    """
    described = _DataYaml.read(file)
    found: dict[str, Callable[[], LabelledPictures]] = {}
    for split, keys in SPLIT_KEYS.items():
        key = next((key for key in keys if described.document.data.get(key)), None)
        if key is not None:
            found[split] = partial(described.open, key)
    if not found:
        raise described.error((), "none of `train`, `val`, `test` names a folder of pictures; add one")
    return found


def class_names_of(file: Path) -> tuple[str, ...]:
    """Return the names of the classes of a file, by class index.

    Raises:
        DataError: the file cannot be used.
    """
    return _DataYaml.read(file).names.names


@dataclass(frozen=True)
class _DataYaml:
    """A file that was read, with its root and names."""

    file: Path
    document: Document
    root: Path
    names: ClassNames

    @classmethod
    def read(cls, file: Path) -> _DataYaml:
        try:
            document = parse(file.read_bytes(), number_keys=True)
        except OSError as error:
            raise DataError(f"{printable(file)}: cannot be read ({error.strerror})") from error
        except YamlMistakeError as mistake:
            raise DataError(f"{printable(file)}: line {mistake.line}: {mistake}") from None
        if not isinstance(document.data, dict):
            raise DataError(f"{printable(file)}: expected the keys `train`, `val` and `names`")
        bare = cls(file, document, file.parent, ClassNames((), file))
        for line, key in document.duplicates:
            raise DataError(f"{printable(file)}: line {line}: the key {key[-1]!r} stands there twice")
        return cls(file, document, bare.find_root(), ClassNames(bare.find_names(), file))

    def error(self, place: Place, problem: str) -> DataError:
        line = next(
            (
                self.document.lines[place[:n]]
                for n in range(len(place), 0, -1)
                if place[:n] in self.document.lines
            ),
            1,
        )
        key = f"{'.'.join(map(str, place))}: " if place else ""
        return DataError(f"{printable(self.file)}: line {line}: {key}{problem}")

    def find_root(self) -> Path:
        value, own = self.document.data.get("path"), self.file.parent
        if value is None or value == "":
            return own
        if not isinstance(value, str):
            raise self.error(("path",), f"expected a folder, got {_shown(value)}")
        candidates = [own / value, Path(value)]
        if own.absolute().name == Path(value).name:  # the data set was moved, together with the file
            candidates.append(own)
        found = next((folder for folder in candidates if names_folder(folder)), None)
        if found is None:
            raise self.error(
                ("path",),
                f"{_shown(value)}: no such folder; correct it, or delete the line if the folders of pictures "
                "are beside this file",
            )
        return found

    def find_names(self) -> tuple[str, ...]:
        value = self.document.data.get("names")
        if isinstance(value, dict):
            wanted = [str(number) for number in range(len(value))]
            strange = next((key for key in value if key not in wanted), None)
            if strange is not None:
                raise self.error(
                    ("names", strange), f"expected the numbers 0 to {len(value) - 1}, each once, as keys"
                )
            entries: list[tuple[Place, Any]] = [(("names", key), value[key]) for key in wanted]
        elif isinstance(value, list):
            entries = [(("names", position), name) for position, name in enumerate(value)]
        else:
            raise self.error(("names",), "expected the names of the classes, a list or `0: name` and so on")
        if not entries:
            raise self.error(("names",), "is empty; list the names of the classes")
        for place, name in entries:
            if isinstance(name, (bool, float)) or not isinstance(name, (str, int)) or name == "":
                raise self.error(place, f"expected a name, got {_shown(name)}; quote it")
        count = self.document.data.get("nc")
        if count is not None and (isinstance(count, bool) or not isinstance(count, int)):
            raise self.error(("nc",), f"expected a whole number, got {count!r}")
        if count is not None and count != len(entries):
            raise self.error(
                ("nc",), f"is {_shown(count)}, but `names` has {len(entries)}; correct one of them"
            )
        return tuple(str(name) for _, name in entries)

    def open(self, key: str) -> LabelledPictures:
        """Return the pictures of a split with their label files."""
        value = self.document.data[key]
        entries: list[tuple[Place, Any]] = [((key,), value)]
        if isinstance(value, list):
            entries = [((key, position), item) for position, item in enumerate(value)]
        pictures: list[Path] = []
        lists = False
        for place, item in entries:
            found = self._find(place, item)
            if found.is_dir():
                own = list_pictures(found, recursive=True)
                if not own:
                    raise self.error(place, f"{printable(found)}: contains no pictures")
                pictures += own
            elif found.suffix.lower() == LIST_SUFFIX:
                pictures, lists = pictures + self._listed(place, found), True
            else:
                raise self.error(
                    place, f"{printable(found)}: expected a folder of pictures or a {LIST_SUFFIX} file"
                )
        unique = list(dict.fromkeys(pictures))
        if len(unique) < len(pictures):
            logger.warning(
                "%s: %s: %d pictures are named more than once and count once",
                printable(self.file),
                key,
                len(pictures) - len(unique),
            )
        where = f"{printable(self.file)}: line {self.document.lines[(key,)]}: {key}"
        return with_label_files(unique, self.names, where, whole_folders=not lists)

    def _find(self, place: Place, item: Any) -> Path:
        if not isinstance(item, str) or not item:
            raise self.error(place, f"expected a folder of pictures, got {_shown(item)}")
        candidates = [self.root / item]
        if item.startswith(ABOVE):
            candidates.append(self.root / item.removeprefix(ABOVE))
        candidates.append(self.file.parent / item)
        found = next((path for path in candidates if names_folder(path) or names_file(path)), None)
        if found is None:
            raise self.error(
                place,
                f"{_shown(item)}: no such folder or list of pictures in {printable(self.root)}; correct it",
            )
        return found

    def _listed(self, place: Place, file: Path) -> list[Path]:
        """Return the pictures that a file lists, one path a line."""
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise self.error(place, f"{printable(file)}: cannot be read as a list ({error})") from error
        names = [line.strip() for line in lines if line.strip()]
        found, strange = [], []
        for name in names:
            paths = (file.parent / name, self.root / name, Path(name))
            picture = next((path for path in paths if names_file(path)), None)
            usable = picture is not None and picture.suffix.lower() in PICTURE_SUFFIXES
            if picture is None or not usable or picture.name.startswith(RESOURCE_FORK):
                strange.append(name)
            else:
                found.append(picture)
        if not found:
            first = f"; the first is {_shown(strange[0])}" if strange else ""
            raise self.error(
                place, f"{printable(file)}: none of its {len(names)} lines is a picture on the disk{first}"
            )
        if strange:
            logger.warning(
                "%s: %d of %d lines are no picture on the disk and are left out; the first is %s",
                printable(file),
                len(strange),
                len(names),
                _shown(strange[0]),
            )
        return found


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) and value else repr(value)
    return escape_controls(text[:100])

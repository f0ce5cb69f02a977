"""Pictures in one folder for each class (the layout of ImageFolder of torchvision).

The name of a folder is a label of the model (:mod:`edgeagent.datasets.class_names`); pictures in folders
below it belong to it. The class is that of the whole picture: its box is the picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeagent.datasets.class_names import SHOWN, match_names
from edgeagent.datasets.labels import Labels, whole_picture
from edgeagent.datasets.picture_files import list_pictures
from edgeagent.errors import DataError
from edgeagent.files.naming import printable


@dataclass(frozen=True, slots=True)
class ClassFolders:
    """Pictures with the names of their classes.

    Attributes:
        folder: folder of the folders.
        pictures: paths of the pictures.
        names: name of the class of each picture.
    """

    folder: Path
    pictures: tuple[Path, ...]
    names: tuple[str, ...]

    @classmethod
    def find(cls, folder: Path) -> ClassFolders | None:
        """Return the pictures of the folders in a folder; None where none of them has pictures."""
        found = [
            (picture, part.name)
            for part in sorted(path for path in folder.iterdir() if path.is_dir())
            for picture in list_pictures(part, recursive=True)
        ]
        if not found:
            return None
        return cls(folder, tuple(path for path, _ in found), tuple(name for _, name in found))

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, labels: Sequence[str]) -> list[Labels]:
        """Return the class of each picture.

        Raises:
            DataError: a folder is named after no label of the model.
        """
        names = tuple(dict.fromkeys(self.names))
        index = dict(zip(names, match_names(names, labels), strict=True))
        strange = [name for name in names if index[name] < 0]
        if strange:
            more = ", ..." if len(labels) > SHOWN else ""
            raise DataError(
                f"{printable(self.folder)}: read as pictures in one folder for each label, as there is no "
                f"data.yaml, COCO JSON, or folder images; but {strange[0]!r} is none of the {len(labels)} "
                f"labels of the model ({', '.join(labels[:SHOWN])}{more})"
            )
        return [whole_picture(index[name]) for name in self.names]

    def data_hash(self) -> str:
        """Return the SHA-256 (hexadecimal) over names of classes, and names and contents of pictures."""
        digest = hashlib.sha256()
        for picture, name in zip(self.pictures, self.names, strict=True):
            digest.update(f"{name}\0{picture.name}\0".encode("utf-8", "surrogateescape"))
            digest.update(hashlib.sha256(picture.read_bytes()).digest())
        return digest.hexdigest()

"""Hard frames of a folder, read for an export."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeagent.datasets.label_export import ProposedObject, ProposedPicture
from edgeagent.errors import DataError
from edgeagent.events.hard_frame_notes import NAMES
from edgeagent.files.naming import printable

logger = logging.getLogger(__name__)

_Share = Annotated[float, Field(ge=0, le=1)]


class _Object(BaseModel):
    model_config = ConfigDict(extra="ignore")

    label: Annotated[str, Field(min_length=1)]
    score: _Share
    box: tuple[_Share, _Share, _Share, _Share]


class _About(BaseModel):
    model_config = ConfigDict(extra="ignore")

    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    objects: tuple[_Object, ...]
    labels: tuple[Annotated[str, Field(min_length=1)], ...] = ()


def read_hard_frames(folder: Path) -> tuple[ProposedPicture, ...]:
    """Return the hard frames of a folder, oldest first; what is damaged is logged and left out.

    Raises:
        DataError: the folder cannot be read.
    """
    found = []
    try:
        pictures = [
            picture
            for camera in folder.iterdir()
            if camera.is_dir() and not camera.is_symlink()
            for picture in camera.iterdir()
            if picture.suffix == ".jpg" and NAMES.fullmatch(picture.name) and not picture.is_symlink()
        ]
    except FileNotFoundError:
        raise DataError(
            f"{printable(folder)}: no frame was kept yet; an agent with hard_frames in its configuration "
            "makes this folder with the first"
        ) from None
    except OSError as error:
        raise DataError(f"{printable(folder)}: cannot be read ({error.strerror})") from error
    for picture in sorted(pictures, key=lambda one: (float(one.stem), one.parent.name)):
        try:
            about = _About.model_validate_json(picture.with_suffix(".json").read_bytes())
        except (OSError, ValidationError):
            logger.warning("%s: what was found in it cannot be read; it is left out", printable(picture))
            continue
        objects = tuple(ProposedObject(one.label, one.score, one.box) for one in about.objects)
        name = f"{picture.parent.name}-{picture.stem.replace('.', '_')}.jpg"  # tools cut names at dots
        found.append(ProposedPicture(picture, name, about.width, about.height, objects, about.labels))
    return tuple(found)

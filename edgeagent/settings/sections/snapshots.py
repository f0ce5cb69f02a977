"""The ``snapshots`` section of the configuration: pictures of objects on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from edgeagent.settings.sections.objects import Label
from edgeagent.settings.types import Bytes, Seconds, SettingsSection


class SnapshotSettings(SettingsSection):
    """Snapshot settings: the best picture of each reported object.

    Attributes:
        folder: where they are stored; None is ``snapshots`` in the state folder.
        labels: labels of objects that have one; empty for all that are reported.
        boxes: whether the box and label of the object are drawn.
        longest_side: of a picture in pixels; larger ones are scaled down.
        quality: of the JPEG, 1..100.
        keep_age: seconds after which a picture is removed.
        keep_size: most bytes of all pictures together; the oldest are removed first.
        keep_free: bytes that stay free on the disk; the oldest pictures are removed for that.
        publish: whether pictures are also published as ``snapshot/<camera>``.
    """

    folder: Path | None = None
    labels: tuple[Label, ...] = ()
    boxes: bool = True
    longest_side: Annotated[int, Field(ge=64, le=8192)] = 1280
    quality: Annotated[int, Field(ge=1, le=100)] = 80
    keep_age: Seconds = 604800.0
    keep_size: Annotated[Bytes, Field(ge=1_000_000)] = 500_000_000
    keep_free: Bytes = 200_000_000
    publish: bool = False

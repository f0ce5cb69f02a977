"""The ``clips`` section of the configuration: video of objects on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from edgeagent.settings.sections.objects import Label
from edgeagent.settings.types import Bytes, Seconds, SettingsSection, TopicLevel


class ClipSettings(SettingsSection):
    """Clip settings: video of each reported object, as the camera sends it.

    Attributes:
        folder: where they are stored; None is ``clips`` in the state folder.
        cameras: names of the cameras that have clips; empty for all.
        labels: labels of objects that have one; empty for all that are reported.
        before: seconds before the first sighting of the object.
        after: seconds after its last sighting.
        longest: most seconds of a clip.
        memory: most bytes of the newest packets of a camera in memory; ``before`` fits into it or is cut.
        keep_age: seconds after which a clip is removed.
        keep_size: most bytes of all clips together; the oldest are removed first.
        keep_free: bytes that stay free on the disk; the oldest clips are removed for that.
    """

    folder: Path | None = None
    cameras: tuple[TopicLevel, ...] = ()
    labels: tuple[Label, ...] = ()
    before: Annotated[Seconds, Field(le=60)] = 5.0
    after: Annotated[Seconds, Field(le=60)] = 5.0
    longest: Annotated[Seconds, Field(le=3600)] = 120.0
    memory: Annotated[Bytes, Field(ge=1_000_000)] = 16_000_000
    keep_age: Seconds = 604800.0
    keep_size: Annotated[Bytes, Field(ge=1_000_000)] = 2_000_000_000
    keep_free: Bytes = 200_000_000

    def wants(self, camera: str) -> bool:
        """Return whether a camera has clips."""
        return not self.cameras or camera in self.cameras

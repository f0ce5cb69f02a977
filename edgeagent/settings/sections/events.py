"""The ``events`` section of the configuration: the life of each object as messages."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edgeagent.settings.sections.zones import ObjectFilterSettings
from edgeagent.settings.types import Seconds, SettingsSection


class EventSettings(SettingsSection):
    """Event settings.

    Attributes:
        objects: objects that are reported.
        confirm_after: seconds for which an object must be tracked before it is reported.
        update_every: minimum seconds between two updates of an object that follow from a better picture of it
            or from its movement; a change of zones is reported at once.
        still_after: seconds without movement after which an object stands still.
        moved: movement of the box that counts, as a share of its longer side.
        path_points: most points of the path that the end of an object reports; 0 reports none.
    """

    objects: ObjectFilterSettings = ObjectFilterSettings(min_score=0.5)
    confirm_after: Seconds = 0.5
    update_every: Seconds = 30.0
    still_after: Seconds = 10.0
    moved: Annotated[float, Field(gt=0, le=10)] = 0.15
    path_points: Annotated[int, Field(ge=0, le=200)] = 0

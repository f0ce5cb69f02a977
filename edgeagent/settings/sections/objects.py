"""The ``objects`` section of the configuration: labels that are counted and watched."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from edgeagent.settings.types import Seconds, SettingsSection

MOST_LABELS = 32
LONGEST_LABEL = 64  # characters
DEFAULT_LABELS = ("person", "bicycle", "car", "motorcycle", "motorbike", "bus", "truck")
"""People and vehicles, as COCO and its derivatives name them."""


def _unique(labels: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"labels must be unique; {', '.join(twice)} is listed more than once")
    return labels


Label = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_LABEL)]
Labels = Annotated[tuple[Label, ...], Field(max_length=MOST_LABELS), AfterValidator(_unique)]


class ObjectSettings(SettingsSection):
    """Counts of objects, and their presence.

    Attributes:
        labels: labels that are counted, of those that the model has; None counts each label from its first
            detection on, :data:`MOST_LABELS` at most.
        appear_after: seconds in which every frame must show a label before it counts as present.
        disappear_after: seconds without a frame that shows it before it counts as absent.
    """

    labels: Labels | None = DEFAULT_LABELS
    appear_after: Seconds = 0.5
    disappear_after: Seconds = 5.0

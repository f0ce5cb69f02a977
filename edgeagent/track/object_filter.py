"""Filter of objects by label, score, size, aspect and time of day."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from edgeagent.imaging.polygon import BoolArray
from edgeagent.settings.sections.zones import DAYS, ObjectFilterSettings, ScheduleSettings
from edgeagent.track.tracked_frame import TrackedFrame


class ObjectFilter:
    """Conditions of the settings, for all tracks of a frame at once.

    Args:
        settings: the conditions.
    """

    def __init__(self, settings: ObjectFilterSettings) -> None:
        self._settings = settings
        self._labels: tuple[str, ...] | None = None
        self._wanted = np.zeros(0, np.bool_)

    def unknown(self, labels: tuple[str, ...]) -> list[str]:
        """Return the labels of the filter that a model does not have."""
        return [label for label in self._settings.labels if label not in labels]

    def accepts(self, frame: TrackedFrame) -> BoolArray:
        """Return which tracks of a frame count; (N,) bool."""
        settings, tracks = self._settings, frame.tracks
        if settings.schedule is not None and not is_within(settings.schedule, frame.local):
            return np.zeros(len(tracks), np.bool_)
        wide = tracks.boxes[:, 2] - tracks.boxes[:, 0]
        high = tracks.boxes[:, 3] - tracks.boxes[:, 1]
        size = wide * high / (frame.width * frame.height)
        found: BoolArray = (tracks.scores >= settings.min_score) & (size >= settings.min_size)
        found &= size <= settings.max_size
        found &= (wide >= settings.min_aspect * high) & (wide <= settings.max_aspect * high)
        if settings.labels:
            found &= self._of_labels(tracks.labels)[tracks.classes]
        return found

    def _of_labels(self, labels: tuple[str, ...]) -> BoolArray:
        if labels is not self._labels:
            self._labels = labels
            self._wanted = np.array([label in self._settings.labels for label in labels], np.bool_)
        return self._wanted


def is_within(schedule: ScheduleSettings, local: datetime) -> bool:
    """Return whether a local time is within a schedule; a night belongs to the day on which it begins."""
    now, begin, end = local.strftime("%H:%M"), schedule.begin, schedule.end
    today = DAYS[local.weekday()] in schedule.days
    if begin < end:
        return today and begin <= now < end
    yesterday = DAYS[(local - timedelta(days=1)).weekday()] in schedule.days
    return (today and now >= begin) or (yesterday and now < end)

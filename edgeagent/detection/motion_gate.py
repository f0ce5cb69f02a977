"""Motion gate of one camera: which frames the detector runs for.

::

    something moves, the whole picture changes, first frames  -> detect, and go on for ``hold``
    a track is new or missing                                 -> detect, until it is confirmed, seen or ended
    nothing, for ``detect_every``                             -> detect
    otherwise                                                 -> gated: what was found last is still there

A frame that is gated is delivered with the detections of the one before, so that tracks, zones and counts of
things that stand still go on. A track needs two frames to be confirmed, so the detector runs for two frames
in a row at least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from edgeagent.imaging.frame import Image
from edgeagent.imaging.polygon import Point
from edgeagent.settings.sections.motion import MotionSettings
from edgeagent.vision.picture_motion import WHOLE_PICTURE, PictureMotion

GateReason = Literal["first", "motion", "whole_picture", "hold", "tracks", "timer"]
"""Why the detector runs for a frame."""

BREAK_S = 10.0
"""Seconds between two frames from which the later one is not compared with the one before."""
MISSING_S = 0.5
"""Seconds between two detections while a track is missing: four before it ends at default settings."""


class MotionGate:
    """Motion gate of one camera. One thread looks; the others may be called from any.

    Args:
        settings: of the gate.
        masks: corners (x, y) of areas whose motion does not count, in shares of the picture.

    Attributes:
        recheck_s: seconds after the last detection at which tracks need the next one, 0 for the next frame;
            None where they need none.
        gated: number of frames that the detector did not run for.
        detected: number of those that it ran for, by reason.
    """

    def __init__(self, settings: MotionSettings, masks: Sequence[Sequence[Point]] = ()) -> None:
        self._settings = settings
        self._motion = PictureMotion(settings.contrast, masks)
        self._looked_s = self._moved_s = self._detected_s = float("-inf")
        self._again, self._second = True, False
        self.recheck_s: float | None = None
        self.gated = 0
        self.detected: Counter[GateReason] = Counter()

    def look(self, image: Image, time_s: float) -> GateReason | None:
        """Return why the detector runs for a frame; None where it does not.

        Args:
            image: (height, width, 3) uint8, BGR.
            time_s: time of the camera in seconds; after a break or a clock that was set back, frames count as
                the first.
        """
        share = self._motion.observe(image, time_s)
        followed = 0 <= time_s - self._looked_s <= BREAK_S
        self._looked_s = time_s
        reason = self._reason(share, time_s, followed)
        if reason is None:
            self.gated += 1
            return None
        self._again, self._second = False, reason in ("timer", "tracks") and not self._second
        self._detected_s = time_s
        self.detected[reason] += 1
        return reason

    def repeat(self) -> None:
        """Detect on the next frame: the last detection failed, or does not count any more."""
        self._again = True

    def _reason(self, share: float, time_s: float, followed: bool) -> GateReason | None:
        if self._again or not followed:
            self._moved_s = time_s
            return "first"
        if share >= self._settings.area:
            self._moved_s = time_s
            return "whole_picture" if share >= WHOLE_PICTURE else "motion"
        if time_s - self._moved_s < self._settings.hold:
            return "hold"
        if self._second:
            return "timer" if self.recheck_s is None else "tracks"
        since_s, recheck_s = time_s - self._detected_s, self.recheck_s
        if recheck_s is not None and since_s >= recheck_s:
            return "tracks"
        return "timer" if since_s >= self._settings.detect_every else None

"""Watch of the pictures of live cameras: a picture that shows nothing useful is a problem of the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from edgeagent.camera.health import HOLD_S, SAMPLE_EVERY_S, HealthState, PictureHealth
from edgeagent.camera.sources import source_kind
from edgeagent.daemon.part import AgentPart
from edgeagent.detection.frame_result import Result
from edgeagent.settings.sections.camera import CameraSettings

HealthChanged = Callable[[str, HealthState, str | None], None]

TEXTS: dict[HealthState, str] = {
    "black": "the picture is black; check the light and the lens",
    "covered": "the picture is of one colour; check whether the lens is covered",
    "frozen": "the picture does not change at all; start the camera again",
    "out_of_focus": "the picture is far less sharp than usual; check the focus and clean the lens",
}


class CameraHealth(AgentPart):
    """Samples the pictures of live cameras; files and folders may be still or black by intention.

    Args:
        cameras: settings of all cameras.
        changed: called with name, state and text (None for ``ok``) when the state of a camera changes.
    """

    def __init__(self, cameras: Sequence[CameraSettings], changed: HealthChanged) -> None:
        self._changed = changed
        self._health: dict[str, PictureHealth] = {}
        self._due: dict[str, float] = {}
        self.follow(cameras)

    def follow(self, cameras: Sequence[CameraSettings], reopened: Collection[str] = ()) -> None:
        """Take other cameras; those whose stream goes on keep what is known of their pictures."""
        live = [camera.name for camera in cameras if source_kind(camera.source) != "path"]
        known = {name: health for name, health in self._health.items() if name not in reopened}
        self._health = {name: known.get(name) or PictureHealth() for name in live}
        self._due = dict.fromkeys(live, 0.0)

    def frame(self, result: Result) -> None:
        """Take a sample, once a second and camera."""
        now = time.monotonic()
        health = self._health.get(result.camera)
        if health is None or now < self._due[result.camera]:
            return
        self._due[result.camera] = now + SAMPLE_EVERY_S
        before, state = health.state, health.sample(result.frame.image, now)
        if state != before:
            text = TEXTS.get(state)
            about = None if text is None else f"camera {result.camera}, for {HOLD_S:.0f} s: {text}"
            self._changed(result.camera, state, about)

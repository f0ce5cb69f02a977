"""All cameras of the agent as one part."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from edgeagent.camera.capture import Camera
from edgeagent.camera.status import CameraState
from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.settings.sections.camera import CameraSettings


class Cameras(AgentPart):
    """Cameras that start and stop together.

    Args:
        settings: settings of each camera.
        on_frame: called when a camera has a new frame, or has ended.
        on_change: called with name, state and text when the state of a camera changes.

    Attributes:
        cameras: cameras in the order of the settings.
    """

    def __init__(
        self,
        settings: Sequence[CameraSettings],
        on_frame: Callable[[], None],
        on_change: Callable[[str, CameraState, str], None],
    ) -> None:
        self.cameras = [Camera(camera, on_frame=on_frame, on_change=on_change) for camera in settings]

    def start(self) -> None:
        """Open all cameras in the background."""
        for camera in self.cameras:
            camera.start()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Close all cameras at the same time; one that hangs is abandoned."""
        stoppers = [threading.Thread(target=camera.stop, args=(timeout_s,)) for camera in self.cameras]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join()
